"""A workflow that has an integration and nothing else, and activities that merge and check in memory."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from temporalio import activity, workflow

from longshift.contracts import ids
from longshift.contracts.activities import RunChecksInput
from longshift.contracts.checks import CheckResult, ChecksDigest
from longshift.contracts.errors import WorkspaceFailed
from longshift.contracts.reconciling import Reconciling
from longshift.contracts.swarm import ItemEnd, ItemFailure, ItemStatus
from longshift.contracts.swarm_activities import Merge, MergeDigest, MergeInput, OpenResolverInput
from longshift.contracts.swarm_plan import ItemRow
from longshift.contracts.wire import Wire
from longshift.contracts.workspace import Workspace
from workflows.integration import Integrated, Integration

SWARM = "mend.swarm1"


class RigInput(Wire):
    """What the workflow begins with, and goes on with."""

    rows: tuple[ItemRow, ...]
    state: Reconciling = Reconciling()
    workspace: Workspace | None = None
    heard: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    """Resolvers that somebody waited for, in order."""


@workflow.defn(name="IntegrationRig")
class IntegrationRig:
    """Seals, drops and mends as it is told by signals."""

    @workflow.init
    def __init__(self, request: RigInput) -> None:
        self._held = request.workspace
        self._ends: dict[str, ItemEnd] = {}
        self._heard = list(request.heard)
        self._asked = list(request.asked)
        self._is_over = self._is_continued = False
        of = Integrated(swarm=SWARM, session="mend", plan_hash="h", rows=request.rows)
        self._rows = request.rows
        self._integration = Integration(
            request.state, of, held=lambda: self._held, resolve=self._resolve, settled=self._settled
        )

    @workflow.run
    async def run(self, request: RigInput) -> tuple[str, ...]:
        """Until it is told to end; then what became of the items."""
        work = asyncio.create_task(self._integration.work())
        await workflow.wait_condition(lambda: self._is_over or self._is_continued or work.done())
        self._integration.close()
        await work
        if self._is_continued:
            workflow.continue_as_new(
                request.model_copy(
                    update={
                        "state": self._integration.state,
                        "workspace": self._held,
                        "heard": tuple(self._heard),
                        "asked": tuple(self._asked),
                    }
                )
            )
        return tuple(self._heard)

    async def _resolve(self, item: str, number: int) -> ItemEnd:
        name = ids.resolver_item(item, number)
        self._asked.append(name)
        await workflow.wait_condition(lambda: name in self._ends)
        return self._ends[name]

    def _settled(self, item: str, status: ItemStatus, reason: str) -> None:
        self._heard.append(f"{item} {status.value} {reason}".strip())

    @workflow.signal
    async def seal(self, items: list[str]) -> None:
        """These are sealed."""
        for item in items:
            self._integration.sealed(ItemEnd(item=item))

    @workflow.signal
    async def drop(self, item: str) -> None:
        """This one is not wanted any more."""
        self._integration.dropped(item)

    @workflow.signal
    async def mended(self, end: ItemEnd) -> None:
        """A resolver has ended."""
        self._ends[end.item] = end

    @workflow.signal
    async def move(self, workspace: Workspace | None) -> None:
        """The lead's workspace is here now, or nowhere."""
        self._held = workspace

    @workflow.signal
    async def wake(self) -> None:
        """What failed is mended."""
        self._integration.wake()

    @workflow.signal
    async def end(self) -> None:
        """End."""
        self._is_over = True

    @workflow.signal
    async def continue_as_new(self) -> None:
        """Go on in a new run, as soon as nothing is in flight."""
        self._is_continued = True

    @workflow.query
    def state(self) -> Reconciling:
        """The state."""
        return self._integration.state

    @workflow.query
    def heard(self) -> list[str]:
        """What became of items so far."""
        return self._heard

    @workflow.query
    def asked(self) -> list[str]:
        """Which resolvers were waited for."""
        return self._asked

    @workflow.query
    def trouble(self) -> str:
        """What holds it up."""
        return self._integration.trouble


@dataclass
class Merging:
    """Merges and checks of all hosts; what they came to stands in the store, which outlives hosts."""

    culprits: frozenset[str] = frozenset()
    conflicts: frozenset[frozenset[str]] = frozenset()
    states: dict[int, tuple[Merge, ...]] = field(default_factory=lambda: {0: ()})
    at: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Host → the state its worktree is in."""
    calls: list[str] = field(default_factory=list[str])
    opened: list[OpenResolverInput] = field(default_factory=list[OpenResolverInput])
    failure: str = ""
    """Why merges fail for good."""
    hanging: set[str] = field(default_factory=set[str])
    """Hosts whose checks never end."""

    @activity.defn
    async def merge_items(self, request: MergeInput) -> MergeDigest:
        """Merge."""
        host = request.workspace.host_id
        names = ",".join(merge.by or merge.item for merge in request.merges)
        self.calls.append(f"{host}: merge {names} onto {request.onto} as {request.number}")
        if self.failure:
            raise WorkspaceFailed(self.failure)
        at, merged, conflict = list(self.states[request.onto]), list[str](), ""
        for each in request.merges:
            if not each.by and any(frozenset({each.item, other.item}) in self.conflicts for other in at):
                conflict = each.item
                break
            at.append(each)
            merged.append(each.item)
        number = request.number if merged else request.onto
        self.states[number] = tuple(at)
        self.at[host] = number
        own = request.workspace.model_copy(update={"workspace_id": ids.integration_id(SWARM)})
        files = (f"{conflict}.py",) if conflict else ()
        return MergeDigest(number=number, merged=tuple(merged), conflict=conflict, conflict_files=files, workspace=own)

    @activity.defn
    async def run_checks(self, request: RunChecksInput) -> ChecksDigest:
        """Check what the host's worktree is at."""
        host = request.workspace.host_id
        assert request.workspace.workspace_id == request.task_id == ids.integration_id(SWARM)
        self.calls.append(f"{host}: check {self.at[host]} as {request.step}")
        while host in self.hanging:
            activity.heartbeat()
            await asyncio.sleep(0.1)
        here = self.states[self.at[host]]
        passed = not any(each.item in self.culprits and not each.by for each in here)
        result = CheckResult(name="tests", passed=passed, detail="" if passed else "boom")
        return ChecksDigest(passed=passed, results=(result,))

    @activity.defn
    async def open_resolver(self, request: OpenResolverInput) -> None:
        """Write a task."""
        self.opened.append(request)


def mended(name: str, failure: ItemFailure | None = None) -> ItemEnd:
    """The end of a resolver."""
    return ItemEnd(item=name, failure=failure, reason="in vain" if failure else "")
