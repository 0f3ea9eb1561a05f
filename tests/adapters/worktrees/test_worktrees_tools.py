"""File tools and commands of an item know one and the same path: the lead's."""

from collections.abc import Callable
from pathlib import Path

import pytest

from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.tools import Toolbox, ToolContext, ToolOutcome, find_ripgrep
from longshift.contracts import ids
from longshift.contracts.tools import TOOL_ARGUMENTS, ToolStatus
from longshift.contracts.workspace import Workspace
from tests.adapters.worktrees.swarms import SwarmHost, repository, task

Hosts = Callable[[str, Sandbox], SwarmHost]


class Desk:
    """The tools of one item."""

    def __init__(self, host: SwarmHost, item: Workspace, sandbox: Sandbox) -> None:
        self.host, self.item = host, item
        self.toolbox = Toolbox(host.runner, sandbox, ripgrep=find_ripgrep())
        self.step = 0

    async def run(self, name: str, **arguments: object) -> ToolOutcome:
        self.step += 1
        place = self.host.workspaces.open(self.item)
        agent = ids.agent_id(self.item.workspace_id)
        context = ToolContext(
            agent=agent,
            task_id=self.item.workspace_id,
            step=self.step,
            index=0,
            root=place.tree,
            home=place.home,
            tmp=place.tmp,
            outputs_root=self.host.workspaces.outputs_root / self.item.workspace_id,
            run_key=ids.run_key(agent, self.step, 0),
            seen_root=place.seen_root,
            seen_home=place.seen_home,
        )
        given = TOOL_ARGUMENTS[name].model_validate(arguments)
        return await self.toolbox.run(name, given, context, patience_seconds=None, on_progress=lambda line: None)

    async def ok(self, name: str, **arguments: object) -> str:
        outcome = await self.run(name, **arguments)
        assert outcome.status is ToolStatus.OK, outcome.text
        return outcome.text


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "user")


async def desk(host: SwarmHost, source: Path, sandbox: Sandbox) -> Desk:
    spec = task(workspace={"git": str(source)})
    _, sub_agent = await host.delegating(spec)
    return Desk(host, await host.item(spec, sub_agent, "one"), sandbox)


async def test_every_tool_takes_the_path_that_commands_print(hosts: Hosts, sandbox: Sandbox, source: Path) -> None:
    host = hosts("a", sandbox)
    one = await desk(host, source, sandbox)
    root = one.item.root
    assert (await one.ok("bash", command="pwd")).startswith(f"{root}\n")
    await one.ok("write_file", path=f"{root}/sub/new.py", content="print('new')\n")
    await one.ok("edit_file", path=f"{root}/app.py", old="one", new="two")
    assert "print('two')" in await one.ok("read_file", path=f"{root}/app.py")
    assert "print('new')" in await one.ok("bash", command=f"cat {root}/sub/new.py")
    assert "app.py" in await one.ok("grep", pattern="two", path=root)
    assert "sub/new.py" in await one.ok("glob", pattern=f"{root}/sub/*.py")
    assert "print('two')\n" == (host.tree_of("one") / "app.py").read_text()
    assert "print('one')\n" == (host.tree / "app.py").read_text()


async def test_a_path_outside_is_refused_in_words_of_the_path_that_is_seen(
    hosts: Hosts, confined: Sandbox, source: Path
) -> None:
    host = hosts("a", confined)
    one = await desk(host, source, confined)
    for path in ("/etc/passwd", str(host.tree_of("one") / "app.py")):
        outcome = await one.run("read_file", path=path)
        assert ToolStatus.ERROR is outcome.status
        assert f"Use a path relative to its root, {one.item.root}." in outcome.text
