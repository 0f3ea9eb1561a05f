"""A host whose session delegates, for the tests beside."""

import asyncio
import itertools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from longshift.adapters.process.run_state import Finished
from longshift.adapters.store import Transcripts
from longshift.contracts import ids
from longshift.contracts.sub_agent import SubAgent
from longshift.contracts.task import TaskSpec
from longshift.contracts.transcript import EpochBase
from longshift.contracts.workspace import Workspace
from tests.adapters.workspace.hosts import TASK_ID, Host, task

LEAD = ids.agent_id(TASK_ID)
SWARM = ids.swarm_id(LEAD, 1)
STEP = 1


@dataclass
class SwarmHost(Host):
    """One that may hold the lead, or items alone."""

    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def delegating(self, spec: TaskSpec, **files: str) -> tuple[Workspace, SubAgent]:
        """The lead's workspace with work in it, and what its items start from."""
        lead = await self.prepare(spec, 1)
        await self.began()
        self.edit(**files)
        digest = await self.workspaces.checkpoint(lead, STEP, LEAD)
        folder = self.workspaces.open(lead)
        sub_agent = SubAgent(
            session=TASK_ID,
            swarm=SWARM,
            item="one",
            base_step=STEP,
            base_agent=LEAD,
            base_tree=digest.tree_hash,
            root=lead.root,
            home=str(folder.home),
            write_scope=("*",),
        )
        seed = spec.model_copy(update={"id": ids.seed_id(SWARM), "sub_agent": sub_agent})
        await self.store.create(ids.task_key(seed.id), seed.model_dump_json().encode())
        return lead, sub_agent

    async def began(self) -> None:
        """The lead's conversation begins, by which its steps are found."""
        await Transcripts(self.store).put_base(LEAD, 1, EpochBase(first_step=1, system="", tools=(), messages=()))

    async def item(self, spec: TaskSpec, sub_agent: SubAgent, name: str, generation: int = 1) -> Workspace:
        """The workspace of an item."""
        update = {"id": ids.item_task_id(SWARM, name), "sub_agent": sub_agent.model_copy(update={"item": name})}
        return await self.workspaces.prepare(spec.model_copy(update=update), generation)

    async def says(self, workspace: Workspace, command: str) -> str:
        """What a command prints that succeeds in a workspace."""
        key = f"{workspace.workspace_id}/test/{next(self.numbers)}"
        await self.runner.start(key, self.workspaces.shell(workspace, command))
        state = await self.runner.wait(key, 60)
        output = await asyncio.to_thread(self.runner.output, key)
        assert isinstance(state, Finished), state
        assert state.exit_code == 0, output.text
        return output.text.strip()

    def tree_of(self, name: str) -> Path:
        """Where an item's files are on this host."""
        return self.folder / "workspaces" / ids.item_task_id(SWARM, name) / "tree"


def repository(folder: Path, **files: str) -> Path:
    """A user's repository with one commit."""
    folder.mkdir()
    for name, text in {
        ".gitignore": "build/\n*.egg-info/\n__pycache__/\n",
        "app.py": "print('one')\n",
        **files,
    }.items():
        (folder / name).write_text(text)
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "first")):
        identity = ("-c", "user.name=U", "-c", "user.email=u@example.org")
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
    return folder


__all__ = ["LEAD", "STEP", "SWARM", "SwarmHost", "repository", "task"]
