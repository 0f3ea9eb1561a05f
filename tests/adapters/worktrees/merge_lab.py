"""A lead's files, an integration beside them, and items whose work is sealed: everything that merging needs."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from obstore.store import MemoryStore

from longshift.adapters.store import Store
from longshift.adapters.workspace.git_places import GitPlaces
from longshift.adapters.workspace.shadow import Shadow
from longshift.adapters.worktrees import history
from longshift.adapters.worktrees.merging import Integrating
from longshift.contracts import ids
from longshift.contracts.sub_agent import SubAgent
from longshift.contracts.swarm import ItemReport
from longshift.contracts.swarm_activities import Merge, MergeDigest
from longshift.contracts.swarm_plan import SwarmItem, SwarmPlan
from longshift.contracts.task import Check, TaskSpec

SWARM = "mend.swarm1"
PLAN_HASH = "0123456789abcdef"
WHOLE = (Check(name="whole", run="test -e a.py"),)
ENDED_AT = 1_750_000_000.0
Content = str | bytes | Path | None
"""Text or bytes of a file, the target of a link, or None: it is removed."""


def write(tree: Path, changes: Mapping[str, Content]) -> None:
    """Change the files below `tree`; a name that ends with `*` is made executable."""
    for name, content in changes.items():
        path = tree / name.removesuffix("*")
        if os.path.lexists(path) and (content is None or path.is_symlink() or isinstance(content, Path)):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if content is None:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            path.symlink_to(content)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        if name.endswith("*"):
            path.chmod(0o755)


def read(tree: Path) -> dict[str, Content]:
    """All files below `tree`, as `write` takes them."""
    found: dict[str, Content] = {}
    for path in sorted(tree.rglob("*")):
        name = str(path.relative_to(tree))
        if name.split("/")[0] == ".git":
            continue
        if path.is_symlink():
            found[name] = Path(os.readlink(path))
        elif path.is_file():
            body = path.read_bytes()
            name += "*" if path.stat().st_mode & 0o100 else ""
            found[name] = body if b"\0" in body else body.decode()
    return found


@dataclass
class Lab:
    """One swarm in a folder."""

    folder: Path
    places: GitPlaces
    store: Store = field(default_factory=lambda: Store(MemoryStore()))
    base_tree: str = ""
    items: list[SwarmItem] = field(default_factory=list[SwarmItem])
    number: int = 0

    async def begin(self, files: Mapping[str, Content], *, is_there: bool = False) -> None:
        """The lead's files as they are when it delegates; `is_there`: they are made already."""
        self.tree("lead").mkdir(parents=True, exist_ok=is_there)
        write(self.tree("lead"), files)
        shadow = self.shadow("lead")
        await shadow.create()
        self.base_tree = (await shadow.record_base()).tree
        async with shadow.held() as git:
            await history.base_commit(git, self.base_tree)
        shutil.copytree(self.folder / "lead", self.folder / "integration", symlinks=True)

    def tree(self, name: str) -> Path:
        return self.folder / name / "tree"

    def shadow(self, name: str) -> Shadow:
        return Shadow(self.folder / name / "shadow.git", self.tree(name), run=self.places.inside(self.folder / name))

    def integrating(self, name: str = "integration") -> Integrating:
        return Integrating(self.store, self.shadow(name), SWARM, self.base_tree)

    async def lose_integration(self) -> None:
        """Its host is gone; another one makes it anew from the lead's files as they were."""
        await self.places.close(self.folder / "integration")
        shutil.rmtree(self.folder / "integration")
        (self.folder / "integration" / "tree").mkdir(parents=True)
        shutil.copytree(self.folder / "lead" / "shadow.git", self.folder / "integration" / "shadow.git")

    async def seal(
        self,
        item: str,
        changes: Mapping[str, Content],
        *,
        scope: tuple[str, ...] = ("**",),
        base: int = 0,
        by: str = "",
        goal: str = "",
        attempt: int = 1,
        has_task: bool = False,
    ) -> Merge:
        """An item, or a resolver `by` name, changes files, and its work is put into the store."""
        whose = by or item
        folder = self.folder / whose
        shutil.copytree(self.folder / "integration", folder, symlinks=True)
        shadow = self.shadow(whose)
        integrating = Integrating(self.store, shadow, SWARM, self.base_tree)
        async with shadow.held() as git:
            commit = await integrating.state(git, base)
            tree = await history.tree_of(git, commit)
        await shadow.restore(tree)
        write(shadow.tree, changes)
        snapshot = await shadow.tree_hash()
        names = tuple(name.removesuffix("*") for name in changes)
        if snapshot != tree:
            async with shadow.held() as git:
                bundle = await history.seal_bundle(git, commit, snapshot, f"{whose}", seconds=int(ENDED_AT))
            await self.store.create(ids.item_changes_key(SWARM, whose, attempt), bundle)
        task_id = ids.item_task_id(SWARM, whose)
        report = ItemReport(
            item=whose,
            goal=goal or f"Mend {item}\nin all places",
            summary=f"I mended {item}.",
            files=names if snapshot != tree else (),
            ended_at=ENDED_AT,
            agent=ids.agent_id(task_id),
            attempt=attempt,
        )
        await self._put(ids.item_report_key(SWARM, whose, attempt), report.model_dump(mode="json"))
        if not has_task:
            await self._put(ids.task_key(task_id), self.task_of(item, whose, scope).model_dump(mode="json"))
        if not by:
            self.items.append(SwarmItem(id=item, goal=goal or f"Mend {item}\nin all places", write_scope=scope))
        await self.places.close(folder)
        return Merge(item=item, by=by, attempt=attempt)

    def task_of(self, item: str, whose: str, scope: tuple[str, ...]) -> TaskSpec:
        sub_agent = SubAgent(
            session="mend",
            swarm=SWARM,
            item=whose,
            base_step=3,
            base_agent="mend/lead",
            base_tree=self.base_tree,
            write_scope=scope,
        )
        return TaskSpec(
            id=ids.item_task_id(SWARM, whose),
            title=f"Mend {item}",
            instructions=f"Mend {item}",
            checks=(Check(name="own", run="true"),),
            sub_agent=sub_agent,
        )

    async def merge(self, *merges: Merge, onto: int = 0) -> MergeDigest:
        """Merge into the integration."""
        self.number += 1
        return await self.integrating().merged(onto, merges, self.number)

    def plan(self) -> SwarmPlan:
        return SwarmPlan(goal="Mend all of it", items=tuple(self.items))

    async def put_tasks(self) -> None:
        """The plan, and the tasks of the session and the integration."""
        await self._put(ids.plan_key(SWARM, PLAN_HASH), self.plan().model_dump(mode="json"))
        session = TaskSpec(id="mend", title="Mend", instructions="Mend all", checks=WHOLE)
        await self._put(ids.task_key("mend"), session.model_dump(mode="json"))
        task = self.task_of(ids.INTEGRATION, ids.INTEGRATION, ()).model_copy(update={"checks": WHOLE})
        await self._put(ids.task_key(task.id), task.model_dump(mode="json"))

    async def _put(self, key: str, value: object) -> None:
        await self.store.create(key, orjson.dumps(value))
