"""What the requests of one model activity cost: booked as they go out and come back, carried from attempt to attempt.

A request that was refused costs nothing; one that broke costs what the provider told, its prompt at least; one of which
nothing is known costs what it may have cost at most. What an agent may spend altogether is `policy.ledger`'s.
"""

from longshift.contracts.errors import ProviderError, ProviderFailure
from longshift.contracts.ledger import Allowance, Booked
from longshift.contracts.model import Prices, Usage
from longshift.policy.context import estimate_tokens


class Tab:
    """The line of progress and the bookings; the next heartbeat carries both."""

    def __init__(self, booked: Booked | None = None, *, is_cut_off: bool = False) -> None:
        """`booked` is what the last heartbeat of the attempt before said: a request that was out then is lost.

        `is_cut_off`: there was such an attempt, and it ended without a word. It may have asked what this one asks.
        """
        self.line = "started"
        self._is_cut_off = is_cut_off
        self._limits: tuple[Prices, Allowance] = (Prices(), Allowance())
        self.booked = _lost(booked or Booked())

    @property
    def details(self) -> tuple[str, Booked]:
        """What a heartbeat carries."""
        return self.line, self.booked

    def limit(self, prices: Prices, left: Allowance) -> None:
        """What may be spent here, and how it is counted."""
        self._limits = prices, left

    def report(self, line: str) -> None:
        """Replace the line of progress."""
        self.line = line

    def affords(self, most: Usage) -> bool:
        """Whether one more request fits what may be spent here."""
        prices, left = self._limits
        with_it = self.booked.usage + most
        has_tokens = left.tokens is None or with_it.total_tokens <= left.tokens
        return has_tokens and (left.usd is None or prices.cost_usd(with_it) <= left.usd)

    def sends(self, most: Usage) -> None:
        """A request goes out that may cost `most`."""
        if self._is_cut_off:
            self._is_cut_off = False
            self.booked = _lost(self.booked.model_copy(update={"in_flight": most}))
        self.booked = self.booked.model_copy(update={"in_flight": most})

    def paid(self, usage: Usage) -> None:
        """The request has its answer, whatever becomes of that."""
        self.booked = self.booked.model_copy(update={"usage": self.booked.usage + usage, "in_flight": Usage()})

    def failed(self, error: ProviderError) -> None:
        """The request has no answer."""
        if error.failure is ProviderFailure.RATE_LIMITED and error.status is not None:
            self.booked = self.booked.model_copy(update={"throttled": self.booked.throttled + 1})
        if error.usage is None:
            self.booked = _lost(self.booked)
        elif error.began:
            self.paid(_at_least_begun(error, error.usage, self.booked.in_flight))
        else:
            self.paid(error.usage)


def _lost(booked: Booked) -> Booked:
    """With the request that is out booked at the most that it may have cost."""
    return Booked(
        usage=booked.usage + booked.in_flight,
        unknown=booked.unknown + booked.in_flight,
        throttled=booked.throttled,
    )


def _at_least_begun(error: ProviderError, told: Usage, most: Usage) -> Usage:
    """Of an answer that broke off: the prompt was read, and what had come was written."""
    written = max(told.output_tokens, estimate_tokens(error.output_characters))
    prompt = told if told.prompt_tokens else most
    return prompt.model_copy(update={"output_tokens": min(written, max(most.output_tokens, told.output_tokens))})
