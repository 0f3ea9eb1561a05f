"""What a compaction does: whether clearing old results is enough, and which rounds a new epoch keeps.

A round is a closed step: the answer and what came of it; it is kept whole or not at all. Sizes are bytes of JSON,
because what they are in tokens is known of the whole conversation only. How a note is asked for is not decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from longshift.contracts.agent import AgentLimits
from longshift.contracts.transcript import CarriedSteps, Message
from longshift.policy.transcript import joined

MOST_KEPT_ROUNDS = 20
"""However small they are: a hand-off is meant to leave things behind."""


@dataclass(frozen=True)
class Round:
    """One closed step of a conversation, and where it was written."""

    agent: str
    epoch: int
    step: int
    size_bytes: int
    clearable_bytes: int = 0
    """What clearing its results would free; 0 where they are cleared already."""
    cleared: bool = False
    foreign: bool = False
    then: tuple[Message, ...] = ()
    """User messages that follow it."""


def room_bytes(rounds: Sequence[Round], context_tokens: int, tokens: int) -> int:
    """What `tokens` are in bytes, in a conversation of these rounds that has `context_tokens`."""
    return sum(each.size_bytes for each in rounds) * tokens // max(context_tokens, 1)


def first_uncleared(rounds: Sequence[Round], *, free_bytes: int, recent_bytes: int) -> int:
    """The index of the first round whose results stay, when clearing all before it frees `free_bytes`; else 0.

    The newest rounds, `recent_bytes` of them, are never cleared.
    """
    end = _newest_within(rounds, recent_bytes)
    return end if sum(each.clearable_bytes for each in rounds[:end]) >= free_bytes else 0


def first_kept(rounds: Sequence[Round], *, keep_bytes: int) -> int:
    """The index of the first of the newest rounds that have at most `keep_bytes` together, or how many there are."""
    return max(_newest_within(rounds, keep_bytes), len(rounds) - MOST_KEPT_ROUNDS)


def _newest_within(rounds: Sequence[Round], limit_bytes: int) -> int:
    start, total = len(rounds), 0
    while start > 0 and total + rounds[start - 1].size_bytes <= limit_bytes:
        start -= 1
        total += rounds[start].size_bytes
    return start


def carried(rounds: Sequence[Round], *, cleared_until: int = 0) -> tuple[CarriedSteps, ...]:
    """The rounds as ranges, those before the index `cleared_until` with their results cleared."""
    ranges: list[CarriedSteps] = []
    for index, each in enumerate(rounds):
        steps = CarriedSteps(
            agent=each.agent,
            epoch=each.epoch,
            first_step=each.step,
            end_step=each.step + 1,
            cleared=each.cleared or index < cleared_until,
            foreign=each.foreign,
            then=each.then,
        )
        if ranges and _follows(ranges[-1], steps):
            ranges[-1] = steps.model_copy(update={"first_step": ranges[-1].first_step})
        else:
            ranges.append(steps)
    return tuple(ranges)


def _follows(before: CarriedSteps, after: CarriedSteps) -> bool:
    alike = {"first_step": before.first_step, "end_step": before.end_step, "then": ()}
    return before.end_step == after.first_step and before == after.model_copy(update=alike)


def closed(
    opening: Message, kept: tuple[CarriedSteps, ...], closing: Message
) -> tuple[tuple[Message, ...], tuple[CarriedSteps, ...]]:
    """The messages and the rounds of an epoch whose `closing` follows what it keeps.

    Notes of earlier compactions among the kept rounds are dropped: this one takes their place.
    """
    if not kept:
        return (joined(opening, closing),), ()
    rest = tuple(part.model_copy(update={"then": ()}) for part in kept[:-1])
    return (opening,), (*rest, kept[-1].model_copy(update={"then": (closing,)}))


def tokens_to_free(limits: AgentLimits, context_tokens: int, window_tokens: int) -> int:
    """How much clearing must free to be worth the loss of the provider's cache: down to a share of the window."""
    return max(1, context_tokens - int(window_tokens * limits.clear_to_share))


def recent_tokens(limits: AgentLimits, window_tokens: int) -> int:
    """How many of the newest tokens are never cleared."""
    return min(limits.keep_results_tokens, int(window_tokens * 0.2))


def kept_tokens(limits: AgentLimits, window_tokens: int) -> int:
    """How many of the newest tokens go on verbatim after a hand-off."""
    return min(limits.keep_rounds_tokens, int(window_tokens * 0.08))
