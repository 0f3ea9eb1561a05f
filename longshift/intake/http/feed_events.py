"""What a listener is told, and how that looks as server-sent events (WHATWG HTML, section 9.2). Pure functions."""

import json
from dataclasses import dataclass
from typing import Any

from longshift.intake.http.answers import SessionDocument
from longshift.policy import swarm_words

END = "end"
"""The id of the last event: a browser that comes back with it need not come back again."""
NAMES = ("state", "progress", "attention", "remark", "end")
HEARTBEAT = b": heartbeat\n\n"
OPENING = b"retry: 2000\n\n"
"""Milliseconds after which a browser comes back when the connection breaks."""


@dataclass(frozen=True)
class Event:
    """One event of a session's feed."""

    number: int
    id: str
    name: str
    data: Any

    def encoded(self) -> bytes:
        """The event on the wire; JSON has no line ends, so one data line holds it."""
        return f"id: {self.id}\nevent: {self.name}\ndata: {json.dumps(self.data)}\n\n".encode()


def state_data(about: SessionDocument) -> dict[str, Any]:
    """Where the session stands; this and its like are compared, so they hold nothing that changes by itself."""
    status = about.status
    return {
        "task_id": about.task_id,
        "state": status.state.value,
        "reason": status.reason,
        "shift": status.shift,
        "needs_person": about.needs_person,
    }


def progress_data(about: SessionDocument) -> dict[str, Any]:
    """How far the agent is."""
    now = about.progress
    return {
        "task_id": about.task_id,
        "step": about.step,
        "tokens": about.tokens,
        "cost_usd": about.cost_usd,
        "next_action": about.next_action,
        "phase": now.phase.value if now else None,
        "checks": now.checks.headline if now and now.checks else None,
        "swarm": swarm_words.line(about.status.swarms[-1]) if about.status.swarms else None,
        "plan": [item.model_dump(mode="json") for item in now.plan] if now else [],
    }


def attention_data(about: SessionDocument) -> dict[str, Any]:
    """What the session waits for; no kind when it does not wait any more."""
    found = about.status.attention
    return {"task_id": about.task_id, "kind": found.kind if found else None, "text": found.text if found else ""}
