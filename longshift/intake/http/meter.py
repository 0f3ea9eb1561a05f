"""How many bytes of bodies are held at once, over all requests: webhooks are read before it is known who sent them."""

from collections.abc import Generator
from contextlib import contextmanager

from longshift.intake.http.problems import Problem

LIMIT_BYTES = 256_000_000


class Account:
    """What one request holds."""

    def __init__(self, meter: "Meter") -> None:
        self._meter = meter
        self.held_bytes = 0

    def add(self, size: int) -> None:
        """More of a body has come.

        Raises:
            Problem: 503; all requests together hold too much.
        """
        if self._meter.held_bytes + size > self._meter.limit_bytes:
            headers = {"retry-after": "5", "connection": "close"}
            raise Problem(503, "busy", "body: too many large requests at once; try again later", headers=headers)
        self.held_bytes += size
        self._meter.held_bytes += size


class Meter:
    """What all requests hold together."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0

    @contextmanager
    def account(self) -> Generator[Account]:
        """For as long as a request is worked on."""
        account = Account(self)
        try:
            yield account
        finally:
            self.held_bytes -= account.held_bytes
