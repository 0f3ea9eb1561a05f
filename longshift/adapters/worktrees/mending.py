"""What a sub-agent that mends a merge starts from: the merge as files, its record, and its task, all in the store.

Words, proof and write scope are made in `policy.mending`; that it is needed is decided in `policy.reconcile`.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from longshift.adapters.store import read_plan, read_task
from longshift.adapters.workspace.git import LONG_TIMEOUT_SECONDS
from longshift.adapters.workspace.names import readable
from longshift.adapters.workspace.repository import Repository
from longshift.adapters.worktrees import history
from longshift.adapters.worktrees.merging import Integrating, Work
from longshift.adapters.worktrees.three_way import Merged, Sides, merge_trees
from longshift.contracts import ids
from longshift.contracts.conflict import Conflict
from longshift.contracts.swarm_activities import Merge, OpenResolverInput
from longshift.contracts.swarm_plan import SwarmItem
from longshift.contracts.task import TaskSpec
from longshift.policy import mending
from longshift.policy.item_task import resolver_task
from longshift.policy.mending import Clash, Side
from longshift.policy.merge_message import ITEM_TRAILER, short_name

PATCH_READ_BYTES = 200_000
_COMMIT, _FILES = "\x01", "\x02"


@dataclass(frozen=True)
class Mender:
    """Opens resolvers of one swarm."""

    integrating: Integrating

    async def opened(self, request: OpenResolverInput) -> TaskSpec:
        """Write what the resolver starts from, its task last; where that is written, nothing is changed.

        Raises: WorkspaceFailed, DiskFull, StoreMissing, StoreUnavailable.
        """
        store, swarm = self.integrating.store, request.swarm
        resolver = ids.resolver_item(request.item, request.number)
        key = ids.task_key(ids.item_task_id(swarm, resolver))
        body = await store.find(key)
        if body is None:
            task = await self._made(request, resolver)
            baseline = await store.find(ids.baseline_key(request.task_id))
            if baseline is not None:
                await store.create(ids.baseline_key(task.id), baseline)
            body = await store.create(key, orjson.dumps(task.model_dump(mode="json")))
            await store.settled()
        return TaskSpec.model_validate_json(body)

    async def _made(self, request: OpenResolverInput, resolver: str) -> TaskSpec:
        store, swarm = self.integrating.store, request.swarm
        plan = await read_plan(store, swarm, request.plan_hash)
        items = {item.id: item for item in plan.items}
        merge = Merge(item=request.item, attempt=request.attempt, by=request.by)
        async with self.integrating.shadow.held() as git:
            clash = await self._clash(git, request, merge, items)
        own, whole = await self.integrating.task(request.item), await self.integrating.task(ids.INTEGRATION)
        session = await read_task(store, request.task_id)
        scope = own.sub_agent.write_scope if own.sub_agent is not None else None
        others = [items[each.item].write_scope for each in clash.others if each.item in items]
        assert own.sub_agent is not None
        sub_agent = own.sub_agent.model_copy(
            update={
                "item": resolver,
                "integration": request.onto,
                "conflict": ids.conflict_key(swarm, request.item, request.number),
            }
        )
        marks = mending.marks_check(clash)
        return resolver_task(
            session,
            sub_agent,
            title=mending.title(clash),
            instructions=mending.instructions(clash),
            checks=(*((marks,) if marks else ()), *own.checks, *whole.checks),
            write_scope=mending.write_scope(scope or (), others, clash.beside),
            model=own.model or "",
        )

    async def _clash(
        self, git: Repository, request: OpenResolverInput, merge: Merge, items: dict[str, SwarmItem]
    ) -> Clash:
        """Make the merge, and keep it as a bundle with its record."""
        store, swarm = self.integrating.store, request.swarm
        onto = await self.integrating.state(git, request.onto)
        ours = await history.tree_of(git, onto)
        work = await self.integrating.work(git, merge, onto)
        base_tree = await history.tree_of(git, work.base) if work.commit else ""
        merged = Merged(ours)
        if work.commit:
            merged = await merge_trees(git, base_tree, ours, work.tree)
        merged, beside = await _with_versions_beside(git, merged, ours, work)
        key = ""
        if merged.tree != ours:
            key = ids.conflict_bundle_key(swarm, request.item, request.number)
            commit = await history.committed(git, merged.tree, (onto,), f"the merge of {request.item}, to be mended")
            await store.create(key, await history.bundled(git, commit, onto, ref=history.WORK_REF), in_memory=False)
        files = tuple(readable(name) for name in merged.conflicts if name not in beside)
        record = Conflict(onto=request.onto, bundle_key=key, files=files)
        place = ids.conflict_key(swarm, request.item, request.number)
        await store.create(place, orjson.dumps(record.model_dump(mode="json")))
        touching = await _merged_since(git, work.base, onto, merged.conflicts) if work.commit else []
        names = list(dict.fromkeys((*request.others, *touching)))
        shown = [name for name in merged.conflicts if name not in beside]
        return Clash(
            swarm=short_name(swarm),
            item=Side(request.item, items[request.item].goal if request.item in items else ""),
            others=tuple(Side(name, items[name].goal) for name in names if name in items and name != request.item),
            files=files,
            words=merged.words,
            beside=tuple(readable(name) for name in beside),
            patch=await _patch(git, base_tree, work.tree, shown) if work.commit else "",
            others_patch=await _patch(git, base_tree, ours, shown) if work.commit and shown else "",
            evidence=request.evidence,
        )


async def _with_versions_beside(
    git: Repository, merged: Merged, ours: str, work: Work
) -> tuple[Merged, tuple[str, ...]]:
    """Put the other version of a file that has no lines beside it; gives those files, and what git has put there."""
    if not merged.conflicts:
        return merged, ()
    theirs = await _entries(git, work.tree)
    rows = [
        f"{theirs[path]}\t{path}~{Sides().theirs}\0"
        for path in merged.binaries
        if path in theirs and f"{path}~{Sides().theirs}" not in theirs
    ]
    if rows:
        index = {"GIT_INDEX_FILE": os.fspath(git.git_dir / "mending.index")}
        await git("read-tree", merged.tree, environment=index)
        lines = "".join(rows).encode("utf-8", "surrogateescape")
        await git("update-index", "-z", "--add", "--index-info", stdin=lines, environment=index)
        merged = replace(merged, tree=(await git("write-tree", environment=index)).text)
    known = theirs.keys() | (await _entries(git, ours)).keys()
    made = (await _entries(git, merged.tree)).keys() - known
    return merged, tuple(sorted(path for path in made if "~" in path.rpartition("/")[2]))


async def _entries(git: Repository, tree: str) -> dict[str, str]:
    """Path → mode and object, as `update-index --index-info` takes them."""
    rows = (await git("ls-tree", "-r", "-z", "--full-tree", tree, timeout_seconds=LONG_TIMEOUT_SECONDS)).names
    split = (row.split("\t", 1) for row in rows)
    return {path: f"{head.split()[0]} {head.split()[2]}" for head, path in split}


async def _merged_since(git: Repository, base: str, onto: str, files: Sequence[str]) -> list[str]:
    """The items that were merged after `base`, and touched one of `files`; without files, all of them."""
    form = f"--format={_COMMIT}%(trailers:key={ITEM_TRAILER},valueonly,separator=%x20){_FILES}"
    command = ("log", "--first-parent", "-m", "--reverse", "-z", "--name-only", "--no-renames", form, f"{base}..{onto}")
    listed = (await git(*command, timeout_seconds=LONG_TIMEOUT_SECONDS)).stdout.decode("utf-8", "surrogateescape")
    found: list[str] = []
    for entry in listed.split(_COMMIT)[1:]:
        item, _, rest = entry.partition(_FILES)
        names = {name.strip("\n") for name in rest.split("\0")}
        if item.strip() and (not files or names & set(files)):
            found.append(item.strip())
    return found


async def _patch(git: Repository, since_tree: str, to_tree: str, files: Sequence[str]) -> str:
    paths = ("--", *(f":(literal,top){name}" for name in files)) if files else ()
    rest = ("--no-ext-diff", "--no-textconv", "--no-color", since_tree, to_tree, *paths)
    body = (await git("diff-tree", "-r", "-p", "-M", *rest, timeout_seconds=LONG_TIMEOUT_SECONDS)).stdout
    return body[:PATCH_READ_BYTES].decode("utf-8", "replace")
