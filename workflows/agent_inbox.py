"""What a session, and people through it, say to an agent while it works, and what it answers.

Handlers only note; what a word means for the loop is decided in `policy.loop`. The loop itself is in `agent`.
"""

from temporalio import workflow

from longshift.contracts.agent import AgentInput, AgentProgress
from longshift.contracts.ledger import Extension
from longshift.contracts.reviews import Decision
from longshift.contracts.rollback import Rollback
from longshift.contracts.session import TimeUsed
from longshift.contracts.slots import SlotGranted
from longshift.contracts.transcript import Note
from longshift.policy import loop, standing


class AgentInbox:
    """The state of an agent, and all handlers that touch it."""

    def __init__(self, request: AgentInput) -> None:
        self._state = request.state
        self._woken = False

    @workflow.signal
    def deliver_note(self, note: Note) -> None:
        """A message for the model; it goes with the next model call."""
        self._state = loop.take_note(self._state, note)
        self._woken = True

    @workflow.signal
    def set_paused(self, paused: bool) -> None:
        """Hold between two steps, or go on."""
        self._state = self._state.model_copy(update={"paused": paused})

    @workflow.signal
    def roll_back(self, wish: Rollback) -> None:
        """Undo steps as soon as none is open."""
        self._state = loop.ask_rollback(self._state, wish)
        self._woken = True

    @workflow.signal
    def decide(self, decision: Decision) -> None:
        """A person decided what the agent asked; what it waits for without a question of its own is tried again."""
        before, self._state = self._state, loop.decided(self._state, decision)
        self._woken = self._woken or before.ask is None or before != self._state

    @workflow.signal
    def extend(self, more: Extension) -> None:
        """A person gave more of the budget."""
        self._state = loop.extended(self._state, more)

    @workflow.signal
    def warn_of_time(self, time: TimeUsed) -> None:
        """Most of the session's active time is used."""
        self._state = loop.warn_of_time(self._state, time)

    @workflow.signal
    def hold_for_fleet(self, held: bool) -> None:
        """All sessions together have spent what they may, or go on."""
        self._state = self._state.model_copy(update={"fleet_held": held})

    @workflow.signal
    def slot_lost(self, generation: int) -> None:
        """No host holds the workspace any more: what needs one waits."""
        self._state = loop.slot_lost(self._state, generation)

    @workflow.signal
    def slot_granted(self, granted: SlotGranted) -> None:
        """A host holds the workspace, perhaps another one."""
        self._state = loop.slot_granted(self._state, granted)

    @workflow.signal
    def suspend(self) -> None:
        """The host is about to stop: hold at the next step."""
        self._state = self._state.model_copy(update={"suspended": True})

    @workflow.signal
    def wake(self) -> None:
        """Go on from a wait or from a place where a person was needed."""
        self._woken = True

    @workflow.signal
    def wrap_up(self, remaining_seconds: float) -> None:
        """The end of the session's time is near."""
        self._state = loop.wrap_up(self._state, remaining_seconds)

    @workflow.signal
    def end(self, reason: str) -> None:
        """The session's time is up: finish the step, hand off, report."""
        self._state = loop.end(self._state, reason)

    @workflow.query
    def progress(self) -> AgentProgress:
        """Where the agent stands."""
        return standing.progress(self._state)
