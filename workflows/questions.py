"""The questions of one session to people, as its state: asked, withdrawn, decided. Who hears of it is in `steering`.

What is decided about them is in `policy.review_list`; nothing here is a command of the workflow.
"""

from temporalio import workflow

from longshift.contracts.attention import Attention
from longshift.contracts.reviews import Answer, Ask, AskKind, Review
from longshift.contracts.session import AgentStatus
from longshift.policy import review_list, reviews


class Questions:
    """The questions of one session, of its agents and of its own."""

    def __init__(self, remind_after_seconds: float) -> None:
        self._remind_after_seconds = remind_after_seconds
        self._kept: review_list.Reviews = ()
        self._asked = 0

    @property
    def all(self) -> review_list.Reviews:
        """The open ones, then the latest others."""
        return self._kept

    def hear(self, before: AgentStatus | None, status: AgentStatus) -> None:
        """An agent tells where it stands: what it does not ask any more is withdrawn, what is new is asked."""
        if reviews.asks_the_same(before, status):
            return
        self.withdraw_of(status.agent)
        if status.ask is not None:
            self._open(status.ask.model_copy(update={"agent": status.agent}))
        elif reviews.is_asking(status) and status.attention is not None:
            self._asked += 1
            self._open(reviews.of_attention(status.attention, status.agent, self._asked))

    def ask(self, attention: Attention, kind: AskKind = AskKind.CONFIGURATION) -> str:
        """A question of the session itself; gives its id."""
        self._asked += 1
        ask = reviews.of_attention(attention, "", self._asked, kind)
        self._open(ask)
        return ask.id

    def ask_about_delivery(self, question: str, evidence: tuple[str, ...]) -> str:
        """Whether what is done may leave; gives the question's id."""
        self._asked += 1
        ask_id = f"delivery-{self._asked}"
        self._open(Ask(id=ask_id, kind=AskKind.DELIVERY, question=question, evidence=evidence))
        return ask_id

    def withdraw(self, review_id: str) -> None:
        """It has become pointless; one that is decided stays so."""
        self._kept = review_list.with_withdrawn(self._kept, lambda each: each.ask.id == review_id, workflow.time())

    def withdraw_of(self, agent: str) -> None:
        """The agent asks nothing any more."""
        self._kept = review_list.with_withdrawn(self._kept, lambda each: each.ask.agent == agent, workflow.time())

    def withdraw_all(self) -> None:
        """The session is over."""
        self._kept = review_list.with_withdrawn(self._kept, lambda _: True, workflow.time())

    def decide(self, answer: Answer) -> tuple[Review, bool]:
        """The question as it is decided, and whether it is so by this answer."""
        review = review_list.find(self._kept, answer.review)
        assert review is not None  # the update's validator has found it
        if review_list.is_repeated(review, answer):
            return review, False
        review = review_list.decided(review, answer, workflow.time())
        self._kept = review_list.with_decided(self._kept, review)
        return review, True

    def _open(self, ask: Ask) -> None:
        review = reviews.opened(ask, workflow.time(), self._remind_after_seconds)
        self._kept = review_list.with_opened(self._kept, review)
