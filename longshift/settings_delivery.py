"""Settings of what may be pushed, where, as whom and with which token. Part of `settings.Settings`."""

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from longshift.adapters.delivery.remotes import Remotes, checked_address
from longshift.contracts.errors import BadInput
from longshift.settings_intake import listed_in_text

_AUTHOR = r"^[^<>\n]{1,100} <[^<>\s@]{1,100}@[^<>\s]{1,100}>$"


def resolve(reference: str) -> str:
    """The secret that a reference names: `env:NAME`, `file:/path`, or the value itself. Blocks.

    Raises:
        BadInput: it is not there.
    """
    place, _, name = reference.partition(":")
    if place == "env":
        if not os.environ.get(name):
            raise BadInput(f"delivery_tokens: the variable {name} is not set; set it or name another one")
        return os.environ[name]
    if place == "file":
        try:
            return Path(name).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"delivery_tokens: {name} cannot be read ({error}); mend it or name another file") from error
    return reference


class DeliverySettings(BaseSettings):
    """Branches and pull requests of results; without any of these, patch and report are all there is."""

    delivery_tokens: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """`PREFIX=TOKEN`, one for each place that tasks may push to with a token, such as
    `https://github.com/acme/=file:/run/secrets/acme`: `env:NAME`, `file:/path` or the token itself. The longest prefix
    counts."""
    delivery_remotes: Annotated[tuple[str, ...], NoDecode] = ()
    """Places that tasks may push to with the git set-up of the worker (ssh keys, paths), such as
    `git@git.example:acme/` or `/srv/git/`."""
    delivery_user: str = Field(default="x-access-token", pattern=r"^[^:\s]+$")
    """The user name that goes with a token."""
    delivery_author: str = Field(default="Longshift <longshift@localhost>", pattern=_AUTHOR)
    """Who the commits are by, `Name <mail address>`."""

    @field_validator("delivery_tokens", "delivery_remotes", mode="before")
    @classmethod
    def _places(cls, value: Any) -> Any:
        return listed_in_text(value)

    @field_validator("delivery_remotes")
    @classmethod
    def _plain(cls, places: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_checked(place, "delivery_remotes") for place in places)

    @field_validator("delivery_tokens")
    @classmethod
    def _with_places(cls, tokens: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for token in tokens:
            place, _, reference = token.get_secret_value().partition("=")
            if not re.match(r"https?://", place) or not reference:
                raise ValueError("each entry is PREFIX=TOKEN, and the prefix is an http(s) URL")
            _checked(place, "delivery_tokens")
        return tokens

    def remotes(self) -> Remotes:
        """Where results may go."""
        pairs = [token.get_secret_value().partition("=") for token in self.delivery_tokens]
        tokens: dict[str, Callable[[], str]] = {
            _checked(place, "delivery_tokens"): partial(resolve, reference) for place, _, reference in pairs
        }
        return Remotes(self.delivery_remotes, tokens)

    def delivery_secrets(self) -> set[str]:
        """The secrets among these settings, as far as they can be found now."""
        found: set[str] = set()
        for token in self.delivery_tokens:
            try:
                found.add(resolve(token.get_secret_value().partition("=")[2]))
            except BadInput:
                continue  # told where it is used
        return found


def _checked(place: str, field: str) -> str:
    try:
        return checked_address(place, field)
    except BadInput as error:
        raise ValueError(str(error)) from None
