"""Settings of the secrets that tasks may ask for; looking up all secrets of a process. Part of `settings.Settings`."""

from collections.abc import Iterable, Mapping
from functools import cached_property

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from longshift.adapters.secrets import SecretBook, SecretDefinition, reference_of, values_seen
from longshift.adapters.secrets.definition import SecretName
from longshift.adapters.secrets.reference import Place
from longshift.contracts.errors import BadInput


class SecretsSettings(BaseSettings):
    """Secrets by name, for the setup of tasks that ask for them."""

    secrets: Mapping[SecretName, SecretDefinition] = Field(default={}, repr=False)
    """Tables `[secrets.NAME]`: exactly one of `env`, `file`, `command`; `tenants`, `repositories`, `phases`."""

    @cached_property
    def secret_book(self) -> SecretBook:
        """The secrets that tasks may ask for."""
        return SecretBook(self.secrets)


def resolve_all(secrets: Iterable[tuple[str, SecretStr]], *, run_commands: bool = True) -> dict[str, str]:
    """Look every secret up, so that redaction knows it; gives the complaint of each that cannot be. Blocks."""
    complaints: dict[str, str] = {}
    for name, secret in secrets:
        reference = reference_of(secret)
        if not run_commands and reference is not None and reference.place is Place.COMMAND:
            continue
        try:
            secret.get_secret_value()
        except BadInput as error:
            complaints[name] = str(error)
    return complaints


def seen(secrets: Iterable[tuple[str, SecretStr]]) -> frozenset[str]:
    """The values known by now."""
    return frozenset(value for _, secret in secrets for value in values_seen(secret))
