"""Sessions as the engine would tell them, and what a terminal shows of a page."""

import io
from typing import Any

from rich.console import Console, RenderableType

from longshift.contracts.agent import AgentProgress, Phase
from longshift.contracts.model import Usage
from longshift.contracts.session import SessionState, SessionStatus
from longshift.sessions.view import SessionView

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\u202egnp.exe\u200b\u061c"
"""A window title, a cleared screen, an 8-bit colour, an overwritten line, text from right to left, nothing visible."""
UNSAFE = frozenset("\x1b\x07\x9b\r\u202e\u200b\u061c")


def shown(*renderables: RenderableType, width: int = 120) -> str:
    """What stands on the terminal, without colours."""
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, emoji=False)
    for each in renderables:
        console.print(each)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def status(state: SessionState = SessionState.RUNNING, **fields: Any) -> SessionStatus:
    """A session named `mend`."""
    given: dict[str, Any] = {"task_id": "mend", "title": "Mend it", "state": state, "profile": "kimi-k2.6"}
    return SessionStatus(**{**given, **fields})


def progress(**fields: Any) -> AgentProgress:
    """Its agent, in step 3."""
    given: dict[str, Any] = {
        "agent": "mend/lead",
        "phase": Phase.MODEL,
        "step": 3,
        "epoch": 1,
        "context_tokens": 50_000,
        "window_tokens": 200_000,
        "usage": Usage(),
        "cost_usd": 1.5,
        "tool_calls": 7,
        "compactions": 0,
        "runs": 1,
    }
    return AgentProgress(**{**given, **fields})


def view(state: SessionState = SessionState.RUNNING, **fields: Any) -> SessionView:
    """What is known of the session."""
    return SessionView(status(state, **fields), progress=progress())
