"""Settings of what may be pushed, where, as whom and with which token. Part of `settings.Settings`."""

import re
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from longshift.adapters.delivery.remotes import Remotes, checked_address
from longshift.adapters.secrets import ReferredSecret, SecretReference
from longshift.contracts.errors import BadInput
from longshift.settings_intake import listed_in_text

_AUTHOR = r"^[^<>\n]{1,100} <[^<>\s@]{1,100}@[^<>\s]{1,100}>$"


class DeliverySettings(BaseSettings):
    """Branches and pull requests of results; without any of these, patch and report are all there is."""

    delivery_tokens: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """`PREFIX=TOKEN`, one for each place that tasks may push to with a token, such as
    `https://github.com/acme/=file:/run/secrets/acme`: `env:NAME`, `file:/path`, `command:…` or the token itself. The
    longest prefix counts."""
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
            _place_and_secret(token)
        return tokens

    @cached_property
    def tokens_by_place(self) -> dict[str, SecretStr]:
        """Each token, looked up when it is used, by the prefix that it is for."""
        return dict(map(_place_and_secret, self.delivery_tokens))

    def remotes(self) -> Remotes:
        """Where results may go."""
        tokens = {place: secret.get_secret_value for place, secret in self.tokens_by_place.items()}
        return Remotes(self.delivery_remotes, tokens)

    def delivery_secrets(self) -> dict[str, SecretStr]:
        """The secrets among these settings, by name."""
        return {f"delivery_tokens for {place}": secret for place, secret in self.tokens_by_place.items()}


def _place_and_secret(entry: SecretStr) -> tuple[str, SecretStr]:
    place, _, given = entry.get_secret_value().partition("=")
    if not re.match(r"https?://", place) or not given:
        raise ValueError("each entry is PREFIX=TOKEN, and the prefix is an http(s) URL")
    place = _checked(place, "delivery_tokens")
    try:
        reference = SecretReference.parse(given)
    except BadInput as error:
        raise ValueError(str(error)) from None
    name = f"delivery_tokens for {place}"
    return place, SecretStr(given) if reference is None else ReferredSecret(reference, name=name)


def _checked(place: str, field: str) -> str:
    try:
        return checked_address(place, field)
    except BadInput as error:
        raise ValueError(str(error)) from None
