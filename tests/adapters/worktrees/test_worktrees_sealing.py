"""Work leaves a worktree whole, within its write scope, and free of secrets; or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.workspace import Checks
from longshift.adapters.worktrees import history
from longshift.adapters.worktrees.sealing import NotSealed, Sealed, sealed
from longshift.contracts import ids
from longshift.contracts.swarm import ItemFailure
from longshift.contracts.task import TaskSpec
from longshift.contracts.workspace import Workspace
from longshift.policy import notes
from tests.adapters.worktrees.swarms import SWARM, SwarmHost, repository, task

Hosts = Callable[[str, Sandbox], SwarmHost]


class Rig:
    """An item with a write scope."""

    def __init__(self, host: SwarmHost, spec: TaskSpec, item: Workspace) -> None:
        self.host, self.spec, self.item = host, spec, item

    async def sealed(self, proved_tree: str = "") -> Sealed:
        return await sealed(
            self.host.workspaces, self.item, self.spec, message="one: work", seconds=7, proved_tree=proved_tree
        )

    async def failure(self) -> NotSealed:
        with pytest.raises(NotSealed) as refused:
            await self.sealed()
        return refused.value


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "user", kept="protected\n", other="of others\n")


async def rig(host: SwarmHost, source: Path, *scope: str, **fields: object) -> Rig:
    spec = task(workspace={"git": str(source)}, protected=("kept",), **fields)
    _, sub_agent = await host.delegating(spec)
    sub_agent = sub_agent.model_copy(update={"write_scope": scope})
    item = await host.item(spec, sub_agent, "one")
    spec = spec.model_copy(update={"id": ids.item_task_id(SWARM, "one"), "sub_agent": sub_agent})
    return Rig(host, spec, item)


async def test_work_is_sealed_as_a_bundle_on_top_of_the_base(hosts: Hosts, sandbox: Sandbox, source: Path) -> None:
    host = hosts("a", sandbox)
    one = await rig(host, source, "app.py", "new/**")
    await host.says(one.item, "echo work > app.py; mkdir new; ln -s ../app.py new/link; touch new/it; chmod +x new/it")
    first = await one.sealed()
    assert first == await one.sealed()
    assert ("app.py", "new/it", "new/link") == first.counts.changed_files
    lead = await host.prepare(one.spec.model_copy(update={"id": "t-1", "sub_agent": None}), 1)
    async with host.workspaces.shadow(lead).held() as git:
        assert one.spec.sub_agent is not None
        base = await history.base_commit(git, one.spec.sub_agent.base_tree)
        commit = await history.fetched(git, first.bundle)
        assert (base, first.tree) == ((await git("rev-parse", f"{commit}^")).text, await history.tree_of(git, commit))


async def test_an_item_that_changed_nothing_is_sealed_without_a_bundle(
    hosts: Hosts, sandbox: Sandbox, source: Path
) -> None:
    host = hosts("a", sandbox)
    one = await rig(host, source, "app.py")
    await host.says(one.item, "mkdir -p build; echo x > build/out")
    done = await one.sealed()
    assert (b"", one.item.base_tree) == (done.bundle, done.tree)


async def test_nothing_outside_of_the_write_scope_is_sealed(hosts: Hosts, sandbox: Sandbox, source: Path) -> None:
    host = hosts("a", sandbox)
    one = await rig(host, source, "app.py")
    await host.says(one.item, "echo work > app.py; rm other; echo stray > stray")
    failure = await one.failure()
    assert ItemFailure.OUT_OF_SCOPE is failure.failure
    assert "changed outside of its write scope: other, stray" == str(failure)


async def test_an_empty_scope_allows_nothing(hosts: Hosts, sandbox: Sandbox, source: Path) -> None:
    host = hosts("a", sandbox)
    one = await rig(host, source)
    await host.says(one.item, "echo work > app.py")
    assert ItemFailure.OUT_OF_SCOPE is (await one.failure()).failure


async def test_protected_files_are_not_sealed(hosts: Hosts, sandbox: Sandbox, source: Path) -> None:
    host = hosts("a", sandbox)
    one = await rig(host, source, "*")
    await host.says(one.item, "echo work > kept")
    failure = await one.failure()
    assert (ItemFailure.CHECKS_RED, "changed protected files: kept") == (failure.failure, str(failure))


async def test_what_was_proved_is_what_is_sealed(hosts: Hosts, sandbox: Sandbox, source: Path) -> None:
    host = hosts("a", sandbox)
    one = await rig(host, source, "app.py")
    await host.says(one.item, "echo proved > app.py")
    proved = await host.workspaces.shadow(one.item).tree_hash()
    await host.says(one.item, "echo later > app.py; echo later > stray")
    done = await one.sealed(proved)
    assert (proved, ("app.py",)) == (done.tree, done.counts.changed_files)
    assert "proved" == await host.says(one.item, "cat app.py")


async def test_files_that_were_proved_elsewhere_and_lost_are_not_sealed(
    hosts: Hosts, sandbox: Sandbox, source: Path
) -> None:
    host = hosts("a", sandbox)
    one = await rig(host, source, "app.py")
    with pytest.raises(NotSealed, match="lost with their host") as refused:
        await one.sealed("1" * 40)
    assert ItemFailure.HOST is refused.value.failure


async def test_checks_are_red_outside_of_the_write_scope_and_say_what_to_do(
    hosts: Hosts, sandbox: Sandbox, source: Path
) -> None:
    host = hosts("a", sandbox)
    one = await rig(host, source, "app.py", "docs/**")
    checks = Checks(host.workspaces, host.runner)
    await host.says(one.item, "echo work > app.py; mkdir docs; echo d > docs/d; echo x > other")
    red = await checks.run(one.spec, one.item, baseline={}, key_prefix="t/lead/s000001-checks")
    assert (False, ("other",)) == (red.passed, red.out_of_scope)
    assert "0/0 checks green, 1 files changed outside of the write scope" == red.headline
    said = notes.finish_refused(red)
    assert "[RED] files outside of your write scope were changed; put them back" in said
    assert "\n  other" in said
    await host.says(one.item, "git checkout -q other")
    green = await checks.run(one.spec, one.item, baseline={}, key_prefix="t/lead/s000002-checks")
    assert (True, ()) == (green.passed, green.out_of_scope)


async def test_a_discarded_worktree_leaves_nothing_and_can_be_made_again(
    hosts: Hosts, sandbox: Sandbox, source: Path
) -> None:
    host = hosts("a", sandbox)
    one = await rig(host, source, "app.py")
    task_id = one.item.workspace_id
    await host.runner.start(f"{task_id}/lead/job", host.workspaces.shell(one.item, "sleep 600", background=True))
    assert 1 == await host.workspaces.discard(task_id)
    assert [] == await host.workspaces.known(f"{SWARM}.one")
    assert 0 == await host.workspaces.discard(task_id)
    assert {path.name for path in (host.folder / "workspaces").iterdir()} == {"t-1"}
    assert one.spec.sub_agent is not None
    again = await host.item(one.spec, one.spec.sub_agent, "one", 2)
    assert (one.item.base_tree, 2, 2) == (again.base_tree, again.generation, again.life)
