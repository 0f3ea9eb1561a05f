"""What the configuration says of one secret that tasks may ask for: where it is, and whose it is."""

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator

from longshift.adapters.secrets.reference import Place, SecretReference
from longshift.adapters.secrets.referred import ReferredSecret
from longshift.contracts.errors import BadInput
from longshift.contracts.task import SECRET_NAME_PATTERN

OURS = frozenset({"PATH", "HOME", "BASH_ENV", "ENV", "IFS", "SHELLOPTS", "BASHOPTS", "PS4"})
"""Variables that would change how the command itself runs."""


def _usable(name: str) -> str:
    if name in OURS or name.startswith("LD_"):
        raise ValueError(f"{name} is no name for a secret: as a variable it would change how commands run; rename it")
    return name


SecretName = Annotated[str, StringConstraints(pattern=SECRET_NAME_PATTERN), AfterValidator(_usable)]
"""Also the variable that setup commands find it in."""
Text = Annotated[str, StringConstraints(min_length=1)]


class SecretDefinition(BaseModel):
    """One table `[secrets.NAME]`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    env: Text | None = None
    """A variable of the worker."""
    file: Text | None = None
    """An absolute path; line ends behind the value do not count."""
    command: tuple[Text, ...] | Text | None = None
    """Program and arguments; in one piece it is cut as a shell would, but no shell runs it."""
    tenants: tuple[Text, ...] = ()
    """Whose tasks may use it (globs); nobody's when empty, everybody's with `*`."""
    repositories: tuple[Text, ...] = ()
    """For which sources only (globs, as the task writes them); any when empty."""
    phases: tuple[Literal["setup"], ...] = ("setup",)
    """When it is given: the setup is all there is, an agent gets no secret; none when empty."""

    @model_validator(mode="after")
    def _at_one_place(self) -> Self:
        given = [place.value for place in Place if getattr(self, place) is not None]
        if len(given) != 1:
            raise ValueError(f"set exactly one of env, file, command; {' and '.join(given) or 'none'} is set")
        try:
            _ = self.reference
        except BadInput as error:
            raise ValueError(str(error)) from None
        return self

    @cached_property
    def reference(self) -> SecretReference:
        """Where it is."""
        for place in Place:
            target: str | tuple[str, ...] | None = getattr(self, place)
            if target is not None:
                return SecretReference.of(place, target)
        raise ValueError("no place")  # the validator has seen to that

    def secret(self, name: str) -> ReferredSecret:
        """Its value, when it is used."""
        return ReferredSecret(self.reference, name=f"secrets.{name}")
