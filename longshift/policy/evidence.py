"""What a closed step says about an agent: the detector's evidence, out of the loop's state. It judges nothing."""

import hashlib

from longshift.contracts.agent import AgentState
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.model import CallDigest
from longshift.contracts.stuck import CallEvidence, StepEvidence
from longshift.contracts.tools import PlanItemStatus, ToolDigest, ToolStatus
from longshift.policy import calls, notes
from longshift.policy.normalise import normalise

_FAILED = frozenset({ToolStatus.ERROR, ToolStatus.LOST})


def of_step(state: AgentState) -> StepEvidence:
    """The evidence of the open step, as it is about to be closed."""
    results = {result.index: result for result in state.results}
    refused = {answer.index for answer in state.answers if not answer.allowed}
    checks = state.checks if state.checked_step == state.step else None
    is_refused = calls.finish_call(state) is not None and state.finish_refused not in {None, notes.FINISH_UNHEARD}
    return StepEvidence(
        step=state.step,
        calls=tuple(_of_call(call, results.get(call.index), call.index in refused) for call in state.calls),
        green=None if checks is None else sum(result.passed for result in checks.results),
        checks="" if checks is None else checks_hash(checks),
        finish_refused=is_refused,
        plan_done=sum(item.status is PlanItemStatus.DONE for item in state.plan),
        tokens=state.usage.total_tokens - state.stuck.spent_tokens,
        compacted=state.step == state.epoch_first_step > state.first_step,
    )


def checks_hash(checks: ChecksDigest) -> str:
    """Of which checks are red and how, times and the like left out (16 hex digits); empty where none is."""
    red = [f"{result.name}\0{normalise(result.detail)}" for result in checks.results if not result.passed]
    text = "\0".join((*red, *checks.protected_changes, *checks.out_of_scope))
    if not text:
        return ""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _of_call(call: CallDigest, result: ToolDigest | None, refused: bool) -> CallEvidence:
    evidence = CallEvidence(
        name=call.name,
        signature=call.arguments_hash,
        rejected=call.rejected or (refused and call.needs_approval),
        summary=call.summary,
    )
    if result is None:
        return evidence
    return evidence.model_copy(
        update={
            "result": result.result_hash,
            "result_bytes": result.result_bytes,
            "failed": result.status in _FAILED,
            "changes": result.changes_workspace,
            "waits": result.waits,
        }
    )
