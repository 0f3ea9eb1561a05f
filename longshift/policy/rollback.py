"""Undoing steps: when it is due, what is refused, and what an agent is afterwards.

Anything may ask for it, a person or the runner itself. The files are put back first, then a new epoch goes on from the
earlier step; whatever is cut off in between is done once more from the beginning, which changes nothing that is done
already. Step numbers go on counting, so that no key is ever used twice.
"""

import re
from collections.abc import Sequence

from longshift.contracts.agent import AgentState, Phase
from longshift.contracts.rollback import ConversationRolledBack, FilesRolledBack, Rollback, StepsFound
from longshift.contracts.transcript import Note, Speaker
from longshift.policy import completion, notes, recall, stuck

_BETWEEN_STEPS = frozenset({Phase.MODEL, Phase.COMPACT, Phase.HANDOFF})
_WHO = {Speaker.PERSON: "a person", Speaker.RUNNER: "the runner"}
_NAME = re.compile(r"step (\d+)(?: of (\S+?))?(: back to step \d+)?")


def is_due(state: AgentState) -> bool:
    """Whether steps are to be undone now: it comes before a model call, a compaction, a last note and a pause."""
    return state.rollback is not None and state.phase in _BETWEEN_STEPS


def holds_up(state: AgentState) -> bool:
    """Whether an agent waits that should undo steps instead."""
    return state.rollback is not None and state.phase in {Phase.PARKED, Phase.WAITING}


def refusal(found: StepsFound, to_step: int) -> str:
    """Why an agent whose transcript has come so far cannot go back to a step; empty when it can."""
    beginning = found.first - 1
    if to_step > found.last:
        there = f"steps {beginning} (the beginning) to {found.last} are there"
        return f"to_step: there is no step {to_step} yet; {there if found.last else 'no step has been made yet'}"
    if to_step < beginning:
        return (
            f"to_step: step {to_step} is another session's; this one begins after step {beginning}, or choose a later"
        )
    if to_step == found.tip:
        return f"to_step: nothing to undo, as step {to_step} is the last one; choose an earlier step"
    return ""


def checkpoint_name(step: int, agent: str, back_to_step: int | None) -> str:
    """How a checkpoint is called in the shadow repository."""
    whose = f" of {agent}" if agent else ""
    return f"step {step}{whose}" + ("" if back_to_step is None else f": {back_to(back_to_step)}")


def back_to(step: int) -> str:
    """A rollback in a few words."""
    return f"back to step {step}"


def is_own(agent: str, whose: str) -> bool:
    """Whether a checkpoint is the agent's; one without a name is of an earlier release."""
    return whose in ("", agent)


def counts(agent: str, whose: str, step: int, back_to_step: int | None, to_step: int) -> bool:
    """Whether a checkpoint may have the files after `to_step` of an agent; the newest that may has them.

    Those of other agents are older than its first step. A rollback's was taken when `step` was over.
    """
    if not is_own(agent, whose):
        return True
    return step < to_step or (step == to_step and back_to_step is None)


def newest_of(names: Sequence[str], agent: str, to_step: int) -> tuple[int, int] | None:
    """Of checkpoints by name, newest first, the index of the one with the files after `to_step`, and its step.

    The step is 0 where they are what the agent has found.
    """
    found: list[tuple[tuple[int, bool], int]] = []
    for index, name in enumerate(names):
        match = _NAME.fullmatch(name)
        if match is None or not counts(agent, match[2] or "", int(match[1]), 0 if match[3] else None, to_step):
            continue
        own = is_own(agent, match[2] or "")
        found.append(((int(match[1]), bool(match[3])) if own else (0, False), -index))
    if not found:
        return None
    (step, _), negative = max(found)
    return -negative, step


def after(state: AgentState, wish: Rollback, files: FilesRolledBack, done: ConversationRolledBack) -> AgentState:
    """The agent after a rollback; what was spent stays spent. Another wish that came meanwhile is still to be done.

    The outcome of checks is forgotten: it was that of other files.
    """
    return state.model_copy(
        update={
            "rollback": None if state.rollback == wish else state.rollback,
            "phase": Phase.MODEL,
            "epoch": done.epoch,
            "epoch_first_step": done.first_step,
            "epoch_profile": "",
            "context_tokens": done.context_tokens,
            "estimated_tokens": done.context_tokens,
            "context_bytes": done.context_bytes,
            "needs_room": False,
            "overflow_streak": 0,
            "cleared_step": state.cleared_step if state.cleared_step <= wish.to_step else 0,
            "recall": recall.after_rollback(state.recall, wish.to_step),
            "stuck": stuck.forgotten(state.stuck, wish.to_step),
            "completion": completion.forgotten(state.completion, wish.to_step),
            "plan": done.plan,
            "checks": None,
            "idle_answers": 0,
            "attention": None,
            "last_calls": back_to(wish.to_step),
            "notes": _notes(state, wish, files, done),
            "rollbacks": state.rollbacks + 1,
            "last_rollback": f"to step {wish.to_step}, after step {state.step - 1}, by {_WHO[wish.by]}",
        }
    )


def _notes(state: AgentState, wish: Rollback, files: FilesRolledBack, done: ConversationRolledBack) -> tuple[Note, ...]:
    """What the next request brings. What was said of an earlier state of the files stands before the word on it."""
    told = notes.rolled_back(state.workspace, wish, state.step - 1, files, has_people=bool(done.people))
    first = [note for note in state.notes if note.message_id.startswith(notes.MOVED)]
    rest = [note for note in state.notes if note not in first]
    name = "rollback" if wish.by is Speaker.RUNNER else "undone"
    rolled_back = Note(speaker=Speaker.RUNNER, text=told, message_id=f"{name} {done.epoch}")
    reason = Note(speaker=Speaker.PERSON, text=wish.reason, message_id=wish.request_id)
    said = [reason] if wish.reason and wish.by is Speaker.PERSON else []
    return (*first, rolled_back, *done.people, *said, *rest)
