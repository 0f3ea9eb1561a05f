"""What a swarm, hosts and the agent say to an item at work. Handlers note it, or hand it on to the agent.

What is said before there is an agent is told to it once it is there. The life of an item is in `item`.
"""

from temporalio import workflow

from longshift.contracts.agent import AgentReport
from longshift.contracts.item import ItemInput
from longshift.contracts.ledger import Extension
from longshift.contracts.session import AgentStatus
from longshift.contracts.slots import SlotDraining, SlotGranted, SlotKind, SlotTaken
from longshift.contracts.transcript import Note
from longshift.policy import attempts, slots
from workflows import signals
from workflows.agent import Agent
from workflows.slot import Slot

AgentHandle = workflow.ChildWorkflowHandle[Agent, AgentReport]


class ItemInbox:
    """The state of an item at work, and all handlers that touch it."""

    def __init__(self, request: ItemInput) -> None:
        self._request = request
        self._agent: AgentHandle | None = None
        self._status: AgentStatus | None = None
        self._early: list[tuple[str, object]] = []
        """What came before there was an agent."""
        self._paused = request.paused
        self._fleet_held = request.fleet_held
        self._woken = False
        self._ending = ""
        """Why it is to end before its work is done."""
        self._is_cancelled = False
        self._tells_end = False
        """The run of the swarm that the engine tells this item's end is over."""
        self._told_throttled = 0
        self._is_waiting = False
        """What the swarm was told last."""
        self._slot = Slot(
            attempts.task_id(request),
            request.place.model_copy(update={"cap_key": ""}),  # the session has passed that gate
            patience_seconds=request.host_patience_seconds,
            idle_seconds=self._idle_seconds,
            tell=self._tell_agent,
            when_refused=lambda failure: None,
            kind=SlotKind.SUB_AGENT,
            generation=attempts.first_generation(request),
            integration=request.integration,
        )

    async def _tell_agent(self, name: str, value: object | None) -> None:
        """A signal for the agent at work, if there is one."""
        if self._agent is not None:
            await signals.to_agent(attempts.agent_of(self._request), name, value)

    async def _pass_on(self, name: str, value: object) -> None:
        """The same, kept for it while there is none yet."""
        if self._agent is None:
            self._early.append((name, value))
        else:
            await self._tell_agent(name, value)

    def _idle_seconds(self) -> float | None:
        """After how long the slot may be given back; None: it is needed."""
        if self._agent is None:
            return None
        if self._slot.is_draining:
            return 0.0 if self._status and self._status.idle else None
        return slots.gives_back_after(self._status, self._paused or self._fleet_held)

    @workflow.signal
    def slot_taken(self, taken: SlotTaken) -> None:
        """A host took the request for a slot and begins to prepare."""
        self._slot.take_signal(taken)

    @workflow.signal
    def slot_granted(self, granted: SlotGranted) -> None:
        """A host holds the worktree."""
        self._slot.take_signal(granted)

    @workflow.signal
    def slot_draining(self, draining: SlotDraining) -> None:
        """The host is about to stop."""
        self._slot.take_signal(draining)

    @workflow.signal
    async def agent_status(self, status: AgentStatus) -> None:
        """The agent tells where it stands; the swarm hears of it where that changes something for it."""
        self._status = status
        throttled = status.throttled - self._told_throttled
        if status.waiting == self._is_waiting and not throttled:
            return
        self._is_waiting, self._told_throttled = status.waiting, status.throttled
        news = attempts.news(self._request, status, throttled=throttled)
        await signals.to_swarm(self._request.swarm, "item_status", news)

    @workflow.signal
    def tell_end(self) -> None:
        """The swarm continues as new: its next run hears of this item's end from the item alone."""
        self._tells_end = True

    @workflow.signal
    async def deliver_note(self, note: Note) -> None:
        """A message for the sub-agent."""
        await self._pass_on("deliver_note", note)

    @workflow.signal
    async def set_paused(self, paused: bool) -> None:
        """Hold between two steps, or go on."""
        self._paused = paused
        await self._pass_on("set_paused", paused)

    @workflow.signal
    async def hold_for_fleet(self, held: bool) -> None:
        """All sessions together have spent what they may, or go on."""
        self._fleet_held = held
        await self._pass_on("hold_for_fleet", held)

    @workflow.signal
    async def wake(self) -> None:
        """Try again what was waited for."""
        self._woken = True
        await self._tell_agent("wake", None)

    @workflow.signal
    async def extend(self, more: Extension) -> None:
        """More of the budget, for this item alone."""
        await self._pass_on("extend", more)

    @workflow.signal
    async def wrap_up(self, remaining_seconds: float) -> None:
        """The end of the session's time is near."""
        await self._pass_on("wrap_up", remaining_seconds)

    @workflow.signal
    async def end(self, reason: str) -> None:
        """Finish the step, hand off, report."""
        self._ending = self._ending or reason
        await self._pass_on("end", reason)
