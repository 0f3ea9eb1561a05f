"""A result that is done on its way out of the sandbox: planned, let through by the rules or by a person, published.

The session needs no slot for it. What fails is asked about and tried again for as long as people want; the patch is
delivered whatever becomes of it.
"""

from collections.abc import Callable
from typing import Protocol

from temporalio import workflow
from temporalio.exceptions import ActivityError

from longshift.contracts.activities import DeliveryActivities
from longshift.contracts.attention import Attention
from longshift.contracts.delivery import BranchDelivery, BranchPlan, PlanBranchInput, PublishInput
from longshift.contracts.reviews import AskKind, Decision
from longshift.contracts.session import SessionState
from longshift.contracts.task import TaskSpec
from longshift.policy import outgoing, reviews
from workflows import options
from workflows.failures import in_words
from workflows.questions import Questions

OF_DELIVERY = frozenset({AskKind.DELIVERY, AskKind.UNDELIVERED})
_NOTHING = "nothing was changed, so there is nothing to push"


class Move(Protocol):
    """Shows the session in a state."""

    def __call__(self, state: SessionState, *, reason: str = "", attention: Attention | None = None) -> None:
        """Take the state."""
        ...


class Publishing:
    """The branch of one session."""

    def __init__(self, task: TaskSpec, questions: Questions, move: Move) -> None:
        self._task = task
        self._questions = questions
        self._move = move
        self._decision: Decision | None = None
        self._waits_for_retry = False

    def decided(self, decision: Decision) -> None:
        """A person decides what was asked here."""
        self._decision = decision

    def try_again(self) -> None:
        """A person says that what failed is mended."""
        if self._waits_for_retry:
            self._decision = Decision(ask_id="", option=reviews.RETRY)

    async def publish(self, cancelled: Callable[[], str]) -> BranchDelivery:
        """Until it is out, or a person gives it up; `cancelled` gives the reason once the session is cancelled."""
        at = int(workflow.time())
        while True:
            plan = BranchPlan(remote="", branch="")
            try:
                plan = await self._planned(at)
                if not plan.commit:
                    return _kept(plan, _NOTHING)
                if outgoing.needs_approval(self._task.autonomy, plan):
                    refusal = await self._refusal(plan, cancelled)
                    if refusal:
                        return _kept(plan, refusal)
                return await self._out(plan, at)
            except ActivityError as error:
                failure = in_words(error)[:1_500]
                if not await self._is_tried_again(failure, cancelled):
                    return _kept(plan, cancelled() or failure)

    async def _planned(self, at: int) -> BranchPlan:
        return await workflow.execute_activity_method(
            DeliveryActivities.plan_branch,
            PlanBranchInput(task_id=self._task.id, at=at),
            summary="plan the branch",
            **options.DELIVERY,
        )

    async def _out(self, plan: BranchPlan, at: int) -> BranchDelivery:
        return await workflow.execute_activity_method(
            DeliveryActivities.publish_branch,
            PublishInput(task_id=self._task.id, at=at, plan=plan),
            summary=f"publish {plan.branch}"[:200],
            **options.DELIVERY,
        )

    async def _refusal(self, plan: BranchPlan, cancelled: Callable[[], str]) -> str:
        """Ask whether exactly this may leave; empty: it may. Another commit would be another question."""
        question = outgoing.question(plan)
        asked = self._questions.ask_about_delivery(question, outgoing.evidence(plan))
        decision = await self._decision_on(asked, Attention(kind="delivery", text=question), cancelled)
        if decision is None:
            return cancelled()
        if decision.option == reviews.APPROVE and decision.ask_id == asked:
            return ""
        said = f": {decision.text}" if decision.text else ""
        return f"{decision.by or 'a person'} did not let it leave{said}"

    async def _is_tried_again(self, failure: str, cancelled: Callable[[], str]) -> bool:
        attention = Attention(kind="undelivered", text=f"{failure}. The patch is kept."[:2_000])
        asked = self._questions.ask(attention, AskKind.UNDELIVERED)
        self._waits_for_retry = True
        decision = await self._decision_on(asked, attention, cancelled)
        self._waits_for_retry = False
        return decision is not None and decision.option == reviews.RETRY

    async def _decision_on(self, asked: str, attention: Attention, cancelled: Callable[[], str]) -> Decision | None:
        """Wait for a person as long as it takes; None: the session is cancelled."""
        self._decision = None
        self._move(SessionState.WAITING, attention=attention)
        await workflow.wait_condition(lambda: self._decision is not None or bool(cancelled()))
        self._questions.withdraw(asked)
        self._move(SessionState.DELIVERING)
        return self._decision


def _kept(plan: BranchPlan, why: str) -> BranchDelivery:
    return BranchDelivery(remote=plan.remote, branch=plan.branch, commit=plan.commit, failure=why)
