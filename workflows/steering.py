"""What people, hosts and agents say to a session while it lives, and what it answers.

Handlers only note and pass on; what a state allows is decided in `policy.session`. The life itself is in `session`.
"""

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from longshift.contracts.activities import LedgerActivities
from longshift.contracts.agent import AgentReport
from longshift.contracts.attention import Attention
from longshift.contracts.fleet import FleetHold, FleetSpend
from longshift.contracts.ledger import Extension
from longshift.contracts.reviews import Answer, Decision, Review
from longshift.contracts.rollback import FindStepsInput, Rollback
from longshift.contracts.session import (
    AgentStatus,
    Extend,
    Reprioritise,
    SessionInput,
    SessionState,
    SessionStatus,
    Steer,
)
from longshift.contracts.slots import SlotDraining, SlotGranted, SlotTaken
from longshift.contracts.stuck import Rung
from longshift.contracts.swarm import ItemNote
from longshift.contracts.transcript import Note, Speaker
from longshift.contracts.workspace import Workspace
from longshift.policy import asking, cards, describe, review_list, reviews, session_swarms, slots
from longshift.policy import rollback as undoing
from longshift.policy import session as policy
from longshift.policy.clock import ActiveClock
from workflows import attributes, options, signals
from workflows.agent import Agent
from workflows.failures import in_words
from workflows.fleet_member import FleetMember
from workflows.publishing import OF_DELIVERY, Publishing
from workflows.questions import Questions
from workflows.slot import Slot, SlotPhase
from workflows.telling import Telling


class Steering:
    """The state of a session, and all handlers that touch it."""

    def __init__(self, request: SessionInput) -> None:
        self._request = request
        task = request.task
        self._clock = ActiveClock(limit_seconds=task.budget.active_hours * 3600)
        self._status = SessionStatus(
            task_id=task.id, title=task.title, state=SessionState.QUEUED, profile=request.profile
        )
        self._agent_status: AgentStatus | None = None
        self._rung = Rung.NONE
        """The one that the session is listed under, whichever agent took it."""
        self._agent: workflow.ChildWorkflowHandle[Agent, AgentReport] | None = None
        self._early_notes: list[Note] = []
        self._updates: int = 0
        self._steered_characters = 0
        self._paused = False
        self._resumed = False
        self._extended = False
        self._is_enough = False
        """A person ends the session instead of extending it."""
        self._cancel_reason = ""
        self._wrapped_up = False
        self._time_is_up = False
        self._time_warned = False
        self._given = Extension()
        """What people added to the budget."""
        self._fleet = FleetMember(counts=request.fleet, spent=self._fleet_spend)
        self._telling = Telling(task.id, task.title, request.people)
        self._questions = Questions(request.remind_after_seconds)
        self._publishing = Publishing(task, self._questions, self._move)
        self._slot_question = ""
        self._slot_attention: Attention | None = None
        self._slot = Slot(
            task.id,
            request.place,
            patience_seconds=request.host_patience_seconds,
            idle_seconds=self._idle_seconds,
            tell=self._tell_agent,
            when_refused=self._ask_about_slot,
            # While sub-agents work their lead runs nothing.
            is_suspect=lambda: not (self._agent_status and self._agent_status.swarm_at_work),
        )

    async def _tell_agent(self, name: str, value: object | None) -> None:
        """A signal for the agent at work, if there is one."""
        if self._agent is not None:
            await signals.to_agent(self._status.agent, name, value)

    def _workspace(self) -> Workspace:
        """The last one that was granted."""
        workspace = self._slot.workspace
        assert workspace is not None  # nobody works before there is one
        return workspace

    def _idle_seconds(self) -> float | None:
        """After how long the slot may be given back; None: it is needed."""
        if self._agent is None:
            return None
        if self._slot.is_draining:
            return 0.0 if self._agent_status and self._agent_status.idle else None
        return slots.gives_back_after(self._agent_status, self._paused or bool(self._fleet.hold.reason))

    def _is_waiting(self) -> bool:
        return self._agent_status is not None and self._agent_status.waiting

    def _fleet_spend(self) -> FleetSpend:
        spent, unknown = policy.spent(self._status.agents, self._agent_status)
        return FleetSpend(
            session=workflow.info().workflow_id, tokens=spent.tokens, usd=spent.usd, unknown_usd=unknown.usd
        )

    def _final_status(self, state: SessionState) -> SessionStatus:
        status = self.status()
        last = status.agents[-1].undelivered if status.agents else ()
        unheard = tuple(dict.fromkeys((*last, *self._early_notes)))
        cost = status.spent.usd if state is SessionState.DONE else None
        return status.model_copy(update={"state": state, "unheard": unheard, "cost_per_done_usd": cost})

    def _add_reason(self, text: str) -> None:
        reason = f"{self._status.reason}; {text}".lstrip("; ")
        self._status = self._status.model_copy(update={"reason": reason})

    def _move(self, state: SessionState, *, reason: str = "", attention: Attention | None = None) -> None:
        """Take a state; search attributes change only when it does."""
        old = self._status
        self._status = old.model_copy(update={"state": state, "reason": reason, "attention": attention})
        if (old.state, old.attention) != (state, attention):
            attributes.upsert_state(state, attention)
        workflow.set_current_details(describe.session_details(self.status()))
        self._tell_people()

    def _show_rung(self, rung: Rung) -> None:
        """List the session under how far the ladder of its agent was climbed."""
        if rung is not self._rung:
            self._rung = rung
            attributes.upsert_rung(rung)

    def _tell_people(self, *, final: bool = False) -> None:
        """Show those who are told outside of the engine what has changed."""
        if self._telling.is_wanted:
            self._telling.tell(cards.card_of(self._request, self.status(), self._agent_status, final=final))

    def _ask_about_slot(self, failure: FailureError | None) -> None:
        """No workspace can be made any more, which only a person can mend; None: that is over."""
        if self._slot.workspace is None:
            return  # there never was one: the session fails
        before = self._slot_attention
        self._questions.withdraw(self._slot_question)
        self._slot_question, self._slot_attention = "", None
        if failure is not None:
            self._slot_attention = Attention(kind="host", text=in_words(failure)[:2_000])
            self._slot_question = self._questions.ask(self._slot_attention)
        # While an agent works its supervision shows this; otherwise it is shown beside what the session does.
        if self._agent is None and self._status.attention == before and workflow.patched("people"):
            self._move(self._status.state, reason=self._status.reason, attention=self._slot_attention)
        else:
            self._tell_people()

    def _hear(self, signal: SlotTaken | SlotGranted | SlotDraining) -> None:
        self._slot.take_signal(signal)
        if isinstance(signal, SlotTaken) and self._agent is None and self._status.state is SessionState.QUEUED:
            self._move(SessionState.PREPARING)

    @workflow.signal
    def gate_opened(self) -> None:
        """The cap of the session's key lets it into the queue."""
        self._slot.open_gate()

    @workflow.signal
    def slot_taken(self, taken: SlotTaken) -> None:
        """A host took the session out of the queue."""
        self._hear(taken)

    @workflow.signal
    def slot_granted(self, granted: SlotGranted) -> None:
        """A host has made the workspace and holds it."""
        self._hear(granted)

    @workflow.signal
    def slot_draining(self, draining: SlotDraining) -> None:
        """The host is about to stop."""
        self._hear(draining)

    @workflow.signal
    def agent_status(self, status: AgentStatus) -> None:
        """An agent tells where it stands."""
        self._show_rung(status.rung)
        self._questions.hear(self._agent_status, status)
        self._agent_status = status
        swarms = session_swarms.with_swarms(self._status.swarms, (status.swarm,) if status.swarm else ())
        update = {"profile": status.profile or self._status.profile, "swarms": swarms}
        self._status = self._status.model_copy(update=update)
        attributes.upsert_progress(policy.progress(self._status.agents, status))
        attention = reviews.attention_of(status)
        is_waiting_already = status.waiting and self._status.state is SessionState.WAITING
        if is_waiting_already and self._status.attention != attention and workflow.patched("people"):
            self._move(SessionState.WAITING, attention=attention)  # the supervision saw no change
        workflow.set_current_details(describe.session_details(self.status()))
        self._tell_people()

    @workflow.update
    async def steer(self, message: Steer) -> str:
        """Give the agent a message; it goes with its next model call."""
        self._updates += 1
        self._steered_characters += len(message.text)
        update = workflow.current_update_info()
        note = Note(speaker=Speaker.PERSON, text=message.text, message_id=update.id if update else "")
        if message.item is not None:
            return await self._steer_item(message.item, note)
        if self._agent is None or self._time_is_up:
            self._early_notes.append(note)
            return "kept for the agent's start"
        await signals.to_agent(self._status.agent, "deliver_note", note)
        return "delivered with the next model call"

    @steer.validator
    def _may_steer(self, message: Steer) -> None:
        refusal = policy.refuse_steer(self._status, message, self._updates, self._steered_characters)
        self._allow(refusal or session_swarms.refuse_steer(self._agent_status, message))

    async def _steer_item(self, item: str, note: Note) -> str:
        """The agent passes it on to its swarm."""
        named = "" if item == session_swarms.ALL_ITEMS else item
        await signals.to_agent(self._status.agent, "steer_item", ItemNote(item=named, note=note))
        return session_swarms.passed_on(item)

    @workflow.update
    async def pause(self) -> str:
        """Hold the agent after its current step; the clock stands."""
        self._updates += 1
        self._paused = True
        if self._agent is not None:
            await signals.to_agent(self._status.agent, "set_paused", value=True)
        return "paused after the current step"

    @pause.validator
    def _may_pause(self) -> None:
        self._allow(policy.refuse_pause(self._status, self._paused, self._updates))

    @workflow.update
    async def resume(self) -> str:
        """Go on: after a pause, or when what a person had to mend is mended."""
        was_paused, self._paused = self._paused, False
        self._try_again()
        asked = self._agent_status.ask if self._agent_status else None
        if self._agent is not None:
            agent = self._status.agent
            if was_paused:
                await signals.to_agent(agent, "set_paused", value=False)
            if asked is None or not (was_paused or asked.kind in asking.HOLDING):
                self._questions.withdraw_of(agent)
                self._tell_people()
            if asked is None or not was_paused:  # the end of a pause answers no question
                await signals.to_agent(agent, "wake")
        return "resumed"

    def _try_again(self) -> None:
        """What the session itself waited for is mended."""
        self._resumed = True
        self._publishing.try_again()
        if self._slot.phase is SlotPhase.REFUSED:
            self._slot.ask_again()

    @resume.validator
    def _may_resume(self) -> None:
        self._allow(policy.refuse_resume(self.status(), self._paused))

    @workflow.update
    async def cancel(self, reason: str) -> str:
        """End the session: running commands are killed, what there is gets delivered."""
        self._cancel_reason = reason or "cancelled by a person"
        return "cancelling"

    @cancel.validator
    def _may_cancel(self, reason: str) -> None:
        self._allow(policy.refuse_cancel(self._status, self._cancel_reason))

    @workflow.update
    async def rollback(self, wish: Rollback) -> str:
        """Undo the steps after one that the agent has made, as soon as none is open."""
        self._updates += 1
        self._steered_characters += len(wish.reason)
        update, agent = workflow.current_update_info(), self._status.agent
        found = await workflow.execute_local_activity_method(
            LedgerActivities.find_steps, FindStepsInput(agent=agent), **options.LEDGER
        )
        self._allow(undoing.refusal(found, wish.to_step))
        asked = wish.model_copy(update={"by": Speaker.PERSON, "request_id": update.id if update else ""})
        await signals.to_agent(agent, "roll_back", asked)
        return f"goes back to step {wish.to_step} when the current step is over"

    @rollback.validator
    def _may_roll_back(self, wish: Rollback) -> None:
        has_agent = self._agent is not None and not self._time_is_up
        self._allow(policy.refuse_rollback(self._status, wish, has_agent, self._updates, self._steered_characters))

    @workflow.update
    async def reprioritise(self, place: Reprioritise) -> str:
        """Move a queued session within the queue."""
        self._updates += 1
        moved = self._slot.place.model_copy(update={"priority": place.priority})
        self._slot.ask_again(moved)
        attributes.upsert_priority(place.priority)
        return f"queued with priority {place.priority}"

    @reprioritise.validator
    def _may_reprioritise(self, place: Reprioritise) -> None:
        is_queued = self._slot.phase is SlotPhase.QUEUED and self._slot.workspace is None
        self._allow(policy.refuse_reprioritise(self._status, place, is_queued, self._updates))

    @workflow.signal
    async def hold_for_fleet(self, hold: FleetHold) -> None:
        """All sessions together have spent what they may, or may go on."""
        self._fleet.hold = hold
        await self._tell_agent("hold_for_fleet", bool(hold.reason))

    @workflow.update
    async def extend(self, extension: Extend) -> str:
        """Give the session more of its budget."""
        self._updates += 1
        if extension.active_hours:
            self._give_time(extension.active_hours)
        if extension.spending != Extension():
            self._given = self._given + extension.spending
            await self._tell_agent("extend", extension.spending)
        return policy.extended(self._clock, self._request.task.budget, self._given)

    def _give_time(self, hours: float) -> None:
        self._clock = self._clock.extended(hours * 3600)
        self._extended = True
        self._wrapped_up = self._time_warned = False

    @extend.validator
    def _may_extend(self, extension: Extend) -> None:
        self._allow(policy.refuse_extend(self._status, extension, self._updates, self._request.task.budget))

    @workflow.update
    async def answer(self, answer: Answer) -> str:
        """Decide an open question; a repetition by the same person is the same decision."""
        self._updates += 1
        return await self._decide(answer)

    @answer.validator
    def _may_answer(self, answer: Answer) -> None:
        status = self.status()
        refusal = review_list.refuse_answer(status, answer) or self._unseen(answer)
        self._allow(refusal or policy.refuse_amount(status, answer, self._request.task.budget))

    @workflow.signal
    async def keep_answer(self, answer: Answer) -> None:
        """The same, from when no worker could say whether it fits: where it does not any more, it is left out."""
        if review_list.refuse_answer(self.status(), answer):
            return
        if not (self._unseen(answer) and workflow.patched("shown whole")):
            await self._decide(answer)

    def _unseen(self, answer: Answer) -> str:
        return reviews.refuse_unseen(review_list.find(self._questions.all, answer.review), answer)

    async def _decide(self, answer: Answer) -> str:
        review, is_new = self._questions.decide(answer)
        if is_new:
            workflow.set_current_details(describe.session_details(self.status()))
            self._tell_people()
            await self._carry_out(review)
        return reviews.told(review)

    async def _carry_out(self, review: Review) -> None:
        """Tell a decision to the one who asked, or do what it says."""
        decision = review.decision
        assert decision is not None  # it was just made
        match decision.option:
            case reviews.CANCEL:
                self._cancel_reason = decision.text or f"cancelled by {decision.by or 'a person'}"
            case _ if review.ask.kind in OF_DELIVERY:
                self._publishing.decided(decision)
            case reviews.EXTEND:
                self._give_time(self._request.task.budget.active_hours)
            case reviews.END if not review.ask.agent:
                self._is_enough = True
            case reviews.RETRY if not review.ask.agent:
                self._try_again()
            case _:
                await self._tell_decision(review.ask.agent, decision)

    async def _tell_decision(self, agent: str, decision: Decision) -> None:
        """An agent that asked hears it; one that only reported its trouble goes on."""
        asked = self._agent_status.ask if self._agent_status else None
        if asked is not None and asked.id == decision.ask_id:
            return await signals.to_agent(agent, "decide", decision)
        if decision.text:
            note = Note(speaker=Speaker.PERSON, text=decision.text, message_id=decision.ask_id)
            await signals.to_agent(agent, "deliver_note", note)
        return await signals.to_agent(agent, "wake")

    def _allow(self, refusal: str) -> None:
        """Refuse an update with its reason."""
        if refusal:
            raise ApplicationError(refusal, type="refused", non_retryable=True)

    @workflow.query
    def status(self) -> SessionStatus:
        """Where the session stands."""
        used = self._clock.used_at(workflow.time())
        spent, unknown = policy.spent(self._status.agents, self._agent_status)
        return self._status.model_copy(
            update={
                "spent": spent,
                "unknown": unknown,
                "extended": self._given,
                "cost_per_done_usd": spent.usd if self._status.state is SessionState.DONE else None,
                "active_seconds": round(used, 1),
                "active_limit_seconds": self._clock.limit_seconds,
                "workspace": self._slot.workspace,
                "place": self._slot.place,
                "generation": self._slot.generation,
                "has_slot": self._slot.held() is not None,
                "reviews": self._questions.all,
            }
        )
