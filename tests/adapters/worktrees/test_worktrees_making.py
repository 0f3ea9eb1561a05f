"""Each item works in a worktree of its own, with the lead's files as they were when it delegated."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.workspace.beneath import removed
from longshift.adapters.workspace.git import GitCall, GitResult, run_git
from longshift.adapters.workspace.repository import BASE_REF
from longshift.adapters.worktrees import history
from longshift.contracts import ids
from longshift.contracts.conflict import Conflict
from longshift.contracts.sub_agent import SubAgent
from longshift.contracts.task import TaskSpec
from longshift.contracts.workspace import Workspace
from tests.adapters.workspace.hosts import files_of
from tests.adapters.worktrees.swarms import SWARM, SwarmHost, repository, task

Hosts = Callable[[str, Sandbox], SwarmHost]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "user")


async def test_an_item_starts_with_the_leads_files(hosts: Hosts, sandbox: Sandbox, source: Path) -> None:
    host = hosts("a", sandbox)
    spec = task(workspace={"git": str(source)}, setup=("mkdir build && echo made > build/out",))
    lead, sub_agent = await host.delegating(spec, notes="by the lead")
    item = await host.item(spec, sub_agent, "one")
    assert files_of(host.tree) == files_of(host.tree_of("one"))
    assert (sub_agent.base_tree, 3) == (item.base_tree, item.files)
    assert ids.item_task_id(SWARM, "one") == item.workspace_id
    assert item.restoration is None
    assert item.root == (lead.root if sandbox.name != "none" else str(host.tree_of("one")))
    assert (b"", 0) == await exported(host, item)
    assert await host.says(lead, "git rev-parse HEAD") == await host.says(item, "git rev-parse HEAD")
    assert "?? notes" == await host.says(item, "git status --porcelain")


async def exported(host: SwarmHost, workspace: Workspace) -> tuple[bytes, int]:
    patch, counts = await host.workspaces.export(workspace)
    return patch, counts.files


async def test_items_do_not_see_each_other(hosts: Hosts, sandbox: Sandbox, source: Path) -> None:
    host = hosts("a", sandbox)
    spec = task(workspace={"git": str(source)}, setup=("mkdir build && echo made > build/out",))
    lead, sub_agent = await host.delegating(spec)
    one, two = [await host.item(spec, sub_agent, name) for name in ("one", "two")]
    await host.says(one, "echo one > build/out; echo one > app.py; echo one > ~/note; git stash -q; echo 1 > app.py")
    assert "made" == await host.says(two, "cat build/out; ls ~; git stash list")
    assert "print('one')" == await host.says(two, "cat app.py")
    assert "made" == await host.says(lead, "cat build/out; ls ~; git stash list")
    assert ["app.py"] == await host.workspaces.shadow(one).changed_files(one.base_tree)
    assert [] == await host.workspaces.shadow(two).changed_files(two.base_tree)


async def test_every_host_counts_changes_from_the_same_base(hosts: Hosts, sandbox: Sandbox, source: Path) -> None:
    a, b = hosts("a", sandbox), hosts("b", sandbox)
    spec = task(workspace={"git": str(source)}, setup=("mkdir build && pwd > build/out",))
    lead, sub_agent = await a.delegating(spec, notes="by the lead")
    here, there = await a.item(spec, sub_agent, "one"), await b.item(spec, sub_agent, "two")
    assert (here.base_tree, here.files) == (there.base_tree, there.files)
    bases: list[str] = []
    for host, item in ((a, here), (b, there)):
        async with host.workspaces.shadow(item).held() as git:
            bases.append((await git("rev-parse", "base")).text)
            assert bases[-1] == await history.base_commit(git, sub_agent.base_tree)
    assert bases[0] == bases[1]
    assert (b.tree_of("two") / "notes").read_text() == "by the lead"
    assert there.root == await b.says(there, "cat build/out")
    if sandbox.name != "none":
        assert (lead.root, lead.root) == (here.root, there.root)


async def test_a_host_makes_one_seed_for_all_items(
    hosts: Hosts, confined: Sandbox, source: Path, tmp_path: Path
) -> None:
    a, b = hosts("a", confined), hosts("b", confined)
    spec = task(workspace={"git": str(source)}, setup=("mkdir build && date +%s%N > build/out",))
    _, sub_agent = await a.delegating(spec)
    items = [await b.item(spec, sub_agent, name) for name in ("one", "two")]
    b.restart()
    items.append(await b.item(spec, sub_agent, "three"))
    assert 1 == len({await b.says(item, "cat build/out") for item in items})
    assert {"one", "two", "three", "seed"} == {
        path.name.removeprefix(f"{SWARM}.") for path in (b.folder / "workspaces").iterdir()
    }


async def test_what_the_setup_wrote_into_files_holds_in_an_item(hosts: Hosts, confined: Sandbox, source: Path) -> None:
    """A virtual environment in HOME, a package that is installed by its path, a build folder that names its source."""
    host = hosts("a", confined)
    setup = (
        "/usr/bin/python3 -m venv --without-pip ~/venv",
        'pwd > "$(~/venv/bin/python -c "import sysconfig; print(sysconfig.get_path(\'purelib\'))")/app.pth"',
        "printf '#!%s\\nimport app\\n' ~/venv/bin/python > ~/venv/bin/tool && chmod +x ~/venv/bin/tool",
        'mkdir build && echo "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" > build/CMakeCache.txt',
    )
    spec = task(workspace={"git": str(source)}, setup=setup)
    lead, sub_agent = await host.delegating(spec)
    item = await host.item(spec, sub_agent, "one")
    await host.says(item, "echo \"print('mine')\" > app.py")
    assert "mine" == await host.says(item, "cd / && ~/venv/bin/tool")
    assert "one" == await host.says(lead, "cd / && ~/venv/bin/tool")
    assert "mine" == await host.says(item, ". <(sed 's/.*=/dir=/' build/CMakeCache.txt); python3 $dir/app.py")


async def test_an_item_reads_neither_the_leads_tree_nor_anothers(hosts: Hosts, confined: Sandbox, source: Path) -> None:
    host = hosts("a", confined)
    spec = task(workspace={"git": str(source)})
    lead, sub_agent = await host.delegating(spec)
    one, two = [await host.item(spec, sub_agent, name) for name in ("one", "two")]
    await host.says(lead, "echo secret > build-of-lead; echo secret > ~/of-lead; echo secret > /tmp/of-lead")
    await host.says(two, "echo secret > of-two; echo secret > ~/of-two")
    seen = await host.says(one, f"ls -A . ~ /tmp; ls -d {host.folder}/workspaces/*; ls {lead.root}/..")
    assert not [name for name in ("of-lead", "of-two", f"{SWARM}.two") if name in seen]


async def test_making_is_repeated_after_every_crash(hosts: Hosts, sandbox: Sandbox, source: Path) -> None:
    host = hosts("a", sandbox)
    spec = task(workspace={"git": str(source)}, setup=("mkdir build && echo made > build/out",))
    _, sub_agent = await host.delegating(spec)
    item = await host.item(spec, sub_agent, "one")
    await host.says(item, "echo work > app.py")
    folder = host.workspaces.open(item)
    wanted = files_of(host.tree)
    # Without a sandbox the tree holds what the setup has made, which runs once.
    lasting = 2 if sandbox.name == "none" else 3
    for left in (("ready.json",), ("ready.json", "shadow.git"), ("ready.json", "shadow.git", "tree"))[:lasting]:
        for name in left:
            assert removed(folder.path / name)
        host.restart()
        item = await host.item(spec, sub_agent, "one")
        assert wanted == files_of(host.tree_of("one"))
        assert sub_agent.base_tree == item.base_tree


@pytest.mark.parametrize("is_elsewhere", [False, True])
async def test_making_can_be_cut_off_at_any_moment(
    hosts: Hosts, sandbox: Sandbox, source: Path, *, is_elsewhere: bool
) -> None:
    lead_host, other = hosts("a", sandbox), hosts("b", sandbox)
    spec = task(workspace={"git": str(source)}, setup=("mkdir build && echo made > build/out && sleep 0.1",))
    _, sub_agent = await lead_host.delegating(spec, notes="by the lead")
    host = other if is_elsewhere else lead_host
    for number in range(14):
        making = asyncio.create_task(host.item(spec, sub_agent, "one"))
        await asyncio.wait([making], timeout=0.03 * number)
        making.cancel()
        await asyncio.wait([making])
        if number % 3 == 2:
            host.restart()
    item = await host.item(spec, sub_agent, "one")
    assert files_of(lead_host.tree) == files_of(host.tree_of("one"))
    assert (sub_agent.base_tree, [], []) == (
        item.base_tree,
        await host.workspaces.shadow(item).changed_files(item.base_tree),
        [path.name for path in host.tree_of("one").parent.glob(".*.part")],
    )


async def test_an_item_goes_on_elsewhere_from_its_own_checkpoint(hosts: Hosts, sandbox: Sandbox, source: Path) -> None:
    a, b = hosts("a", sandbox), hosts("b", sandbox)
    spec = task(workspace={"git": str(source)}, setup=("mkdir build && echo made > build/out",))
    _, sub_agent = await a.delegating(spec, notes="by the lead")
    first = await a.item(spec, sub_agent, "one")
    await a.says(first, "echo work > app.py; echo new > new.py")
    digest = await a.workspaces.checkpoint(first, 1, f"{first.workspace_id}/lead")
    assert digest.archived
    second = await b.item(spec, sub_agent, "one", 2)
    assert files_of(a.tree_of("one")) == files_of(b.tree_of("one"))
    assert (first.base_tree, 2) == (second.base_tree, second.generation)
    assert ["app.py", "new.py"] == await b.workspaces.shadow(second).changed_files(second.base_tree)
    assert second.restoration is not None
    assert 1 == second.restoration.step
    async with b.workspaces.shadow(second).held() as git:
        assert await history.base_commit(git, sub_agent.base_tree) == (await git("rev-parse", "base")).text


async def delegated(host: SwarmHost, source: Path) -> tuple[TaskSpec, SubAgent]:
    """A task without a setup, and what its lead's items have in common."""
    spec = task(workspace={"git": str(source)})
    _, sub_agent = await host.delegating(spec)
    return spec, sub_agent


async def test_an_item_starts_from_an_integrated_state(hosts: Hosts, sandbox: Sandbox, source: Path) -> None:
    a, b = hosts("a", sandbox), hosts("b", sandbox)
    spec, sub_agent = await delegated(a, source)
    first = await a.item(spec, sub_agent, "one")
    await a.says(first, "echo merged > app.py")
    shadow = a.workspaces.shadow(first)
    tree = await shadow.tree_hash()
    async with shadow.held() as git:
        base = await history.base_commit(git, sub_agent.base_tree)
        commit = await history.committed(git, tree, (base,), "one")
        bundle = await history.bundled(git, commit, base)
    await a.store.create(ids.integration_key(SWARM, 1), bundle)
    later = sub_agent.model_copy(update={"integration": 1})
    for host in (a, b):
        item = await host.item(spec, later, "two")
        assert tree == item.base_tree
        assert "merged" == await host.says(item, "cat app.py")
        assert [] == await host.workspaces.shadow(item).changed_files(item.base_tree)


async def test_a_resolver_begins_with_the_merge_that_is_to_be_mended(
    hosts: Hosts, sandbox: Sandbox, source: Path
) -> None:
    host = hosts("a", sandbox)
    spec, sub_agent = await delegated(host, source)
    first = await host.item(spec, sub_agent, "one")
    shadow = host.workspaces.shadow(first)
    await host.says(first, "echo integrated > app.py")
    integrated = await shadow.tree_hash()
    await host.says(first, "printf '<<<<<<<\\na\\n=======\\nb\\n>>>>>>>\\n' > app.py")
    marked = await shadow.tree_hash()
    async with shadow.held() as git:
        base = await history.base_commit(git, sub_agent.base_tree)
        state = await history.committed(git, integrated, (base,), "one")
        await host.store.create(ids.integration_key(SWARM, 1), await history.bundled(git, state, base))
        await host.store.create("marked.bundle", await history.seal_bundle(git, state, marked, "conflict"))
    key = ids.conflict_key(SWARM, "two", 1)
    record = Conflict(onto=1, bundle_key="marked.bundle", files=("app.py",))
    await host.store.create(key, record.model_dump_json().encode())
    mending = sub_agent.model_copy(update={"integration": 1, "conflict": key})
    resolver = await host.item(spec, mending, ids.resolver_item("two", 1))
    assert integrated == resolver.base_tree
    assert (await host.says(resolver, "cat app.py")).startswith("<<<<<<<")
    assert ["app.py"] == await host.workspaces.shadow(resolver).changed_files(resolver.base_tree)


async def test_the_items_of_a_host_share_what_their_repositories_begin_with(
    hosts: Hosts, sandbox: Sandbox, source: Path
) -> None:
    commands: Counter[str] = Counter()

    async def counting(call: GitCall) -> GitResult:
        commands[call.arguments[0]] += 1
        return await run_git(call)

    host = hosts("a", sandbox) if sandbox.name != "none" else replace(hosts("a", sandbox), run=counting)
    spec = task(workspace={"git": str(source)})
    _, sub_agent = await host.delegating(spec, notes="by the lead")
    await host.item(spec, sub_agent, "one")
    commands.clear()
    second = await host.item(spec, sub_agent, "two")
    assert not commands.keys() & {"init", "index-pack", "commit-tree", "update-ref"}
    (host.tree_of("two") / "notes").write_text("by two")
    await host.workspaces.checkpoint(second, 1, "two/lead")
    third = await host.item(spec, sub_agent, "three")
    assert "by the lead" == (host.tree_of("three") / "notes").read_text()
    for item in (second, third):
        async with host.workspaces.shadow(item).held() as git:
            assert await history.base_commit(git, sub_agent.base_tree) == await git.commit_of(BASE_REF)
            assert "" == (await git("fsck", "--strict", "--no-dangling")).text
    assert [] == await host.workspaces.shadow(third).changed_files(sub_agent.base_tree)


async def test_items_that_begin_with_a_later_state_do_not_get_the_first_ones(
    hosts: Hosts, sandbox: Sandbox, source: Path
) -> None:
    host = hosts("a", sandbox)
    spec, sub_agent = await delegated(host, source)
    first = await host.item(spec, sub_agent, "one")
    async with host.workspaces.shadow(first).held() as git:
        base, empty = await git.commit_of(BASE_REF), (await git("mktree", stdin=b"")).text
        state = await history.committed(git, empty, (base,), "all is removed")
        await host.store.create(ids.integration_key(SWARM, 1), await history.bundled(git, state, base))
    later = sub_agent.model_copy(update={"integration": 1})
    for name in ("two", "three"):
        assert empty == (await host.item(spec, later, name)).base_tree
    assert first.base_tree == (await host.item(spec, sub_agent, "four")).base_tree
