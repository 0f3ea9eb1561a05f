"""What a session, and people through it, say to an agent while it works, and what it answers.

Handlers only note; what a word means for the loop is decided in `policy.loop`. The loop itself is in `agent`. What a
swarm at work has to hear as well is put down for `delegating`, which passes it on.
"""

import asyncio
from dataclasses import dataclass

from temporalio import workflow

from longshift.contracts.agent import AgentInput, AgentProgress
from longshift.contracts.delegation import VERSION_WITH_SWARMS
from longshift.contracts.ledger import Extension
from longshift.contracts.reviews import Decision
from longshift.contracts.rollback import Rollback
from longshift.contracts.session import TimeUsed
from longshift.contracts.slots import SlotGranted
from longshift.contracts.swarm import ItemNote, ItemWord, SwarmSummary
from longshift.contracts.transcript import Note
from longshift.policy import delegating, describe, loop, standing
from workflows import signals


@dataclass(frozen=True)
class Word:
    """A signal for the swarm at work."""

    name: str
    value: object | None = None


class AgentInbox:
    """The state of an agent, and all handlers that touch it."""

    def __init__(self, request: AgentInput) -> None:
        self._state = request.state
        self._woken = False
        self._told_news = self._state.news[-1].number if self._state.news else 0
        self._for_swarm: list[Word] = []
        """What is still to be passed on to the swarm at work."""

    def _pass_on(self, name: str, value: object | None = None) -> None:
        """A word that also concerns the swarm at work, if there is one."""
        if delegating.is_at_work(self._state):
            self._for_swarm.append(Word(name, value))

    async def _report(self, *, idle: bool = False) -> None:
        """Tell the session where this agent stands."""
        await signals.to_parent(standing.status(self._state, idle=idle))
        self._raise_if_cancelled()

    def _raise_if_cancelled(self) -> None:
        """A cancellation that comes while a signal is on its way goes no further by itself."""
        if self._state.version >= VERSION_WITH_SWARMS and workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError

    async def _tell_news(self) -> None:
        """What people should hear of at once."""
        if standing.has_news(self._state, self._told_news):
            self._told_news = self._state.news[-1].number
            await self._report()

    def _describe(self) -> None:
        workflow.set_current_details(describe.agent_details(self.progress()))

    @workflow.signal
    def deliver_note(self, note: Note) -> None:
        """A message for the model; it goes with the next model call."""
        self._state = loop.take_note(self._state, note)
        self._woken = True

    @workflow.signal
    def set_paused(self, paused: bool) -> None:
        """Hold between two steps, or go on."""
        self._state = self._state.model_copy(update={"paused": paused})
        self._pass_on("set_paused", value=paused)

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
        self._pass_on("extend", more)

    @workflow.signal
    def warn_of_time(self, time: TimeUsed) -> None:
        """Most of the session's active time is used."""
        self._state = loop.warn_of_time(self._state, time)

    @workflow.signal
    def hold_for_fleet(self, held: bool) -> None:
        """All sessions together have spent what they may, or go on."""
        self._state = self._state.model_copy(update={"fleet_held": held})
        self._pass_on("hold_for_fleet", value=held)

    @workflow.signal
    def slot_lost(self, generation: int) -> None:
        """No host holds the workspace any more: what needs one waits."""
        self._state = loop.slot_lost(self._state, generation)
        self._pass_on("workspace_lost", generation)

    @workflow.signal
    def slot_granted(self, granted: SlotGranted) -> None:
        """A host holds the workspace, perhaps another one."""
        self._state = loop.slot_granted(self._state, granted)
        self._pass_on("workspace_granted", self._state.workspace)

    @workflow.signal
    def suspend(self) -> None:
        """The host is about to stop: hold at the next step."""
        self._state = self._state.model_copy(update={"suspended": True})

    @workflow.signal
    def wake(self) -> None:
        """Go on from a wait or from a place where a person was needed."""
        self._woken = True
        self._pass_on("wake")

    @workflow.signal
    def wrap_up(self, remaining_seconds: float) -> None:
        """The end of the session's time is near."""
        self._state = loop.wrap_up(self._state, remaining_seconds)
        self._pass_on("wrap_up", remaining_seconds)

    @workflow.signal
    def end(self, reason: str) -> None:
        """The session's time is up: finish the step, hand off, report."""
        self._state = loop.end(self._state, reason)
        self._pass_on("end", reason)

    @workflow.signal
    def swarm_progress(self, summary: SwarmSummary) -> None:
        """The swarm at work tells how far it has come."""
        self._state = loop.swarm_told(self._state, summary)

    @workflow.signal
    def steer_item(self, note: ItemNote) -> None:
        """A message for the sub-agent of one item, or of all."""
        self._state = delegating.heard_for_item(self._state, note.item)
        self._pass_on("deliver_note", note)

    @workflow.signal
    def strike_item(self, word: ItemWord) -> None:
        """A person takes an item out of the swarm at work."""
        self._state = delegating.heard_for_item(self._state, word.item)
        self._pass_on("strike", word)

    @workflow.query
    def progress(self) -> AgentProgress:
        """Where the agent stands."""
        return standing.progress(self._state)
