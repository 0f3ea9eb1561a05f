"""The integration of a swarm in a repository: sealed work becomes commits on top of the lead's base, in order.

State 0 is the base; each other one has its number, a ref here and a bundle in the store, so that a repository that is
lost is made again from there. Equal calls make equal commits. What to merge is decided in `policy.reconcile`, what
becomes of a conflict is in `mending`.
"""

import asyncio
import os
from dataclasses import dataclass, field

import orjson
from pathspec import GitIgnoreSpec

from longshift.adapters.store import Store, read_task
from longshift.adapters.workspace.bundles import known_checks
from longshift.adapters.workspace.change_bundle import changes_of
from longshift.adapters.workspace.git import LONG_TIMEOUT_SECONDS
from longshift.adapters.workspace.names import readable
from longshift.adapters.workspace.repository import Repository
from longshift.adapters.workspace.shadow import Shadow
from longshift.adapters.worktrees import history
from longshift.adapters.worktrees.history import UnfitBundle
from longshift.adapters.worktrees.three_way import Merged, merge_commits
from longshift.contracts import ids
from longshift.contracts.errors import WorkspaceFailed
from longshift.contracts.swarm import ItemReport
from longshift.contracts.swarm_activities import Merge, MergeDigest
from longshift.contracts.task import TaskSpec
from longshift.policy.merge_message import merge_message, short_name

STATES = "refs/integrated"
FILES_SHOWN = 20
_SHOW_CHANGES = (*["diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--always"], "--format=%T %P")
"""Of a commit with one parent: its tree, the parent, and what it changes."""


@dataclass(frozen=True)
class Work:
    """The sealed work of an item, or of a resolver, in the repository."""

    commit: str
    """Empty: it changed nothing."""
    tree: str = ""
    base: str = ""
    """The commit that it was begun on."""


@dataclass(frozen=True)
class Integrating:
    """The merges of one swarm, in the repository of `shadow`: the integration's, or the lead's own."""

    store: Store
    shadow: Shadow
    swarm: str
    base_tree: str
    bases: set[str] = field(default_factory=set[str])
    """Commits that are known to lie before all states that this value has to do with."""
    lenient: list[str] = field(default_factory=list[str])
    """What git need not check in bundles, as far as it knows of it."""
    states: dict[int, str] = field(default_factory=dict[int, str])
    """The commits of integrated states that this value has seen or made in the repository."""

    async def merged(
        self, onto: int, merges: tuple[Merge, ...], number: int, *, writes_files: bool = True
    ) -> MergeDigest:
        """Merge in order, up to the first work that does not fit; the files become those of the state it comes to.

        Not without `writes_files`: the history is all that the next merge needs.

        Called again with the same arguments it does the same again, or finds that it is done.

        Raises: WorkspaceFailed, DiskFull, StoreUnavailable.
        """
        digest = await self._recorded(onto, merges, number)
        if not writes_files:
            return digest
        async with self.shadow.held() as git:
            tree = await history.tree_of(git, await self.state(git, digest.number))
        await self.shadow.restore(tree)
        return digest.model_copy(update={"tree": tree})

    async def _recorded(self, onto: int, merges: tuple[Merge, ...], number: int) -> MergeDigest:
        if not merges:
            return MergeDigest(number=onto)
        key = ids.merge_key(self.swarm, number)
        body = await self.store.find(key)
        if body is None:
            async with self.shadow.held() as git:
                digest = await self._merged(git, onto, merges, number)
            body = await self.store.create(key, orjson.dumps(digest.model_dump(mode="json")))
            await self.store.settled()
        return MergeDigest.model_validate_json(body)

    async def _merged(self, git: Repository, onto: int, merges: tuple[Merge, ...], number: int) -> MergeDigest:
        start = tip = await self.state(git, onto)
        merged: list[str] = []
        stopped = MergeDigest(number=onto)
        for merge in merges:
            try:
                work = await self.work(git, merge, tip)
            except UnfitBundle as error:
                stopped = MergeDigest(number=onto, conflict=merge.item, failure=str(error)[:1_000])
                break
            result = None
            if work.commit:
                is_on_top = work.base == tip
                result = Merged(work.tree) if is_on_top else await merge_commits(git, tip, work.commit)
            if result is not None and result.conflicts:
                files = tuple(readable(name) for name in result.conflicts[:FILES_SHOWN])
                stopped = MergeDigest(number=onto, conflict=merge.item, conflict_files=files)
                break
            if result is not None:
                tip = await self._committed(git, merge, result.tree, (tip, work.commit))
            merged.append(merge.item)
        if tip != start:
            bundle = await history.bundled(git, tip, await self.state(git, 0))
            await self.store.create(ids.integration_key(self.swarm, number), bundle, in_memory=False)
            await self._keep(git, number, tip)
        return stopped.model_copy(update={"number": onto if tip == start else number, "merged": tuple(merged)})

    async def state(self, git: Repository, number: int) -> str:
        """The commit of an integrated state; it is fetched where the repository does not have it.

        Raises: WorkspaceFailed, StoreMissing, StoreUnavailable.
        """
        if number not in self.states:
            await self._look_up(git, number)
        if number not in self.states:
            body = await self.store.get(ids.integration_key(self.swarm, number))
            await self._keep(git, number, await history.fetched(git, body, history.INTEGRATED_REF))
        return self.states[number]

    async def _look_up(self, git: Repository, number: int) -> None:
        """Find a state and the base in the repository; a base that is not there is made."""
        names = {self._ref(each): each for each in (0, number)}
        rows = (await git("for-each-ref", "--format=%(refname) %(objectname)", *names)).text.splitlines()
        self.states.update({names[name]: commit for name, commit in (row.split() for row in rows)})
        if 0 not in self.states:
            await self._keep(git, 0, await history.base_commit(git, self.base_tree))
        self.bases.add(self.states[0])

    async def _keep(self, git: Repository, number: int, commit: str) -> None:
        await git("update-ref", self._ref(number), commit)
        self.states[number] = commit

    def _ref(self, number: int) -> str:
        """The lead's own repository has the states of all its swarms."""
        return f"{STATES}/{short_name(self.swarm)}/{number}"

    async def take_over(self, other: "Integrating", number: int) -> None:
        """Fetch a state with all that it builds on, the base included, from another repository of this host.

        Raises: WorkspaceFailed, DiskFull, StoreMissing, StoreUnavailable.
        """
        async with other.shadow.held() as git:
            await git("update-ref", history.INTEGRATED_REF, await other.state(git, number))
            command = ("bundle", "create", "--quiet", "-", history.INTEGRATED_REF)
            bundle = (await git(*command, timeout_seconds=LONG_TIMEOUT_SECONDS)).stdout
        async with self.shadow.held() as git:
            commit = await history.fetched(git, bundle, history.INTEGRATED_REF)
            await self._keep(git, number, commit)

    async def has_base(self) -> bool:
        """Whether the repository has the files that the swarm began with."""
        async with self.shadow.held() as git:
            return (await git("cat-file", "-e", f"{self.base_tree}^{{tree}}", check=False)).exit_code == 0

    async def work(self, git: Repository, merge: Merge, onto: str) -> Work:
        """Take in sealed work that may be merged on the commit `onto`.

        Raises:
            UnfitBundle: it is not in the store, damaged, begun on something else, or outside of its write scope.
        """
        whose = merge.by or merge.item
        body = await self.store.find(ids.item_changes_key(self.swarm, whose, merge.attempt), in_memory=False)
        if body is None:
            report = await self.report(merge)
            if report is None or report.files:
                raise UnfitBundle("its sealed work is not in the store")
            return Work("")
        if not self.lenient:
            self.lenient[:] = await known_checks(git)
        commit = await history.received(git, body, lenient=self.lenient, known=self.bases)
        shown = await git(*_SHOW_CHANGES, commit, check=False, timeout_seconds=LONG_TIMEOUT_SECONDS)
        if shown.timed_out or shown.is_cut:
            raise shown.failure()
        head, _, changes = shown.stdout.partition(b"\0")
        tree, *parents = head.decode("ascii", "replace").split() if shown.exit_code == 0 else [""]
        if len(parents) != 1 or not await self._is_before(git, parents[0], onto):
            raise UnfitBundle("its work was not begun on a state of this swarm")
        await self._refuse_unfit(changes, whose)
        return Work(commit, tree, parents[0])

    async def _is_before(self, git: Repository, commit: str, onto: str) -> bool:
        if commit not in self.bases:
            before = await git("merge-base", "--is-ancestor", commit, onto, check=False)
            if before.exit_code != 0:
                return False
            self.bases.add(commit)
        return True

    async def report(self, merge: Merge) -> ItemReport | None:
        """The report that goes with sealed work."""
        body = await self.store.find(ids.item_report_key(self.swarm, merge.by or merge.item, merge.attempt))
        return ItemReport.model_validate_json(body) if body is not None else None

    async def task(self, item: str) -> TaskSpec:
        """The task of an item or a resolver.

        Raises: StoreMissing, StoreUnavailable.
        """
        return await read_task(self.store, ids.item_task_id(self.swarm, item))

    async def _refuse_unfit(self, listed: bytes, whose: str) -> None:
        """Look at all that the work changes, as `git diff-tree -r -z --raw` lists it."""
        sub_agent = (await self.task(whose)).sub_agent
        if sub_agent is None or sub_agent.write_scope is None:
            raise UnfitBundle(f"the task of {whose} does not say where it may write")
        try:
            changes = changes_of(listed)
        except WorkspaceFailed as error:
            raise UnfitBundle(str(error)) from error
        for change in changes:
            if not change.is_deleted:
                history.refuse_entry(change.mode, os.fsdecode(change.path))
        spec, names = GitIgnoreSpec.from_lines(sub_agent.write_scope), [os.fsdecode(each.path) for each in changes]
        outside = await asyncio.to_thread(lambda: [name for name in names if not spec.match_file(name)])
        if outside:
            shown = ", ".join(readable(name) for name in outside[:5])
            raise UnfitBundle(f"it changes {len(outside)} files outside of its write scope: {shown}")

    async def _committed(self, git: Repository, merge: Merge, tree: str, parents: tuple[str, str]) -> str:
        report = await self.report(merge)
        goal = (await self.task(merge.item)).title if merge.by or report is None else report.goal
        message = merge_message(self.swarm, merge, goal, report)
        seconds = int(report.ended_at) if report is not None else 0
        return await history.committed(git, tree, parents, message, seconds=seconds)
