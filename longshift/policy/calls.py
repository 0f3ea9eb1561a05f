"""The calls of an answer: which run together, which still have to run, and how each one is answered in the seal."""

from longshift.contracts.agent import AgentState
from longshift.contracts.model import CallDigest, ToolClass
from longshift.contracts.tools import ASK_HUMAN, DELEGATE, FINISH, ToolDigest, ToolStatus
from longshift.contracts.transcript import SealedResult
from longshift.policy import notes

NOT_ON_HOST = frozenset({FINISH, ASK_HUMAN, DELEGATE})
"""Calls that the workflow itself carries out."""


def batches(calls: tuple[CallDigest, ...]) -> tuple[tuple[CallDigest, ...], ...]:
    """Neighbouring pure calls run together; everything else runs alone, in the model's order."""
    grouped: list[tuple[CallDigest, ...]] = []
    for call in calls:
        if grouped and call.tool_class is ToolClass.PURE and grouped[-1][-1].tool_class is ToolClass.PURE:
            grouped[-1] = (*grouped[-1], call)
        else:
            grouped.append((call,))
    return tuple(grouped)


def unanswered_calls(state: AgentState) -> tuple[CallDigest, ...]:
    """The calls of the current answer that still have to run on the host."""
    answered = {result.index for result in state.results} | {said.index for said in state.answers if not said.allowed}
    return tuple(
        call
        for call in state.calls
        if not call.rejected and call.name not in NOT_ON_HOST and call.index not in answered
    )


def finish_call(state: AgentState) -> CallDigest | None:
    """The answer's `finish`, if there is a usable one."""
    return next((call for call in state.calls if call.name == FINISH and not call.rejected), None)


def delegate_call(state: AgentState) -> CallDigest | None:
    """The answer's `delegate` that has no result yet, if there is a usable one."""
    over = {result.index for result in state.results} | {said.index for said in state.answers if not said.allowed}
    open_ones = (call for call in state.calls if call.name == DELEGATE and not call.rejected)
    return next((call for call in open_ones if call.index not in over), None)


def sealed_results(state: AgentState, accepted: str = notes.FINISH_ACCEPTED) -> tuple[SealedResult, ...]:
    """One line per call, in the model's order; `accepted` is what a `finish` is told that is not refused."""
    by_index = {result.index: result for result in state.results}
    return tuple(_sealed_result(state, call, by_index.get(call.index), accepted) for call in state.calls)


def _sealed_result(state: AgentState, call: CallDigest, result: ToolDigest | None, accepted: str) -> SealedResult:
    if call.rejected:
        return SealedResult(call_id=call.call_id, index=call.index, is_error=True)
    if call.name == FINISH:
        refused = state.finish_refused
        text = accepted if refused is None else refused
        return SealedResult(call_id=call.call_id, index=call.index, text=text, is_error=refused is not None)
    said = next((said for said in state.answers if said.index == call.index and not said.allowed), None)
    if said is not None:
        is_error = call.name != ASK_HUMAN
        return SealedResult(call_id=call.call_id, index=call.index, text=said.text, is_error=is_error)
    if result is None:
        return SealedResult(call_id=call.call_id, index=call.index, text=notes.NOT_RUN, is_error=True)
    text = notes.LOST_WITH_HOST if result.lost_with_host else None
    is_error = result.status is not ToolStatus.OK
    return SealedResult(
        call_id=call.call_id, index=call.index, text=text, is_error=is_error, generation=result.generation
    )
