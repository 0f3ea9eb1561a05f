"""How the end of a command is told to the model. Times appear only where they are long enough to matter."""

import os
import signal
from typing import Final

from longshift.adapters.process.run_state import Finished, Lost, RunOutput

LONG_SECONDS: Final = 30.0
"""From here on a command's duration is named."""

_KILLED: Final = 128 + signal.SIGKILL
"""As shells and sandboxes report it."""

OUT_OF_MEMORY: Final = "its commands together used up the memory that it may use"

LOST_TEXT: Final = (
    "The command's outcome is unknown: {why}. It may have had any part of its effects, and it was not run again. "
    "Inspect the state of the workspace before repeating it."
)


def shown_output(output: RunOutput) -> str:
    """The output without the blank lines at its end."""
    return output.text.rstrip() or "(no output)"


def ending(state: Finished, timeout_seconds: float | None) -> str:
    """How a command ended, without brackets: `exit code 1 in 95 s`."""
    parts: list[str] = []
    if state.timed_out:
        limit = "" if timeout_seconds is None else f" after {timeout_seconds:g} s"
        parts.append(f"timed out{limit}: the whole process group was killed")
    elif state.killed_reason is not None:
        parts.append(f"killed: {state.killed_reason}")
    elif state.signal is not None:
        parts.append(f"ended by {_signal_name(state.signal)}")
    else:
        took = f" in {state.duration_seconds:.0f} s" if state.duration_seconds >= LONG_SECONDS else ""
        unexplained = state.exit_code == _KILLED and not state.oom_kills
        hint = " (killed by SIGKILL, perhaps for want of memory)" if unexplained else ""
        parts.append(f"exit code {state.exit_code}{hint}{took}")
    if state.oom_kills:
        parts.append(f"{_processes(state.oom_kills)} of the session killed by the kernel: {OUT_OF_MEMORY}")
    if state.refused_forks:
        parts.append("the session's commands had as many processes as they may have, further ones were refused")
    if state.io_errno is not None:
        parts.append(f"the output is incomplete: {os.strerror(state.io_errno)}")
    if state.survivors:
        parts.append(f"{state.survivors} of its processes could not be killed")
    return "; ".join(parts)


def lost_text(state: Lost, output: RunOutput) -> str:
    """What the model is told of a command that may or may not have done its work."""
    text = LOST_TEXT.format(why=state.why)
    return f"{text}\nIts output up to then:\n{output.text.rstrip()}" if output.text.strip() else text


def is_success(state: Finished) -> bool:
    """Whether the command ended by itself with exit code 0."""
    return state.exit_code == 0 and not state.timed_out and state.killed_reason is None


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
