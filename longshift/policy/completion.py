"""Whether a `finish` is accepted: claims that the record does not support, checks that the agent proposed, a verdict.

The loop calls these functions and moves the state; words for the model are in `proof_notes`. Agents of earlier releases
have no record and are never judged by one.
"""

from collections.abc import Sequence

from longshift.contracts.agent import AgentState
from longshift.contracts.completion import (
    CheckSource,
    CommandEnd,
    CommandRun,
    Completion,
    CompletionReport,
    ProposedCheck,
    Verdict,
)
from longshift.contracts.ids import job_id
from longshift.contracts.model import CallDigest
from longshift.contracts.reviews import Ask, AskKind, Decision
from longshift.contracts.tools import ToolDigest, ToolStatus
from longshift.contracts.transcript import Note, Speaker
from longshift.contracts.workspace import Restoration
from longshift.policy import asking, claims, ladder, proof_notes
from longshift.policy.reviews import options_of

KEPT_COMMANDS = 40
KEPT_WEAKENINGS = 10
KEPT_VERDICTS = 5
MAX_CLAIM_REFUSALS = 2
"""So often a `finish` is refused for claims alone; then it is accepted, and the report names them."""
_WRITING = frozenset({"write_file", "edit_file"})
_ENDS = {ToolStatus.OK: CommandEnd.OK, ToolStatus.ERROR: CommandEnd.FAILED}


def took_result(state: AgentState, digest: ToolDigest) -> AgentState:
    """The agent with what the result of a call says about commands and checks."""
    call = next((call for call in state.calls if call.index == digest.index), None)
    if call is None:
        return state
    commands = _recorded(state.completion.commands, state.step, call, digest)
    if commands is not state.completion.commands:
        state = _with(state, commands=commands)
    return _took_plan(state, digest.proposed) if digest.plan is not None else state


def with_tree(state: AgentState, step: int, tree: str) -> AgentState:
    """The hash of the files after a step, for the commands that ran since the checkpoint before."""
    known = state.completion.commands
    if not any(not run.tree and run.step <= step for run in known):
        return state
    return _with(
        state,
        commands=tuple(
            run.model_copy(update={"tree": tree}) if not run.tree and run.step <= step else run for run in known
        ),
    )


def forgotten(state: Completion, after_step: int) -> Completion:
    """What is left where the steps after `after_step` are undone, or their files are gone."""
    kept = tuple(run for run in state.commands if run.step <= after_step)
    return state.model_copy(update={"commands": kept, "claims": ()})


def restored(state: AgentState, restoration: Restoration) -> Completion:
    """What is left where the files were made again on another host: what ran on files that are lost says nothing."""
    own = restoration.agent in ("", state.agent)
    return forgotten(state.completion, restoration.step if own else 0)


def has_something_to_run(state: AgentState) -> bool:
    """Whether checks are to be run on the host at `finish`, declared or proposed."""
    return state.has_checks or bool(state.completion.proposed)


def has_something_to_prove(state: AgentState, finish: CallDigest) -> bool:
    """Whether `finish` is more than its own word: there are checks, claims, or somebody who judges."""
    return has_something_to_run(state) or bool(finish.claims or state.completion.claims) or state.verifier is not None


def with_claims(state: AgentState, finish: CallDigest) -> AgentState:
    """The agent with the claims of its `finish`, judged by the record. All checkpoints asked for have been taken."""
    judged = claims.judged(
        finish.claims,
        state.completion.commands,
        root=state.workspace.root,
        tree=state.checkpoint.tree_hash if state.checkpoint else "",
        written_step=state.step if _has_written(state) else 0,
    )
    return _with(state, claims=judged)


def claims_refusal(state: AgentState) -> str:
    """Why the claims of the open `finish` keep it from being accepted; empty: they do not."""
    unproved = report(state).unproved
    if not unproved or state.completion.claim_refusals >= MAX_CLAIM_REFUSALS:
        return ""
    return proof_notes.claims_unproved(unproved, is_last=state.completion.claim_refusals + 1 == MAX_CLAIM_REFUSALS)


def refused_for_claims(state: AgentState) -> AgentState:
    """One more `finish` was refused for its claims."""
    return _with(state, claim_refusals=state.completion.claim_refusals + 1)


def took_verdict(state: AgentState, verdict: Verdict) -> AgentState:
    """The agent with a verifier's verdict."""
    verdicts = (*state.completion.verdicts, verdict)[-KEPT_VERDICTS:]
    return _with(state, verdicts=verdicts, rejections=0 if verdict.accepted else state.completion.rejections + 1)


def verdict_wish(state: AgentState) -> Ask | None:
    """What a person is asked after too many rejections in a row."""
    if state.verifier is None or state.completion.rejections < state.verifier.max_rejections:
        return None
    said = [line for verdict in state.completion.verdicts[-1:] for line in proof_notes.verdict_lines(verdict)]
    return Ask(
        id=asking.ask_id(state, AskKind.VERDICT),
        kind=AskKind.VERDICT,
        question=(
            f"The verifier has rejected the work {state.completion.rejections} times in a row; "
            "the agent says it is done. What now?"
        ),
        evidence=(*said[:15], f"The agent's summary: {state.last_text}"[:2_000]),
        options=options_of(AskKind.VERDICT),
        agent=state.agent,
        step=state.step,
    )


def last_refusal(state: AgentState) -> str:
    """The latest rejection, in words for the model."""
    verdicts = state.completion.verdicts
    return proof_notes.rejected(verdicts[-1]) if verdicts else ""


def decided(state: AgentState, decision: Decision) -> tuple[AgentState, str | None]:
    """A person's word on rejected work: the agent with it, and why its `finish` is refused (None: it is accepted)."""
    if decision.option == "accept":
        known = state.completion.verdicts
        by = decision.by or "a person"
        overruled = tuple(each.model_copy(update={"overruled_by": by}) for each in known[-1:])
        return _with(state, verdicts=(*known[:-1], *overruled), rejections=0), None
    if decision.text:
        said = Note(speaker=Speaker.PERSON, text=decision.text, message_id=decision.ask_id)
        state = state.model_copy(update={"notes": (*state.notes, said)})
    return _with(state, rejections=0), last_refusal(state)


def withdrawn(state: AgentState) -> tuple[AgentState, str]:
    """Somebody let the agent go on instead of deciding: the rejection stands, and the count begins anew."""
    return _with(state, rejections=0), last_refusal(state)


def report(state: AgentState) -> CompletionReport:
    """What stands behind the work, for people."""
    known = state.completion
    source = CheckSource.PROPOSED if known.proposed else CheckSource.NONE
    if state.has_checks and not state.takes_checks:
        source = CheckSource.DECLARED
    return CompletionReport(
        source=source,
        proposed=known.proposed,
        weakened=known.weakened,
        claims=known.claims,
        verdicts=known.verdicts,
    )


def accepted(state: AgentState) -> str:
    """The result of a `finish` that is accepted."""
    return proof_notes.accepted(report(state))


def _recorded(known: tuple[CommandRun, ...], step: int, call: CallDigest, digest: ToolDigest) -> tuple[CommandRun, ...]:
    if digest.ended_job:
        end = CommandEnd.OK if digest.ended_ok else CommandEnd.FAILED
        return tuple(
            run.model_copy(update={"end": end}) if job_id(run.step, run.index) == digest.ended_job else run
            for run in known
        )
    if call.name in _WRITING and digest.changes_workspace:
        return tuple(
            run.model_copy(update={"overtaken": True}) if run.step == step and run.index < call.index else run
            for run in known
        )
    if not call.command:
        return known
    end = CommandEnd.UNKNOWN if call.background else _ENDS.get(digest.status, CommandEnd.UNKNOWN)
    run = CommandRun(text=call.command, step=step, index=call.index, end=end)
    return (*(each for each in known if each.text != call.command), run)[-KEPT_COMMANDS:]


def _has_written(state: AgentState) -> bool:
    """Whether the open step has certainly changed files; no checkpoint knows of it yet."""
    writing = {call.index for call in state.calls if call.name in _WRITING}
    return any(result.index in writing and result.changes_workspace for result in state.results)


def _took_plan(state: AgentState, proposed: tuple[ProposedCheck, ...] | None) -> AgentState:
    known = state.completion
    if not state.takes_checks:
        if not proposed or not state.has_checks or known.told_ignored:
            return state
        return _told(_with(state, told_ignored=True), proof_notes.CHECKS_IGNORED)
    if proposed is None:
        if known.proposed or known.was_asked:
            return state
        return _told(_with(state, was_asked=True), proof_notes.CHECKS_WANTED)
    new = _with_unique_names(proposed)
    changes = _weakened(known.proposed, new)
    if not changes:
        return _with(state, proposed=new)
    lines = tuple(f"step {state.step}: {change}" for change in changes)
    state = _with(state, proposed=new, weakened=(*known.weakened, *lines)[-KEPT_WEAKENINGS:])
    return ladder.told(state, f"The agent changed the checks that it had proposed: {'; '.join(changes)}")


def _with_unique_names(checks: Sequence[ProposedCheck]) -> tuple[ProposedCheck, ...]:
    names: list[str] = []
    for check in checks:
        name, number = check.name, 2
        while name in names:
            name, number = f"{check.name[:56]} {number}", number + 1
        names.append(name)
    return tuple(check.model_copy(update={"name": name}) for check, name in zip(checks, names, strict=True))


def _weakened(old: Sequence[ProposedCheck], new: Sequence[ProposedCheck]) -> list[str]:
    """Which checks are gone, or prove something else now, in words; another name for the same command is none."""
    commands = {" ".join(check.run.split()) for check in new}
    by_name = {check.name: check for check in new}
    changes: list[str] = []
    for check in old:
        if " ".join(check.run.split()) in commands:
            continue
        now = by_name.get(check.name)
        became = f"now runs `{now.run[:100]}`" if now is not None else "was dropped"
        changes.append(f"{check.name} (`{check.run[:100]}`) {became}")
    return changes


def _told(state: AgentState, text: str) -> AgentState:
    note = Note(speaker=Speaker.RUNNER, text=text)
    return state.model_copy(update={"notes": (*state.notes, note)})


def _with(state: AgentState, **changes: object) -> AgentState:
    return state.model_copy(update={"completion": state.completion.model_copy(update=changes)})
