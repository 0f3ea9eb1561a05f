"""The OpenAPI document (3.1), made from the table of routes and the values. `docs/openapi.json` is its copy."""

import inspect
import re
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter

from longshift.contracts.ids import TASK_ID_PATTERN
from longshift.intake.acceptance import KEY_MAX_CHARACTERS
from longshift.intake.http.answers import ErrorAnswer
from longshift.intake.http.bodies import KEY_PATTERN
from longshift.intake.http.endpoint import ANY_FILE, EVENT_STREAM, JSON, JSON_LINES, Body, Endpoint, Guard
from longshift.intake.http.feed_events import NAMES as EVENT_NAMES
from longshift.taskfile import task_schema

Schema = dict[str, Any]

API_VERSION = "1"
"""Of the API, not of this release: the document is for everybody."""
REFERENCE = "#/components/schemas/{model}"
_MEANINGS = {
    400: "A parameter or the form of the body is wrong.",
    401: "Who asks is not known.",
    403: "The token may not do this.",
    404: "There is no such thing.",
    406: "The accepted media types are not given.",
    408: "The body took too long.",
    409: "It does not fit the state, or the key belongs to something else.",
    413: "The body is too large.",
    415: "The body's media type is not taken.",
    422: "The body says something that cannot be used.",
    429: "The queue is full; `Retry-After` says when to try again.",
    502: "The engine refuses this server.",
    503: "The engine, a worker or the store is not there; `Retry-After` says when to try again.",
}
_OTHER_FORMS: dict[str, Schema] = {
    ANY_FILE: {},
    JSON_LINES: {"type": "string"},
    EVENT_STREAM: {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "event": {"type": "string", "enum": list(EVENT_NAMES)},
            "data": {"type": "string", "contentMediaType": JSON},
        },
    },
}
"""What is not a JSON value of ours; of an event stream, one event."""
_FIELD_TEXTS = {
    "task_id": ("The task's id.", {"type": "string", "pattern": TASK_ID_PATTERN}),
    "source": ("Whose secret signs.", {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$"}),
    "review": ("The question's id.", {"type": "string", "minLength": 1, "maxLength": 200}),
    "item": ("An item's id.", {"type": "string", "minLength": 1, "maxLength": 100}),
    "name": ("An artifact's name; it may have slashes.", {"type": "string", "minLength": 1}),
}


def openapi(endpoints: tuple[Endpoint, ...]) -> Schema:
    """The document."""
    schemas: Schema = {"Task": task_schema()}
    paths: dict[str, Schema] = {}
    for endpoint in endpoints:
        path = endpoint.path.replace(":path}", "}")
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    _lift(schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Longshift",
            "version": API_VERSION,
            "description": "Tasks in, sessions out. `docs/api.md` has examples.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made with `longshift token add NAME --scope …`.",
                }
            },
        },
    }


def _operation(endpoint: Endpoint, schemas: Schema) -> Schema:
    operation: Schema = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint, schemas),
        "security": [{"token": []}] if endpoint.guard is Guard.TOKEN else [],
    }
    if endpoint.scope is not None:
        operation["description"] = f"The token needs the scope `{endpoint.scope.value}`."
    if endpoint.body is not None:
        operation["requestBody"] = _request_body(endpoint, endpoint.body, schemas)
    return operation


def _parameters(endpoint: Endpoint) -> list[Schema]:
    found: list[Schema] = []
    for name in re.findall(r"\{(\w+)", endpoint.path):
        text, schema = _FIELD_TEXTS[name]
        found.append({"name": name, "in": "path", "required": True, "description": text, "schema": schema})
    query = endpoint.query.model_json_schema(ref_template=REFERENCE)
    known = query.get("$defs", {})
    for name, schema in query.get("properties", {}).items():
        found.append({"name": name, "in": "query", "required": False, "schema": _inlined(schema, known)})
    if endpoint.takes_key:
        text = "The same key is the same request, however often it is sent."
        schema = {"type": "string", "pattern": KEY_PATTERN, "minLength": 1, "maxLength": KEY_MAX_CHARACTERS}
        found.append(
            {"name": "Idempotency-Key", "in": "header", "required": False, "description": text, "schema": schema}
        )
    for name, text in endpoint.headers.items():
        needed = endpoint.guard is Guard.SIGNATURE and "delivery" not in name
        found.append(
            {"name": name, "in": "header", "required": needed, "description": text, "schema": {"type": "string"}}
        )
    return found


def _inlined(schema: Schema, known: Schema) -> Schema:
    """A parameter's schema without references and without null, which a query cannot say."""
    options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if options:
        schema = {**{name: value for name, value in schema.items() if name not in ("anyOf", "default")}, **options[0]}
    if "items" in schema and "$ref" in schema["items"]:
        schema = {**schema, "items": known[schema["items"]["$ref"].rsplit("/", 1)[-1]]}
    return schema


def _request_body(endpoint: Endpoint, body: Body, schemas: Schema) -> Schema:
    content: Schema = {}
    for media_type in body.media_types:
        if body.model is not None:
            content[media_type] = {"schema": _reference(body.model, schemas)}
        elif endpoint.name == "github":
            content[media_type] = {"schema": {"type": "object"}}
        else:
            is_json = media_type == JSON
            content[media_type] = {"schema": {"$ref": "#/components/schemas/Task"} if is_json else {"type": "string"}}
    return {"required": body.is_required, "content": content}


def _responses(endpoint: Endpoint, schemas: Schema) -> Schema:
    request_id = {"description": "Of the request, as in the log.", "schema": {"type": "string"}}
    found: Schema = {}
    for status, model in endpoint.answers.items():
        answer: Schema = {"description": _described(model), "headers": {"X-Request-Id": request_id}}
        if model is not None:
            answer["content"] = {JSON: {"schema": _reference(model, schemas)}}
        elif status == 200:
            answer["content"] = {endpoint.media_type: {"schema": _OTHER_FORMS[endpoint.media_type]}}
        found[str(status)] = answer
    failure = {JSON: {"schema": _reference(ErrorAnswer, schemas)}}
    for status in endpoint.all_problems():
        found[str(status)] = {
            "description": _MEANINGS[status],
            "headers": {"X-Request-Id": request_id},
            "content": failure,
        }
    return found


def _described(model: Any) -> str:
    if model is None:
        return "As it is."
    return (inspect.getdoc(model) if isinstance(model, type) else None) or "One of these."


def _reference(model: Any, schemas: Schema) -> Schema:
    schema = TypeAdapter[Any](model).json_schema(
        ref_template=REFERENCE, mode="serialization" if model is not None else "validation"
    )
    schemas.update(schema.pop("$defs", {}))
    if isinstance(model, type) and issubclass(model, BaseModel):
        schemas[model.__name__] = schema
        return {"$ref": REFERENCE.format(model=model.__name__)}
    return schema


def _lift(schemas: Schema) -> None:
    """The task's own definitions beside the others, where a document looks for them."""
    task = schemas["Task"]
    for name, schema in task.pop("$defs", {}).items():
        schemas.setdefault(name, schema)
    task.pop("$schema", None)
    task["required"] = ["instructions"]  # which a Markdown file may have below its front matter
    schemas["Task"] = _moved(task)
    for name in list(schemas):
        schemas[name] = _moved(schemas[name])


def _moved(value: Any) -> Any:
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return {
            key: str(inner).replace("#/$defs/", "#/components/schemas/") if key == "$ref" else _moved(inner)
            for key, inner in table.items()
        }
    return [_moved(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value
