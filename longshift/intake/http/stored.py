"""What a session left in the store: its transcript, and its artifacts. Needs no engine and no worker."""

from collections.abc import AsyncGenerator
from pathlib import PurePosixPath
from urllib.parse import quote

import orjson
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from longshift.contracts import ids
from longshift.intake.http.answers import ArtifactNames, TranscriptQuery
from longshift.intake.http.authority import require_visible_in_store
from longshift.intake.http.documents import answered
from longshift.intake.http.endpoint import JSON_LINES, Call
from longshift.intake.http.problems import Problem
from longshift.sessions.transcript_document import document
from longshift.sessions.transcript_reader import AnswerEntry, Entry, SealEntry, TranscriptReader

_MEDIA_TYPES = {
    ".json": "application/json",
    ".diff": "text/plain; charset=utf-8",
    ".patch": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
}
"""Nothing that a browser would run: what a session leaves is not trusted."""
_UNTRUSTED = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'; sandbox"}


async def transcript(call: Call) -> Response:
    """The transcript as JSON lines, as far as it has come."""
    query = call.query
    assert isinstance(query, TranscriptQuery)
    task_id = call.path("task_id")
    await require_visible_in_store(call, task_id)
    reader = TranscriptReader(call.services.store, task_id)
    first = await reader.next()  # a store that cannot be read is said before the answer begins
    return StreamingResponse(_lines(reader, first, query.step), media_type=JSON_LINES, headers=_UNTRUSTED)


async def _lines(reader: TranscriptReader, entry: Entry | None, step: int | None) -> AsyncGenerator[bytes]:
    while entry is not None:
        if step is None or (isinstance(entry, AnswerEntry | SealEntry) and entry.step == step):
            yield orjson.dumps(document(entry), default=_plain, option=orjson.OPT_APPEND_NEWLINE)
        entry = await reader.next()


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"no JSON form of {type(value).__name__}")


async def artifacts(call: Call) -> Response:
    """The names of what there is."""
    task_id = call.path("task_id")
    await require_visible_in_store(call, task_id)
    return answered(ArtifactNames(task_id=task_id, artifacts=await _names(call, task_id)))


async def artifact(call: Call) -> Response:
    """One of them, as it is."""
    task_id, name = call.path("task_id"), call.path("name")
    await require_visible_in_store(call, task_id)
    names = await _names(call, task_id)
    if name not in names:
        there = ", ".join(names) or "none"
        raise Problem(
            404, "artifact_missing", f"name: {task_id} has no artifact {name!r}; there are: {there}", field="name"
        )
    body = await call.services.store.get(ids.artifact_key(task_id, name))
    path = PurePosixPath(name)
    media_type = _MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")
    headers = {**_UNTRUSTED, "content-disposition": f"attachment; filename*=UTF-8''{quote(path.name)}"}
    return Response(body, headers=headers, media_type=media_type)


async def _names(call: Call, task_id: str) -> list[str]:
    prefix = ids.artifact_key(task_id, "")
    return [key.removeprefix(prefix) for key in await call.services.store.list(prefix)]
