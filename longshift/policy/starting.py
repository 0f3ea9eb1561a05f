"""What an agent is told that goes on from another session: where its files are from, and what is missing.

What it starts with otherwise (a note, or a conversation) is read in `adapters.context.openings`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from longshift.contracts.model import ToolClass
from longshift.contracts.task import StartFrom
from longshift.contracts.transcript import AnswerRecord, Note, SealRecord, Speaker
from longshift.contracts.workspace import Workspace

WRITING = frozenset({"write_file", "edit_file"})
"""Tools that leave something to save whenever they succeed."""
SHIFT_BEFORE = "Written by yourself at the end of the shift before."


@dataclass(frozen=True)
class Worked:
    """What one step may have done to the files."""

    step: int
    wrote: bool
    """It certainly changed one."""
    ran: bool
    """Commands ran, which may have."""


def worked(step: int, answer: AnswerRecord, seal: SealRecord) -> Worked:
    """What a closed step may have done."""
    sound = {line.index for line in seal.results if not line.is_error}
    return Worked(
        step=step,
        wrote=any(call.name in WRITING and call.index in sound for call in answer.calls),
        ran=any(call.tool_class is ToolClass.EFFECT and not call.rejected for call in answer.calls),
    )


def missing_changes(steps: Sequence[Worked], saved_step: int, *, is_settled: bool) -> tuple[int, ...]:
    """The steps whose changes are not in the files of a checkpoint taken after `saved_step`.

    A command that left nothing to save has no checkpoint either, so commands count from the first certain change on;
    the last step's count unless `is_settled`, as its checkpoint may not have been taken yet.
    """
    later = [each for each in steps if each.step > saved_step and (each.wrote or each.ran)]
    first = next((index for index, each in enumerate(later) if each.wrote), len(later))
    if not is_settled and later and steps[-1].step == later[-1].step:
        first = min(first, len(later) - 1)
    return tuple(each.step for each in later[first:])


def written_by(session: str) -> str:
    """Whose note it is that a session begins with."""
    return f"Written at the end of the session {session}, whose work you go on with."


def first_notes(start: StartFrom, workspace: Workspace, missing: Sequence[int]) -> tuple[Note, ...]:
    """What goes with the first request: the runner's word, and the person's if there is one."""
    lead = _forked(start) if start.step is not None else _continued(start)
    told = Note(speaker=Speaker.RUNNER, text="\n".join([lead, *_about_files(workspace, missing)]), message_id="start")
    if not start.message.strip():
        return (told,)
    return told, Note(speaker=Speaker.PERSON, text=start.message, message_id="start message")


def resumed_notes(workspace: Workspace, missing: Sequence[int]) -> tuple[Note, ...]:
    """What an agent is told that goes on with its own conversation after an interruption."""
    lead = "You go on after an interruption; the conversation above is your own."
    return (
        Note(speaker=Speaker.RUNNER, text="\n".join([lead, *_about_files(workspace, missing)]), message_id="start"),
    )


def _forked(start: StartFrom) -> str:
    return (
        f"From here on this is another session, forked from the session {start.session} after step {start.step}. The "
        "conversation above is that session's; what happened in it after that step is not known here, and nothing that "
        "you do now concerns it. Background jobs and stored outputs that the conversation names are gone."
    )


def _continued(start: StartFrom) -> str:
    return (
        f"You go on with the work of the session {start.session}, which has ended: the note, the plan and the messages "
        "from people above are from it. Its background jobs are gone."
    )


def _about_files(workspace: Workspace, missing: Sequence[int]) -> list[str]:
    restoration = workspace.restoration
    lines = [f"The workspace is now at {workspace.root}; any other root that is named above meant that session's."]
    if restoration is not None and restoration.step:
        lines.append(f"Its files are those that were saved last, after step {restoration.step}.")
    if missing:
        lines.append(
            f"The changes of these steps are missing: {', '.join(map(str, missing))}. Look, and do them again."
        )
    else:
        lines.append("No change is known to be missing.")
    lines.append("The setup has run again; anything else that was installed or left outside of its files is gone.")
    return [*lines, *(restoration.remarks if restoration is not None else ())]
