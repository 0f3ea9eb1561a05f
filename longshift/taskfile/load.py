"""From a task file to a `TaskSpec`: what is left out is derived, what cannot work is refused at once."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from longshift.contracts import ids
from longshift.contracts.errors import BadInput
from longshift.contracts.task import TaskSpec
from longshift.taskfile.complaints import complaints
from longshift.taskfile.document import MEDIA_TYPES, Document, Location, parse_document, read_document
from longshift.taskfile.identity import derived_id
from longshift.taskfile.places import refuse_local_sources, refuse_missing_places, resolved_workspace

TITLE_CHARACTERS = 200
FIRST_PROMPT_TOKENS = 4_000
"""System prompt, tools and environment, roughly; the instructions come on top."""
CHARACTERS_PER_TOKEN = 4
_HEADING = re.compile(r"^#+[ \t]+(.+?)[ \t#]*$", re.MULTILINE)


def load_task(path: Path, *, task_id: str | None = None, check_places: bool = True) -> TaskSpec:
    """Read a task file. `task_id` replaces the file's own id.

    With `check_places` the workspace's source must exist on this machine; off, that is left to the host.

    Raises:
        BadInput: it cannot be used; the message names file, line, field, what was found and the remedy.
    """
    document = read_document(path)
    values = resolved_workspace(document, _with_body(document))
    task = _task(document, values, task_id)
    if check_places:
        refuse_missing_places(document, values)
    return task


def parse_task(
    name: str,
    body: bytes,
    media_type: str,
    *,
    task_id: str | None = None,
    local_sources: bool = False,
    check_places: bool = False,
    fixed: Mapping[str, str] = {},
) -> TaskSpec:
    """A task that came over a wire; `name` is how messages call it, `task_id` is given where the sender's key is one.

    `fixed` are values that are not the sender's to choose; a task that names others is refused.

    Where it comes from has no folder, so paths must be absolute, and without `local_sources` there must be none:
    whoever can submit must not read the hosts' files by it. With `check_places` they must exist on this machine.

    Raises:
        BadInput: it cannot be used; the message names field, what was found and the remedy.
    """
    kind = MEDIA_TYPES.get(media_type.partition(";")[0].strip().lower())
    if kind is None:
        raise BadInput(f"{name}: {media_type!r} is no form of a task; send one of {', '.join(MEDIA_TYPES)}")
    document = parse_document(Path(name.replace("://", ":")), body, kind)
    values = _with_body(document)
    if task_id is not None and values.get("id") is not None:
        raise BadInput(f"{document.place(('id',))}: id: the idempotency key already names this task; send one of them")
    for field, value in fixed.items():
        if values.get(field) not in (None, value):
            raise BadInput(f"{document.place((field,))}: {field}: is {value!r} for this sender; leave it out")
    values = {**values, **fixed}
    refuse_local_sources(document, values, allowed=local_sources)
    task = _task(document, values, task_id)
    if check_places:
        refuse_missing_places(document, values)
    return task


def _task(document: Document, values: dict[str, Any], task_id: str | None) -> TaskSpec:
    _refuse_endless_numbers(document, values, ())
    if values.get("title") is None:
        values = {**values, "title": _title(document)}
    if task_id is not None:
        values = {**values, "id": task_id}
    elif values.get("id") is None:
        values = {**values, "id": derived_id(str(values["title"]), {**values, "id": None})}
    try:
        task = TaskSpec.model_validate(values)
    except ValidationError as error:
        raise BadInput(complaints(document, error)) from None
    _refuse_impossible_budget(document, task)
    _refuse_the_runners_own(document, task)
    return task


def _with_body(document: Document) -> dict[str, Any]:
    values = document.values
    if not document.body:
        return values
    if "instructions" in values:
        place = document.place(("instructions",))
        raise BadInput(f"{place}: instructions: stand in the front matter and below it; keep one of them")
    return {**values, "instructions": document.body}


def _title(document: Document) -> str:
    """The first heading, or the file's name."""
    heading = _HEADING.search(document.body)
    name = re.sub(r"[-_]+", " ", document.path.stem).strip()
    return (heading[1] if heading else name or "task")[:TITLE_CHARACTERS]


def _refuse_endless_numbers(document: Document, value: Any, location: Location) -> None:
    """JSON has no infinity: on its way to the session it would become `no limit`, which nobody wrote."""
    if isinstance(value, float) and not math.isfinite(value):
        field = ".".join(str(part) for part in location)
        raise BadInput(
            f"{document.place(location)}: {field}: must be a number; found {value}; leave it out for no limit"
        )
    if isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            _refuse_endless_numbers(document, inner, (*location, key))
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[Any]", value)):
            _refuse_endless_numbers(document, inner, (*location, index))


def _refuse_impossible_budget(document: Document, task: TaskSpec) -> None:
    budget = task.budget
    least = FIRST_PROMPT_TOKENS + len(task.instructions) // CHARACTERS_PER_TOKEN
    if budget.tokens is not None and budget.tokens < least:
        place = document.place(("budget", "tokens"))
        raise BadInput(
            f"{place}: budget.tokens: {budget.tokens:,} do not pay for one model call, which takes about {least:,}; "
            "raise it, or leave it out for no limit"
        )
    for index, check in enumerate(task.checks):
        if "timeout_seconds" in check.model_fields_set and check.timeout_seconds > budget.active_hours * 3600:
            raise BadInput(
                f"{document.place(('checks', index, 'timeout_seconds'))}: checks.{index}.timeout_seconds: "
                f"{check.timeout_seconds:g} s is longer than the whole session (budget.active_hours: "
                f"{budget.active_hours:g}); lower it, or raise budget.active_hours"
            )


def _refuse_the_runners_own(document: Document, task: TaskSpec) -> None:
    """The tasks of sub-agents are the runner's: their ids, and what says that a task is one of them."""
    if task.sub_agent is not None:
        raise BadInput(f"{document.place(('sub_agent',))}: sub_agent: only the runner itself sets it; remove it")
    if ids.is_sub_task_id(task.id):
        raise BadInput(
            f"{document.place(('id',))}: id: {task.id!r} names a sub-agent's task, which only the runner makes; "
            "choose one without `.swarm` and a number in it"
        )
