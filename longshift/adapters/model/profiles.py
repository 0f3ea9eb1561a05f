"""Provider profiles as data: the built-in ones, people's own, and changes on top.

Nothing here reads the environment: keys are named in a profile and looked up by the client's caller.
"""

import difflib
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Literal, cast

import httpx
from pydantic import ValidationError

from longshift.adapters.model.request import RESERVED_FIELDS
from longshift.contracts.errors import BadInput
from longshift.contracts.model import Limits, ModelProfile

Table = dict[str, Any]

_MERGED_FIELDS = ("headers", "prices", "limits")
"""Merged key by key with those of the extended profile; every other field replaces."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")


def load_profiles(*toml_paths: Path) -> dict[str, ModelProfile]:
    """The built-in profiles by name, changed and extended by the `[models.NAME]` tables of `toml_paths` in order.

    An entry without `extends` that has the name of an existing profile changes that one.

    Raises:
        BadInput: A file cannot be read, or an entry is wrong; the message names file, field and remedy.
    """
    builtin = resources.files(__package__ or "").joinpath("profiles.toml").read_text(encoding="utf-8")
    tables: dict[str, Table] = dict(tomllib.loads(builtin)["models"])
    profiles = {name: _parsed(name, table, "profiles.toml") for name, table in tables.items()}
    for path in toml_paths:
        own = _read(path)
        for name in own:
            tables[name] = _resolved(name, own, tables, str(path), ())
        for name in own:
            profiles[name] = _parsed(name, tables[name], str(path))
            _check(profiles[name], f"{path}: models.{name}")
    return profiles


def override(
    profile: ModelProfile,
    *,
    base_url: str | None = None,
    model: str | None = None,
    auth: Literal["bearer", "x-api-key", "both", "none"] | None = None,
    api_key_env: str | None = None,
    window_tokens: int | None = None,
    max_output_tokens: int | None = None,
    output_limit_tokens: int | None = None,
    limits: Limits | None = None,
) -> ModelProfile:
    """`profile` with the given fields in place of its own.

    Raises:
        BadInput: The result cannot be used; the message names field and remedy.
    """
    given = {
        "base_url": base_url,
        "model": model,
        "auth": auth,
        "api_key_env": api_key_env,
        "window_tokens": window_tokens,
        "max_output_tokens": max_output_tokens,
        "output_limit_tokens": output_limit_tokens,
        "limits": None if limits is None else limits.model_dump(),
    }
    table = profile.model_dump() | {key: value for key, value in given.items() if value is not None}
    changed = _parsed(profile.name, table, "override")
    _check(changed, f"models.{profile.name}")
    return changed


def _read(path: Path) -> dict[str, Table]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); give the path of a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: is not valid TOML: {error}") from error
    models = document.get("models", {})
    if not isinstance(models, dict):
        raise BadInput(f"{path}: models: must be a table; write [models.NAME]")
    for name, table in cast("dict[str, Any]", models).items():
        if not isinstance(table, dict):
            raise BadInput(f"{path}: models.{name}: must be a table; write [models.{name}] with its fields below")
    return cast("dict[str, Table]", models)


def _resolved(name: str, own: dict[str, Table], known: dict[str, Table], source: str, chain: tuple[str, ...]) -> Table:
    """The table of `name` with what it extends filled in, wherever in the file that stands."""
    table = dict(own[name])
    parent = table.pop("extends", name if name in known and name not in chain else None)
    if parent is None:
        return table
    if not isinstance(parent, str):
        raise BadInput(f"{source}: models.{name}.extends: must be the name of a profile in quotes")
    if parent != name and parent in own:
        if parent in chain:
            raise BadInput(f"{source}: models.{name}.extends: the profiles extend each other in a circle; break it")
        base = _resolved(parent, own, known, source, (*chain, name))
    elif parent in known:
        base = known[parent]
    else:
        raise BadInput(
            f"{source}: models.{name}.extends: no profile {parent!r}{_hint(parent, [*({*known, *own} - {name})])}"
        )
    merged = {
        key: {**base[key], **table[key]}
        for key in _MERGED_FIELDS
        if isinstance(base.get(key), dict) and isinstance(table.get(key), dict)
    }
    return {**base, **table, **merged}


def _parsed(name: str, table: Table, source: str) -> ModelProfile:
    try:
        return ModelProfile.model_validate({**table, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        match first["type"]:
            case "missing":
                remedy = 'is missing; set it, or take it over with extends = "generic" or another profile'
            case "extra_forbidden":
                known = list(ModelProfile.model_fields) if len(first["loc"]) == 1 else []
                remedy = f"is not a field of a profile; remove it{_hint(str(first['loc'][-1]), known)}"
            case _:
                remedy = f"{first['msg']}; got {first['input']!r}"
        raise BadInput(f"{source}: models.{name}.{field}: {remedy}") from error


def _hint(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else (f" (there are: {', '.join(sorted(known))})" if known else "")


def _check(profile: ModelProfile, where: str) -> None:
    """What the types alone do not say."""
    problem = (
        _address_problem(profile) or _request_problem(profile) or _header_problem(profile) or _rule_problem(profile)
    )
    if problem:
        raise BadInput(f"{where}.{problem}")


def _address_problem(profile: ModelProfile) -> str:
    if not profile.base_url:
        return "base_url: is empty; set the address of the endpoint, such as https://api.example.com"
    try:
        url = httpx.URL(profile.base_url)
    except httpx.InvalidURL as error:
        return f"base_url: is not a URL ({error})"
    if url.scheme not in {"http", "https"} or not url.host:
        return "base_url: must start with http:// or https:// and name a host"
    if url.query or url.fragment or url.userinfo:
        return "base_url: must not carry a query, a fragment or a password; put the key into api_key_env"
    for field in ("path", "count_tokens_path"):
        if not (getattr(profile, field) or "/").startswith("/"):
            return f"{field}: must start with /"
    if profile.path.startswith("/v1/") and re.search(r"/(v1|messages)/*$", url.path):
        return f"base_url: leave out {url.path!r} at the end of it, or set path; path ({profile.path}) is appended"
    return ""


def _request_problem(profile: ModelProfile) -> str:
    if not profile.model:
        return "model: is empty; set the model's id at the provider"
    for field, table in (("extra_body", profile.extra_body), ("sampling", profile.sampling)):
        taken = sorted(RESERVED_FIELDS & set(table))
        if taken:
            return f"{field}.{taken[0]}: is set by Longshift itself; remove it"
    if profile.max_output_tokens > profile.output_limit_tokens:
        return "max_output_tokens: is more than output_limit_tokens; lower it"
    if profile.max_output_tokens >= profile.window_tokens:
        return "max_output_tokens: leaves no room for a prompt in window_tokens; lower it"
    return ""


def _header_problem(profile: ModelProfile) -> str:
    for name, value in profile.headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            return f"headers.{name}: must be a header name and a line of printable ASCII"
        if name.lower() in {"authorization", "x-api-key"}:
            return f"headers.{name}: keys are not kept in profiles; use auth and api_key_env"
    return ""


def _rule_problem(profile: ModelProfile) -> str:
    for index, rule in enumerate(profile.error_rules):
        if rule.status is None and rule.type is None and rule.pattern is None:
            return f"error_rules.{index}: matches everything; set status, type or pattern"
        try:
            re.compile(rule.pattern or "")
        except re.error as error:
            return f"error_rules.{index}.pattern: is not a regular expression ({error})"
    return ""
