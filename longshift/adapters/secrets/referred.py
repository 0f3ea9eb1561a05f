"""A secret in a setting that may say where it is instead of what it is. Whoever uses it need not know which."""

import threading
import time
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from longshift.adapters.secrets.reference import SecretReference
from longshift.contracts.errors import BadInput

FRESH_SECONDS = 60.0
"""How long a resolved value is used before its place is looked at again: so much later a rotated one counts."""


class ReferredSecret(SecretStr):
    """Resolved when it is used; every value it ever had is remembered for redaction."""

    def __init__(
        self,
        reference: SecretReference,
        *,
        name: str = "",
        before: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`before` stands in front of the value, as `source=` does with webhook secrets."""
        super().__init__(str(reference))
        self.reference = reference
        self.seen: frozenset[str] = frozenset()
        self._name = name
        self._before = before
        self._clock = clock
        self._lock = threading.Lock()
        self._value = ""
        self._fresh_until = float("-inf")

    def get_secret_value(self) -> str:
        """The value, looked up again when the last look is a minute ago. Blocks.

        Raises: BadInput, which names the reference and the remedy.
        """
        with self._lock:
            if self._clock() >= self._fresh_until:
                try:
                    self._value = self.reference.resolve()
                except BadInput as error:
                    raise BadInput(f"{self._name}: {error}" if self._name else str(error)) from None
                self._fresh_until = self._clock() + FRESH_SECONDS
                self.seen |= {self._value}
            return self._before + self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReferredSecret) and (self.reference, self._before) == (other.reference, other._before)

    def __hash__(self) -> int:
        return hash((self.reference, self._before))


def reference_of(secret: SecretStr) -> SecretReference | None:
    """Where a secret is; None where the setting holds it itself."""
    return secret.reference if isinstance(secret, ReferredSecret) else None


def values_seen(secret: SecretStr) -> frozenset[str]:
    """The values that this process knows of a secret by now; nothing is looked up."""
    return secret.seen if isinstance(secret, ReferredSecret) else frozenset({secret.get_secret_value()})


def is_reference(text: object) -> bool:
    """Whether a setting's text says where the secret is; `source=` may stand before it."""
    return isinstance(text, str) and _parsed(text) is not None


def _parsed(text: str) -> tuple[str, SecretReference] | None:
    """What stands before the reference, and the reference."""
    reference = SecretReference.parse(text)
    if reference is not None:
        return "", reference
    before, sign, rest = text.partition("=")
    reference = SecretReference.parse(rest) if sign else None
    return None if reference is None else (f"{before}=", reference)


def _referred(secret: SecretStr) -> SecretStr:
    if isinstance(secret, ReferredSecret):
        return secret
    try:
        found = _parsed(secret.get_secret_value())
    except BadInput as error:
        raise ValueError(str(error)) from None
    return secret if found is None else ReferredSecret(found[1], before=found[0])


PossiblyReferred = Annotated[SecretStr, AfterValidator(_referred)]
"""The type of a setting that is a secret: the value itself, or `env:NAME`, `file:/path`, `command:program argument`."""
