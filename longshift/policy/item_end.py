"""How a sub-agent ends that would need a person, and what its report says of it. It answers to its lead alone.

When that is the case is found out in `steps`; what becomes of the attempt is the swarm's.
"""

from longshift.contracts.agent import AgentOutcome, AgentReport
from longshift.contracts.reviews import AskKind
from longshift.contracts.swarm import ItemFailure

STUCK_ENDING = "stuck: "
"""What the ending of a sub-agent begins with for which a person would have been asked what to do."""
OVER_BUDGET = "over budget: "
"""The same where the next call does not fit its share."""
REFUSED_ENDING = "refused: "
"""The same where the provider refuses the content, or the context does not fit."""
ENDING_CHARACTERS = 2_000

ENDS_IT: dict[str, str] = {
    "refused": REFUSED_ENDING,
    "overflow": REFUSED_ENDING,
    AskKind.BUDGET.value: OVER_BUDGET,
    AskKind.STUCK.value: STUCK_ENDING,
    AskKind.VERDICT.value: STUCK_ENDING,
}
"""Kind of attention or question → what the ending begins with. Any other trouble holds a sub-agent like any agent."""
_FAILURES: dict[str, ItemFailure] = {
    STUCK_ENDING: ItemFailure.STUCK,
    OVER_BUDGET: ItemFailure.OVER_BUDGET,
    REFUSED_ENDING: ItemFailure.REFUSED,
}


def ending(kind: str, text: str) -> str:
    """The reason with which a sub-agent ends instead of waiting for a person; empty: it waits."""
    prefix = ENDS_IT.get(kind, "")
    return f"{prefix}{text}"[:ENDING_CHARACTERS] if prefix else ""


def failure_of(report: AgentReport) -> ItemFailure | None:
    """Why an attempt has failed by the report of its agent; None: the agent says that it is done, and it is proved."""
    if report.outcome is AgentOutcome.DONE:
        return None
    found = (failure for prefix, failure in _FAILURES.items() if report.reason.startswith(prefix))
    return next(found, ItemFailure.ENDED)
