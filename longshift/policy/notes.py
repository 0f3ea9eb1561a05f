"""The runner's own words to the model: every text that is neither the model's, a tool's nor a person's."""

from longshift.contracts.agent import AgentState
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.reviews import Decision
from longshift.contracts.rollback import FilesRolledBack, Rollback
from longshift.contracts.stuck import Signal
from longshift.contracts.transcript import Note, Speaker
from longshift.contracts.workspace import Workspace

FINISH_ACCEPTED = "Accepted: every declared check passes. The session ends here."
FINISH_UNHEARD = (
    "Not finished yet: a message came meanwhile, and it follows. Take it into account, then call finish again."
)
NOT_RUN = "No result: the session was stopped before or while this call ran."
LOST = (
    "The outcome of this command is unknown: its supervisor died while it ran. It was not run again. "
    "It may have had none, some or all of its effects: inspect the workspace before you repeat it."
)
LOST_WITH_HOST = (
    "The outcome of this call is unknown: the machine that it ran on is gone. It was not run again. What it changed "
    "outside of the workspace may stand; of the workspace, a message tells which state it is in now."
)
NO_CALL = (
    "Your answer contained no tool call, so nothing happened. Go on with the task by calling a tool. "
    "When the task is complete, call finish; if something blocks you, say in finish what it is."
)
TRUNCATED = (
    "Your answer was cut off by the output limit in the middle of a tool call, and that call was not run. "
    "Make smaller calls: write large files in several parts."
)
CUT = "Your answer was cut off by the output limit. Go on, in shorter answers."
LEAKED = (
    "Your tool calls arrived as plain text and were not run. Call tools through the tool interface, "
    "one well-formed call at a time."
)
NOBODY_IS_ASKED = (
    "Nobody is asked in this session: decide yourself, by the task and what you find, and name in your summary what "
    "you have assumed."
)
NEEDS_PLAN = (
    "Not run: in this session a person approves the plan before anything is changed. Look around with the reading "
    "tools, then call update_plan with the whole plan, and go on when it is approved."
)
NOT_ANSWERED = (
    "No answer: somebody let the session go on instead. If a message follows, it may be what you need; else decide "
    "yourself."
)
SAME_PLAN = (
    "This plan is largely the one that failed. Write another one with update_plan: another cause to look for, another "
    "way to the goal, or a smaller step that proves what is assumed."
)
CHECKS_LIMIT_CHARACTERS = 12_000
MOVED = "moved"
"""Message ids that begin so are about a workspace that was made again."""


def of_answer(state: AgentState) -> tuple[Note, ...]:
    """What the runner has to say about the current answer itself."""
    text = _about_answer(state)
    return (Note(speaker=Speaker.RUNNER, text=text),) if text else ()


def _about_answer(state: AgentState) -> str:
    if state.stop_reason == "truncated":
        return TRUNCATED
    if state.calls:
        return ""
    if state.stop_reason == "leaked":
        return LEAKED
    return CUT if state.stop_reason == "max_tokens" else NO_CALL


def finish_refused(checks: ChecksDigest, *, proposed: bool = False) -> str:
    """The result of a `finish` whose checks are red: the evidence, so that the agent can go on."""
    which = "checks of your plan" if proposed else "declared checks"
    lines = [f"Not finished: {checks.headline}. The runner ran the {which} itself; this is what it saw."]
    lines += [f"\n[{'green' if result.passed else 'RED'}] {result.name}: {result.detail}" for result in checks.results]
    if checks.protected_changes:
        listed = "\n  ".join(checks.protected_changes[:50])
        lines.append(f"\n[RED] protected files were changed; restore them:\n  {listed}")
    if checks.out_of_scope:
        listed = "\n  ".join(checks.out_of_scope[:50])
        lines.append(
            "\n[RED] files outside of your write scope were changed; put them back as they were when you began "
            f"(git may help: `git diff`), and report in finish what would have to change there:\n  {listed}"
        )
    lines.append("\nMake the red ones green, then call finish again.")
    text = "\n".join(lines)
    return text if len(text) <= CHECKS_LIMIT_CHARACTERS else text[:CHECKS_LIMIT_CHARACTERS] + "\n[cut]"


def wrap_up(remaining_seconds: float) -> str:
    """The warning before the end of the session's time."""
    minutes = max(1, round(remaining_seconds / 60))
    return (
        f"About {minutes} minutes of this session are left. Bring the work into a consistent state now: finish or "
        "revert what is half done, run the checks, and call finish if the task is complete. What is left open will be "
        "handed over in a note."
    )


def nearly_used_up(text: str) -> str:
    """A budget comes to its end."""
    return (
        f"{text}. Spend the rest on what the task needs most: bring the work into a consistent state, keep answers and "
        "outputs short, and call finish as soon as the task is done."
    )


def not_approved(decision: Decision) -> str:
    """The result of a call that a person did not let run."""
    said = f" They say: {decision.text}" if decision.text else ""
    return f"Not run: a person decided against this call.{said} Find another way, or ask."


def nudge(signals: tuple[Signal, ...]) -> str:
    """The first rung: what the runner sees."""
    return (
        f"The runner has the impression that you are stuck:\n{_evidence(signals)}\n"
        "If this is intended, go on. Otherwise stop repeating it: say what you assumed, check that assumption with one "
        "small experiment, and change the approach."
    )


def replan(signals: tuple[Signal, ...], failed: tuple[str, ...]) -> str:
    """The second rung: a new plan is demanded."""
    given_up = "\n".join(f"- {approach}" for approach in failed)
    return (
        f"You are stuck:\n{_evidence(signals)}\n"
        f"This approach counts as failed. What has failed so far:\n{given_up}\n"
        "Before anything else call update_plan with a plan that does not repeat it: name the cause that you suspect "
        "now, how you will prove or disprove it, and what you do then."
    )


def undone(signal: Signal) -> str:
    """Why the runner rolls back."""
    return (
        f"the last steps made it no better ({signal.kind.value.replace('_', ' ')}: {' '.join(signal.evidence)}). "
        "Start again from here, in another way"
    )


def _evidence(signals: tuple[Signal, ...]) -> str:
    return "\n".join(f"- {signal.kind.value.replace('_', ' ')}: {' '.join(signal.evidence)}" for signal in signals)


def must_be_heard(note: Note) -> bool:
    """Whether a message may change what is to do: a person's, or that files are missing."""
    return note.speaker is Speaker.PERSON or note.message_id.startswith(MOVED)


def moved(
    workspace: Workspace,
    missing: tuple[int, ...],
    gap: tuple[int, int] | None,
    *,
    is_own: bool = True,
    back_to_step: int | None = None,
) -> str:
    """What an agent has to know of a workspace that was made again on another host.

    `missing` are the steps whose changes are known to be gone, `gap` the first and last of more that may be. Without
    `is_own` the files are those that another agent had left, before the first step of this one. They are those after
    `back_to_step` where they had been rolled back to it.
    """
    restoration = workspace.restoration
    step = (restoration.step if restoration else 0) if back_to_step is None else back_to_step
    if step and is_own:
        first = (
            "The machine that held your workspace was lost, and the workspace was made again on another one, at "
            f"{workspace.root}. Its files are those after step {step}."
        )
    else:
        origin = "as you found it" if step else "from its source"
        first = (
            "The machine that held your workspace was lost before any of your changes was saved. The workspace was "
            f"made again {origin} on another one, at {workspace.root}."
        )
    lines = [first]
    if gap:
        lines.append(f"A saved state was damaged: changes of the steps {gap[0]} to {gap[1]} are missing.")
    if missing:
        lines.append(
            f"The changes of these steps are missing: {', '.join(map(str, missing))}. Look, and do them again."
        )
    if not missing and not gap:
        lines.append("No change of yours is missing.")
    lines += [
        "Commands and background jobs that ran there are gone. The setup has run again; anything else that you "
        "installed or left outside of the workspace's files is gone.",
        *(restoration.remarks if restoration else ()),
    ]
    return "\n".join(lines)


def rolled_back(workspace: Workspace, wish: Rollback, last: int, files: FilesRolledBack, *, has_people: bool) -> str:
    """What an agent has to know of steps that were undone; `last` is the last one of them."""
    who, step = "A person" if wish.by is Speaker.PERSON else "The runner", wish.to_step
    where = f"the state after step {step}" if step else "its beginning"
    undone = f"steps {step + 1} to {last} are undone" if step < last else "that step is undone no more"
    if step + 1 == last:
        undone = f"step {last} is undone"
    as_of = f"those after step {step} again" if step else "as they were at the beginning again"
    recorded = f" (recorded after step {files.recorded_step})" if 0 < files.recorded_step < step else ""
    lines = [
        f"{who} rolled this session back to {where}: {undone}. The files at {workspace.root} are {as_of}{recorded}.",
        "What was done outside of these files stands, and files that ignore rules exclude are as they were left. "
        "Background jobs were ended; start again what you still need.",
        f"Steps are counted on: the next one is step {last + 1}.",
        *files.remarks,
    ]
    if wish.reason and wish.by is Speaker.RUNNER:
        lines.append(f"The reason: {wish.reason}")
    if has_people:
        lines.append("What people said in the undone steps follows; it still holds.")
    return "\n".join(lines)


def jobs_ended(count: int) -> str:
    """Background jobs that were ended because the session waited."""
    return (
        f"While this session waited, its place on the machine was given back, and {count} running "
        f"{'command was' if count == 1 else 'commands were'} ended. Start again what you still need."
    )


_PERSON = "<message-from-person>"


def is_from_person(text: str) -> bool:
    """Whether a text is a rendered message of a person."""
    return text.startswith(_PERSON)


def rendered(note: Note) -> str:
    """A note as the model reads it: people and the runner are told apart."""
    if note.speaker is Speaker.PERSON:
        return f"{_PERSON}\n{note.text}\n</message-from-person>"
    return f"<message-from-runner>\n{note.text}\n</message-from-runner>"
