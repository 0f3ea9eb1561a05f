"""The JSON form of a transcript's entries: one object each, `event` says of which kind. Pure functions."""

from typing import Any

from longshift.sessions.transcript_reader import AnswerEntry, Entry, HandoffEntry, OpeningEntry, SealEntry


def document(entry: Entry) -> dict[str, Any]:
    """The JSON form of an entry."""
    match entry:
        case OpeningEntry():
            base = entry.base.model_dump(mode="json", exclude={"system", "tools"})
            return {"event": "opening", "agent": entry.agent, "epoch": entry.epoch, **base}
        case AnswerEntry():
            return {"event": "answer", **_place(entry), **entry.answer.model_dump(mode="json")}
        case HandoffEntry():
            return {"event": "handoff", "agent": entry.agent, **entry.record.model_dump(mode="json")}
        case SealEntry():
            return {"event": "seal", **_place(entry), "results": entry.results, "notes": entry.notes}


def _place(entry: AnswerEntry | SealEntry) -> dict[str, Any]:
    return {"agent": entry.agent, "epoch": entry.epoch, "step": entry.step}
