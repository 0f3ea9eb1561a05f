"""The integration of one swarm: sealed work is merged, proved, mended, as `policy.reconcile` says.

A part of the swarm's workflow. It works on the lead's host, from the store alone: where that host is lost, the same
calls make the integration again on the next one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

from longshift.contracts import ids
from longshift.contracts.activities import RunChecksInput, WorkspaceActivities
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.reconciling import Mending, Reconciling
from longshift.contracts.swarm import ItemEnd, ItemStatus
from longshift.contracts.swarm_activities import Merge, MergeActivities, MergeDigest, MergeInput, OpenResolverInput
from longshift.contracts.swarm_plan import ItemRow
from longshift.contracts.workspace import Workspace
from longshift.policy import reconcile
from longshift.policy.reconcile import CheckBatch, MergeBatch, Outcome
from workflows import options
from workflows.failures import in_words
from workflows.host_calls import Held, HostLost, on_host

RETRY_SECONDS = 600
"""After a call that failed for good, it is made again; or earlier, when somebody says that its cause is mended."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Integrated:
    """Which swarm's integration it is."""

    swarm: str
    session: str
    """The task id."""
    plan_hash: str
    rows: tuple[ItemRow, ...]


@dataclass(frozen=True)
class _Place:
    """Where the integration is."""

    lead: Workspace
    """The lead's workspace that it lies beside."""
    own: Workspace
    at: int
    """The state that its files are in."""


class _Closed(Exception):
    """Nothing more is begun."""


class Integration:
    """Merges what is sealed until it is closed; `state` is what a later run goes on from."""

    def __init__(
        self,
        state: Reconciling,
        of: Integrated,
        *,
        held: Held,
        resolve: Callable[[str, int], Awaitable[ItemEnd]],
        settled: Callable[[str, ItemStatus, str], None],
    ) -> None:
        """`held` gives the lead's workspace, if a host holds it. `resolve` waits for the `number`th resolver of an
        item, whose task is written: a later run asks for it again, so it must start none that was started.

        `settled` hears what became of items: merged, or dropped with a reason.
        """
        self.state = state
        self.trouble = ""
        """Why nothing goes on, in words; empty: it does."""
        self._of = of
        self._held = held
        self._resolve = resolve
        self._settled = settled
        self._is_closed = False
        self._is_due = True
        self._is_woken = False
        self._calls = 0
        self._place: _Place | None = None
        self._bug: BaseException | None = None
        self._menders: dict[str, asyncio.Task[None]] = {}

    @property
    def merged_number(self) -> int:
        """The newest integrated state that is green: what items begin from; 0: the lead's files."""
        return self.state.integrated

    @property
    def is_quiet(self) -> bool:
        """Whether no activity of it is in flight, so that the swarm may continue as new once it is closed."""
        return not self._calls

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing to do before the next item is sealed."""
        return self.state.is_idle

    def sealed(self, end: ItemEnd) -> None:
        """An item's work is in the store."""
        self._take(reconcile.sealed(self.state, Merge(item=end.item, attempt=end.attempt)))

    def dropped(self, item: str) -> None:
        """Nothing of an item is to be merged: it failed, or somebody took it out. What is merged stays."""
        self._take(reconcile.drop(self.state, item))

    def wake(self) -> None:
        """Somebody says that what failed is mended."""
        self._is_woken = True

    def close(self) -> None:
        """Begin nothing more; `work` ends with what is on its way. Resolvers go on."""
        self._is_closed = True

    async def work(self) -> None:
        """Merge until it is closed, and an activity that is on its way has ended."""
        try:
            with suppress(_Closed):
                while not self._is_closed:
                    if self._bug is not None:
                        raise self._bug
                    self._is_due = False
                    self._mend()
                    state, action = reconcile.next_action(self.state, self._of.rows)
                    self.state = state
                    if isinstance(action, MergeBatch):
                        digest = await self._merged(action.onto, action.merges, action.number)
                        self._hear(reconcile.after_merge(self.state, digest, self._of.rows))
                    elif isinstance(action, CheckBatch):
                        checks = await self._checked(action)
                        self._hear(reconcile.after_checks(self.state, checks))
                    else:
                        await workflow.wait_condition(lambda: self._is_due or self._is_closed)
            await workflow.wait_condition(lambda: self.is_quiet)
        finally:
            for task in self._menders.values():
                task.cancel()

    async def _merged(self, onto: int, merges: tuple[Merge, ...], number: int) -> MergeDigest:
        of, on = self._of, list[Workspace]()
        self._place = None

        def start(workspace: Workspace) -> workflow.ActivityHandle[MergeDigest]:
            on.append(workspace)
            request = MergeInput(
                workspace=workspace,
                task_id=of.session,
                swarm=of.swarm,
                onto=onto,
                merges=merges,
                number=number,
                writes_files=self.state.has_checks,
            )
            return workflow.start_activity_method(
                MergeActivities.merge_items,
                request,
                summary=_of_merge(merges, onto),
                **options.integration(workspace.host_queue),
            )

        digest = await self._patiently(lambda: on_host(self._held, start))
        if digest.workspace is not None:
            self._place = _Place(lead=on[-1], own=digest.workspace, at=digest.number)
        return digest

    async def _checked(self, action: CheckBatch) -> ChecksDigest:
        if not self.state.has_checks:
            return ChecksDigest(passed=True)
        return await self._patiently(lambda: self._checked_once(action))

    async def _checked_once(self, action: CheckBatch) -> ChecksDigest:
        if self._place is None or self._place.at != action.number:
            await self._merged(action.number, (), action.number)
        place = self._place
        assert place is not None
        task = ids.integration_id(self._of.swarm)
        request = RunChecksInput(workspace=place.own, task_id=task, agent=ids.agent_id(task), step=action.step)
        try:
            return await on_host(
                self._held,
                lambda now: workflow.start_activity_method(
                    WorkspaceActivities.run_checks,
                    request,
                    summary=f"checks of state {action.number}",
                    **options.run_checks(now.host_queue),
                ),
                since=place.lead,
            )
        except HostLost:
            self._place = None
            raise

    def _mend(self) -> None:
        """See that every item that is mended has somebody who waits for it."""
        for each in self.state.mending:
            if not each.is_done and each.merge.item not in self._menders:
                self._menders[each.merge.item] = asyncio.ensure_future(self._mended(each))

    async def _mended(self, mending: Mending) -> None:
        item = mending.merge.item
        try:
            if not mending.is_open:
                await self._opened(mending)
                self.state = reconcile.after_opening(self.state, item)
            end = await self._resolve(item, mending.number)
            del self._menders[item]
            self._hear(reconcile.after_resolver(self.state, item, end))
        except _Closed:
            pass
        except BaseException as error:  # not caught: `work` raises it, as nobody waits for this task
            self._bug, self._is_due = error, True
            raise

    async def _opened(self, mending: Mending) -> None:
        merge, of = mending.merge, self._of

        def start(workspace: Workspace) -> workflow.ActivityHandle[None]:
            request = OpenResolverInput(
                workspace=workspace,
                task_id=of.session,
                swarm=of.swarm,
                plan_hash=of.plan_hash,
                onto=mending.onto,
                item=merge.item,
                attempt=merge.attempt,
                by=merge.by,
                number=mending.number,
                red_checks_step=mending.red_checks_step,
                evidence=mending.evidence,
            )
            return workflow.start_activity_method(
                MergeActivities.open_resolver,
                request,
                summary=f"{merge.item}: both sides for whoever mends it"[:200],
                **options.integration(workspace.host_queue),
            )

        await self._patiently(lambda: on_host(self._held, start))

    async def _patiently(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Make a call until it succeeds: on the next host where one is lost, later where it failed for good."""
        while True:
            await workflow.wait_condition(lambda: self._held() is not None or self._is_closed)
            if self._is_closed:
                raise _Closed
            self._calls += 1
            try:
                return await call()
            except HostLost:
                continue
            except ActivityError as error:
                self.trouble = f"merging: {in_words(error)}"
            finally:
                self._calls -= 1
            self._is_woken = False
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._is_woken or self._is_closed, timeout=timedelta(seconds=RETRY_SECONDS)
                )
            self.trouble = ""

    def _hear(self, outcome: Outcome) -> None:
        state, settled = outcome
        self._take(state)
        for each in settled:
            self._settled(each.item, each.status, each.reason)

    def _take(self, state: Reconciling) -> None:
        self.state = state
        self._is_due = True


def _of_merge(merges: tuple[Merge, ...], onto: int) -> str:
    """A merge in a line for people."""
    if not merges:
        return f"state {onto} again"
    names = ", ".join(each.item for each in merges[:3])
    more = f" and {len(merges) - 3} more" if len(merges) > 3 else ""
    return f"merge {names}{more} onto state {onto}"[:200]
