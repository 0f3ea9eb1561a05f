"""The slot of a session, or of an item of a swarm: taken, lost and taken again, given back while nobody works.

A slot is one `hold_slot` activity. Where it waits is the queue. What is decided about it is in `policy.slots`; what the
session makes of it is the session's.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeout

from longshift.contracts import ids
from longshift.contracts.activities import GateActivities, ReleaseInput, SlotActivities, WorkspaceActivities
from longshift.contracts.errors import HostFull, Poisoned, SlotLost
from longshift.contracts.gate import EnterGateInput, GateEntry
from longshift.contracts.session import QueuePlace
from longshift.contracts.slots import HoldSlotInput, SlotDraining, SlotEnd, SlotGranted, SlotKind, SlotTaken
from longshift.contracts.transcript import Note, Speaker
from longshift.contracts.workspace import Workspace
from longshift.policy import notes
from longshift.policy import slots as policy
from workflows import attributes, options, signals
from workflows.host_calls import settled

Handle = workflow.ActivityHandle[SlotEnd]

_QUEUES = {SlotKind.SESSION: ids.HOSTS_QUEUE, SlotKind.SUB_AGENT: ids.SUB_AGENT_HOSTS_QUEUE}
"""Where any host may take a slot of a kind."""


class SlotPhase(StrEnum):
    """Where the slot stands."""

    NONE = "none"
    """Nobody needs it."""
    QUEUED = "queued"
    PREPARING = "preparing"
    HELD = "held"
    REFUSED = "refused"
    """No workspace can be made; see `failure`."""


class Slot:
    """The slot of one session. `keep` runs until `close`; the rest says or changes where it stands."""

    def __init__(
        self,
        task_id: str,
        place: QueuePlace,
        *,
        patience_seconds: float,
        idle_seconds: Callable[[], float | None],
        tell: Callable[[str, object], Awaitable[None]],
        when_refused: Callable[[FailureError | None], None],
        is_suspect: Callable[[], bool] = lambda: True,
        kind: SlotKind = SlotKind.SESSION,
        generation: int = 0,
        integration: int = 0,
    ) -> None:
        """`patience_seconds` is how long the host that had the slot is waited for; `idle_seconds` says after how long
        the slot may be given back now; `tell` sends the agent a signal; `when_refused` hears that a person is needed,
        and with None that none is any more; `is_suspect` says whether what goes on in the workspace may be what took
        a host down. Slots are counted on from `generation`; `integration` is what a sub-agent's workspace is first
        made from.
        """
        self._task_id = task_id
        self.place = place
        self._patience_seconds = patience_seconds
        self._idle_seconds = idle_seconds
        self._tell = tell
        self._when_refused = when_refused
        self._is_suspect = is_suspect
        self._phase = SlotPhase.NONE
        self._crash: BaseException | None = None
        self._kind = kind
        self._integration = integration
        self.generation = generation
        self.workspace: Workspace | None = None
        """The last one that was granted; held only in the phase HELD."""
        self.failure: FailureError | None = None
        self.ended_commands = 0
        """By giving the slot back, and not told yet."""
        self._taken: SlotTaken | None = None
        self._granted: SlotGranted | None = None
        self._draining: SlotDraining | None = None
        self._closed = False
        self._given_back = 0
        self._asked_again = False
        self._is_handed_over = False
        """Whether the host that had the files is not asked first."""
        self._is_inside = False
        self._losses = 0
        self._held_since = 0.0

    def take_over(self, workspace: Workspace) -> None:
        """Hold a workspace that nobody has to keep."""
        self.workspace, self.generation, self._phase = workspace, workspace.generation, SlotPhase.HELD

    @property
    def phase(self) -> SlotPhase:
        """Where it stands; raises what `keep` ended with, so that nobody waits for a slot that nobody keeps."""
        if self._crash is not None:
            raise self._crash
        return self._phase

    def held(self) -> Workspace | None:
        """The workspace, while a host holds it for this session."""
        return self.workspace if self.phase is SlotPhase.HELD else None

    @property
    def is_draining(self) -> bool:
        """Whether the host is about to stop."""
        return self._draining is not None

    def take_signal(self, signal: SlotTaken | SlotGranted | SlotDraining) -> None:
        """What a host says; of an older slot it is not listened to."""
        if signal.generation != self.generation:
            return
        match signal:
            case SlotTaken():
                self._taken = signal
            case SlotGranted():
                self._granted = signal
                # A host that had nothing to prepare says no more than this.
                self._taken = self._taken or SlotTaken(generation=signal.generation, host_id=signal.workspace.host_id)
            case SlotDraining():
                self._draining = signal

    def open_gate(self) -> None:
        """The cap of the session's key lets it pass."""
        self._is_inside = True

    def ask_again(self, place: QueuePlace | None = None) -> None:
        """Queue anew: at another place, or after a person has mended what was refused."""
        self.place = place or self.place
        self._asked_again = True

    def close(self, *, given_back: int = 0) -> None:
        """Let go for good; the host has ended the slot of the generation `given_back` by itself."""
        self._closed, self._given_back = True, given_back

    async def keep(self) -> None:
        """Hold a slot whenever it is needed, until `close`."""
        try:
            while not self._closed:
                await self._hold_one()
        except BaseException as error:
            self._crash = error
            raise
        self._phase = SlotPhase.NONE
        await self._leave_gate()

    async def _hold_one(self) -> None:
        handle = await self._take()
        if handle is None:
            return
        await self._until_over(handle)
        if not handle.done():
            await self._let_go(handle)
        elif self._is_given_back(handle):
            await self._until_closed()
        else:
            await self._lose(workflow.time() - self._held_since)
        if self._idle_seconds() is not None:
            await self._leave_gate()
        await workflow.wait_condition(lambda: self._closed or self._idle_seconds() is None)

    async def _take(self) -> Handle | None:
        """Ask for a slot; None where it did not come to one and has to be asked for again."""
        self.generation += 1
        self._taken = self._granted = self._draining = None
        self._asked_again = False
        self._phase = SlotPhase.QUEUED
        if not await self._pass_gate():
            return None
        failure: ActivityError | None = None
        for queue, patience in self._where():
            handle = self._ask(queue, patience)
            await workflow.wait_condition(lambda: self._is_answered(handle))  # noqa: B023  # awaited within the round
            if self._granted is not None and not handle.done():
                await self._begin(self._granted)
                return handle
            if not handle.done():
                handle.cancel()
            failure = _as_activity_error(await settled(handle))
            if self._closed or self._asked_again or failure is None:
                return None
            if _is_lost(failure):
                # A host that sleeps still takes what it asked for before: its own queue would be a trap.
                self._is_handed_over = True
                await self._lose(0.0)
                return None
            if not _is_elsewhere(failure):
                break
        assert failure is not None  # every round ends with one
        await self._refused(failure)
        return None

    async def _pass_gate(self) -> bool:
        """Wait until the cap of the session's key lets it into the queue; False where it is not wanted any more."""
        place = self.place
        if not place.cap_key or self._is_inside:
            return True
        entry = GateEntry(
            session=workflow.info().workflow_id, priority=self._priority(), limit=max(1, place.cap_sessions)
        )
        await workflow.execute_local_activity_method(
            GateActivities.enter_gate, EnterGateInput(key=place.cap_key, entry=entry), **options.LEDGER
        )
        attributes.upsert_waits_for("cap")
        await workflow.wait_condition(lambda: self._is_inside or self._closed or self._asked_again)
        attributes.upsert_waits_for("")
        return self._is_inside and not self._closed

    async def _leave_gate(self) -> None:
        if self.place.cap_key:
            self._is_inside = False
            await signals.to_gate(self.place.cap_key, "leave", workflow.info().workflow_id)

    def _priority(self) -> int:
        return self.place.priority if self.workspace is None else policy.RETURNING_PRIORITY

    def _where(self) -> list[tuple[str, float | None]]:
        """Queues to ask at, with the seconds to wait there: the host that had the files, then any."""
        any_host = (_QUEUES[self._kind], None)
        if self.workspace is None or self._is_handed_over:
            return [any_host]
        return [(ids.host_slots_queue(self.workspace.host_id), self._patience_seconds), any_host]

    def _ask(self, queue: str, patience_seconds: float | None) -> Handle:
        request = HoldSlotInput(
            task_id=self._task_id,
            session=workflow.info().workflow_id,
            generation=self.generation,
            kind=self._kind,
            integration=self._integration,
        )
        place = self.place
        return workflow.start_activity_method(
            SlotActivities.hold_slot,
            request,
            summary=f"slot {self.generation}",
            schedule_to_start_timeout=timedelta(seconds=patience_seconds) if patience_seconds else None,
            priority=Priority(
                priority_key=self._priority(), fairness_key=place.fairness_key, fairness_weight=place.fairness_weight
            ),
            **options.hold_slot(queue),
        )

    def _is_answered(self, handle: Handle) -> bool:
        if self._taken is not None and self.phase is SlotPhase.QUEUED:
            self._phase = SlotPhase.PREPARING
        return self._granted is not None or handle.done() or self._closed or self._asked_again

    async def _begin(self, granted: SlotGranted) -> None:
        self.workspace = granted.workspace
        self._phase = SlotPhase.HELD
        self._held_since = workflow.time()
        self._is_handed_over = False
        self._show_host(granted.workspace.host_id)
        if self.ended_commands:
            text = notes.jobs_ended(self.ended_commands)
            self.ended_commands = 0
            await self._tell(
                "deliver_note", Note(speaker=Speaker.RUNNER, text=text, message_id=f"jobs {self.generation}")
            )
        await self._tell("slot_granted", granted)

    async def _refused(self, failure: FailureError) -> None:
        """No workspace can be made: wait until somebody asks again."""
        self._phase, self.failure = SlotPhase.REFUSED, failure
        await self._leave_gate()
        self._when_refused(failure)
        await workflow.wait_condition(lambda: self._closed or self._asked_again)
        self.failure = None
        if not self._closed:
            self._when_refused(None)

    async def _until_over(self, handle: Handle) -> None:
        """Until the slot is lost, or nobody needs it any more, or the host is about to stop and the agent holds."""
        is_told = False
        while not handle.done() and not self._closed:
            if self.is_draining and not is_told:
                is_told = True
                await self._tell("suspend", None)
            idle = self._idle_seconds()
            if idle == 0:
                return
            try:
                await workflow.wait_condition(
                    lambda: (
                        handle.done()
                        or self._closed
                        or self._idle_seconds() != idle  # noqa: B023  # awaited within the round
                        or self.is_draining != is_told  # noqa: B023
                    ),
                    timeout=idle,
                    timeout_summary=f"keep the slot for {idle:.0f} s" if idle else None,
                )
            except TimeoutError:
                return

    async def _lose(self, held_seconds: float) -> None:
        """The host is gone, or stops."""
        self._phase = SlotPhase.QUEUED
        self._show_host("")
        await self._tell("slot_lost", self.generation)
        if not self._is_suspect():
            return
        self._losses = policy.losses_in_a_row(self._losses, held_seconds)
        if policy.is_poison(self._losses):
            text = policy.quarantined(self._losses, self._taken.host_id if self._taken else "unknown")
            self._losses = 0
            await self._refused(ApplicationError(text, type=Poisoned.kind, non_retryable=True))

    def _show_host(self, host_id: str) -> None:
        """Which host holds a session, for lists; nobody looks for items so, and each costs the engine a write."""
        if self._kind is SlotKind.SESSION:
            attributes.upsert_host(host_id)

    def _is_given_back(self, handle: Handle) -> bool:
        """Whether the host has ended an item's slot with its seal; that of a session it never ends unasked."""
        return self._kind is SlotKind.SUB_AGENT and not handle.cancelled() and handle.exception() is None

    async def _until_closed(self) -> None:
        """What was last done there needed the slot no longer: whoever asked for that closes, as soon as it is told."""
        self._phase = SlotPhase.NONE
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._closed, timeout=self._patience_seconds)

    async def _let_go(self, handle: Handle) -> None:
        """Give the slot back; commands that still run in the workspace end with it."""
        assert self.workspace is not None  # it was granted
        if self._closed and self._given_back == self.generation:
            await settled(handle)
            return
        self._is_handed_over, self._draining = self.is_draining, None
        self._phase = SlotPhase.NONE
        if not self._closed:
            self._show_host("")
            await self._tell("slot_lost", self.generation)
        release = workflow.start_activity_method(
            WorkspaceActivities.release_workspace,
            ReleaseInput(workspace=self.workspace),
            summary="give the slot back",
            **options.housekeeping(self.workspace.host_queue),
        )
        failure = await settled(handle)
        if not release.done():
            release.cancel()
        await settled(release)
        if failure is None and not handle.cancelled():
            self.ended_commands += handle.result().ended_commands


def _as_activity_error(failure: BaseException | None) -> ActivityError | None:
    if failure is None or isinstance(failure, ActivityError):
        return failure
    raise failure


def _is_elsewhere(failure: ActivityError) -> bool:
    """Whether that host is not there, or has no room: another may take the session."""
    cause = failure.cause
    if isinstance(cause, ActivityTimeout):
        return cause.type is TimeoutType.SCHEDULE_TO_START
    return isinstance(cause, ApplicationError) and cause.type == HostFull.kind


def _is_lost(failure: ActivityError) -> bool:
    """Whether the host went away while it prepared."""
    cause = failure.cause
    if isinstance(cause, ActivityTimeout):
        return cause.type is TimeoutType.HEARTBEAT
    return isinstance(cause, ApplicationError) and cause.type == SlotLost.kind
