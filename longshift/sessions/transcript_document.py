"""The JSON form of a transcript's entries: one object each, `event` says of which kind. Pure functions."""

from typing import Any

from longshift.sessions.transcript_reader import AnswerEntry, Entry, HandoffEntry, OpeningEntry, SealEntry


def document(entry: Entry) -> dict[str, Any]:
    """The JSON form of an entry."""
    match entry:
        case OpeningEntry():
            base = {
                "messages": entry.base.messages,
                "first_step": entry.base.first_step,
                "cause": entry.base.cause.value,
                "carried": [steps.model_dump(mode="json") for steps in entry.base.carried],
            }
            return {"event": "opening", "agent": entry.agent, "epoch": entry.epoch, **base}
        case AnswerEntry():
            return {"event": "answer", **_place(entry), **entry.answer.model_dump(mode="json")}
        case HandoffEntry():
            return {"event": "handoff", "agent": entry.agent, **entry.record.model_dump(mode="json")}
        case SealEntry():
            return {"event": "seal", **_place(entry), "results": entry.results, "notes": entry.notes}


def _place(entry: AnswerEntry | SealEntry) -> dict[str, Any]:
    return {"agent": entry.agent, "epoch": entry.epoch, "step": entry.step}
