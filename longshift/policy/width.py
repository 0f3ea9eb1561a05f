"""How many items of a swarm may be at work at once: a ramp at its start, and another one after each 429.

Additive increase, and a decrease by as many as were refused. How many *calls* may be in flight is learned by the
account's limiter, which halves them at once and finds out by a 429 now and then how many are borne. The window follows
that gently: an item that waits for its turn with the provider costs little, one that is not at work leaves a call
unused. How many slots hosts have is another matter: items that find none wait in their queue.
"""

from longshift.contracts.swarm_state import WidthState

RAMP_START = 5
RAMP_SECONDS = 0.7
"""One more each."""
CALM_SECONDS = 5.0
"""For so long after a 429 nothing grows."""


def opened(width: int, items: int, now: float) -> WidthState:
    """The width at the start: `width` is the least of what plan and runner allow."""
    return WidthState(ceiling=max(1, min(width, items)), ramp_from=RAMP_START, ramp_at=now)


def at(width: WidthState, now: float) -> int:
    """Items that may be at work now; at least 1."""
    return max(1, min(width.ceiling, _ramped(width, now)))


def grows_at(width: WidthState, now: float) -> float | None:
    """When the ramp allows one more; None: it is over, as far as the width goes."""
    ramped = _ramped(width, now)
    if ramped >= width.ceiling:
        return None
    return width.ramp_at + (ramped - width.ramp_from + 1) * RAMP_SECONDS


def throttled(width: WidthState, refused: int, at_work: int, now: float) -> WidthState:
    """The provider has refused so many calls, with so many items at work."""
    kept = max(1, min(at(width, now), at_work) - refused)
    return width.model_copy(update={"ramp_from": kept, "ramp_at": now + CALM_SECONDS})


def _ramped(width: WidthState, now: float) -> int:
    steps = int((now - width.ramp_at) / RAMP_SECONDS + 1e-6)
    return width.ramp_from + max(0, steps)
