"""The runner's words about `delegate`: results of calls that came to nothing, and the question about a plan."""

from collections.abc import Sequence

from longshift.contracts.completion import Verdict
from longshift.contracts.ledger import Allowance
from longshift.contracts.reviews import Decision
from longshift.contracts.swarm_plan import PlanDigest

SUB_AGENTS_DELEGATE_NOT = "Not carried out: you are a sub-agent, and sub-agents have none of their own. Do it yourself."
NO_SUB_AGENTS = "Not carried out: this task has no sub-agents (swarm.max_items is 0). Do the work yourself."
OLD_AGENT = "Not carried out: this session was begun before there were sub-agents. Do the work yourself."
ONE_AT_A_TIME = (
    "Not carried out: an answer has one call of delegate, and the first one counts. Put all items into one plan, or "
    "delegate the rest when the first swarm has reported."
)
NOT_WITH_FINISH = (
    "Not carried out: delegate and finish came in one answer. Delegate, read what the sub-agents report, and call "
    "finish when the work is done."
)
FINISH_WITH_DELEGATE = (
    "Not finished: delegate came in the same answer, and was not carried out. Call delegate alone, or finish alone."
)
TIME_IS_UP = "Not carried out: the session is coming to its end."
WITHOUT_SUB_AGENTS = (
    "Not carried out: a critic has rejected {count} plans in a row, and nobody is asked in this session. Do the work "
    "yourself, step by step, without sub-agents."
)
NOBODY_IS_ASKED = (
    "Nobody answers a sub-agent: decide yourself, by your goal and what you find, and put what is left to decide into "
    "open_questions when you call finish."
)
NEEDS_PERSON = (
    "Not run: this would need a person's approval, and a sub-agent asks nobody. Find another way; where there is none, "
    "leave it out and put it into open_questions when you call finish: whoever gave you the work decides."
)
REASONS = 20
NOT_TAKEN_CHARACTERS = 700
"""Of the reason for which a change was not taken, in the question; the whole of it is shown below."""


def nothing_left(numbers: str) -> str:
    """The result of a call for whose swarm the budget does not do."""
    return f"Not carried out: nothing is left for sub-agents. {numbers}. Do the rest yourself, and keep it short."


def rejected(verdict: Verdict) -> str:
    """The result of a call whose plan the critic rejects."""
    listed = "\n".join(f"- {reason}" for reason in (*verdict.reasons, *verdict.missing)[:REASONS])
    said = f":\n{listed}" if listed else ", without a reason that can be read."
    return f"Not carried out: another model has read the plan and rejects it{said}\nWrite a better plan, or work alone."


def not_approved(decision: Decision) -> str:
    """The result of a call whose plan a person rejects."""
    said = f" They say: {decision.text}" if decision.text else ""
    return f"Not carried out: a person decided against this plan.{said} Delegate by another plan, or work alone."


def question(plan: PlanDigest, most: Allowance, *, not_taken: str, rejections: int) -> str:
    """What a person is asked about a plan."""
    sorry = f"The change was not taken: {not_taken[:NOT_TAKEN_CHARACTERS]}\n" if not_taken else ""
    before = f" A critic has rejected {rejections} plans before this one." if rejections else ""
    who = "a sub-agent" if len(plan.rows) == 1 else f"{len(plan.rows)} sub-agents"
    items = "1 item" if len(plan.rows) == 1 else f"{len(plan.rows)} items"
    return (
        f"{sorry}May {who} work by this plan? Goal: {plan.title.rstrip('.')}. Budget: {_budget(most)}. "
        f"Plan {plan.hash}, {items}.{before}"
    )


def evidence(plan: PlanDigest, not_taken: str, pieces: int, characters: int, task_id: str) -> tuple[str, ...]:
    """What is shown of a plan: why a change was not taken, what has changed, then the plan; at most `pieces`."""
    whole = f"The change was not taken: {not_taken}"
    refusal = [whole[at : at + characters] for at in range(0, len(whole), characters)] if not_taken else []
    shown: Sequence[str] = (*refusal, *plan.changes, *plan.shown)
    if len(shown) <= pieces:
        return tuple(shown)
    return (*shown[: pieces - 1], f"The rest of the plan: longshift swarm {task_id} --plan")


def _budget(most: Allowance) -> str:
    parts = [
        f"at most {most.tokens:,} tokens" if most.tokens is not None else "",
        f"at most ${most.usd:,.2f}" if most.usd is not None else "",
        f"at most {most.steps:,} steps" if most.steps is not None else "",
    ]
    return ", ".join(filter(None, parts)) or "no limit"
