"""Where settings come from, and which value wins: defaults, two files, the environment, the command line.

Only collecting stands here; what the values mean is `settings`.
"""

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from longshift.adapters.secrets import is_reference
from longshift.contracts.errors import BadInput

ENV_PREFIX = "LONGSHIFT_"
PROJECT_FILE = "longshift.toml"
PROFILES_TABLE = "models"
"""Both files may also hold provider profiles; those are read by the model client's own loader."""
SECRET_FIELDS = frozenset(
    {
        *("model_api_key", "webhook_secrets", "github_webhook_secret", "github_token"),
        *("slack_bot_token", "slack_app_token", "webhook_url", "payload_keys", "delivery_tokens"),
    }
)
_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT.*)$|_PORT(_\d+_(TCP|UDP|SCTP).*)?$")
"""Kubernetes puts these into every container of a namespace that has a Service of our name."""


@dataclass
class Layers:
    """The values found so far, and which layer each one is from."""

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    sources: dict[str, str] = field(default_factory=dict[str, str])
    profile_files: list[Path] = field(default_factory=list[Path])
    """The layers' files that define provider profiles."""

    def add(self, source: str, values: Mapping[str, Any]) -> None:
        """A later layer wins, field by field."""
        self.values.update(values)
        self.sources.update(dict.fromkeys(values, source))

    def name_of(self, setting: str) -> str:
        """How a message calls the layer that a field's value is from."""
        return self.sources.get(setting, "defaults")


def user_file() -> Path:
    """`config.toml` in the person's own configuration folder."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "longshift" / "config.toml"


def add_file(layers: Layers, path: Path, known: Iterable[str]) -> None:
    """The values of a TOML file, if it exists.

    Raises:
        BadInput: it cannot be read, has an unknown key, or holds a secret.
    """
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); mend its permissions or remove it") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: is not valid TOML: {error}") from error
    if table.pop(PROFILES_TABLE, None) is not None:
        layers.profile_files.append(path)
    refuse_unknown(str(path), table, known)
    for name in SECRET_FIELDS & table.keys():
        if not _only_references(table[name]):
            raise BadInput(
                f"{path}: {name}: a key does not belong in a file; set {ENV_PREFIX}{name.upper()} instead, "
                "or say where it is: env:NAME, file:/path or command:program argument"
            )
    layers.add(str(path), table)


def add_environment(layers: Layers, settings: type[BaseSettings], known: Iterable[str]) -> None:
    """The values of `LONGSHIFT_*`.

    Raises:
        BadInput: a variable is unknown or cannot be parsed.
    """
    keys = {name for name in os.environ if name.endswith("_KEY")}
    refuse_unknown_variables(known, keys)  # which keys the profiles name is not known yet
    try:
        found = EnvSettingsSource(settings, env_prefix=ENV_PREFIX, env_ignore_empty=True)()
    except SettingsError as error:
        raise BadInput(f"environment: {error}; lists are written as JSON or with commas") from error
    allowed = set(known)
    layers.add("environment", {name: value for name, value in found.items() if name in allowed})


def refuse_unknown_variables(known: Iterable[str], others: Iterable[str]) -> None:
    """Every `LONGSHIFT_*` is a setting, or one of `others`.

    Raises:
        BadInput: a variable is neither.
    """
    foreign = set(others)
    names = [
        name.removeprefix(ENV_PREFIX).lower()
        for name, value in os.environ.items()
        if name.startswith(ENV_PREFIX) and value and name not in foreign and not _SERVICE_LINK.search(name)
    ]
    refuse_unknown("environment", names, known, spelled=_variable)


def refuse_unknown(
    source: str, names: Iterable[str], known: Iterable[str], spelled: Callable[[str], str] = str
) -> None:
    """Nothing that a person writes is dropped in silence.

    Raises:
        BadInput: one of `names` is none of `known`; says which was probably meant.
    """
    possible = sorted(known)
    for name in sorted(set(names) - set(possible)):
        near = get_close_matches(name, possible, n=1)
        hint = f"did you mean {spelled(near[0])}?" if near else f"there are: {', '.join(map(spelled, possible))}"
        raise BadInput(f"{source}: {spelled(name)} is not a setting; {hint}")


def _only_references(value: Any) -> bool:
    try:
        return all(map(is_reference, cast("list[Any]", value))) if isinstance(value, list) else is_reference(value)
    except BadInput:
        return True  # one that names nothing; the setting itself says so


def _variable(name: str) -> str:
    return f"{ENV_PREFIX}{name.upper()}"
