"""How many items of a swarm may be at work at once: a ramp at its start, then what the provider bears.

Additive increase, multiplicative decrease: a 429 halves the width, every windowful of ends without one adds one. How
many slots hosts have is another matter: items that find none wait in their queue.
"""

from longshift.contracts.swarm_state import WidthState

RAMP_START = 5
RAMP_SECONDS = 0.7
"""One more each."""
CALM_SECONDS = 5.0
"""A storm is one event: within this time of a halving, further 429s are the same one."""


def opened(width: int, items: int, now: float) -> WidthState:
    """The width at the start: `width` is the least of what plan and runner allow."""
    ceiling = max(1, min(width, items))
    return WidthState(ceiling=ceiling, allowed=ceiling, since=now)


def at(width: WidthState, now: float) -> int:
    """Items that may be at work now; at least 1."""
    return max(1, min(width.allowed, _ramped(width, now)))


def grows_at(width: WidthState, now: float) -> float | None:
    """When the ramp allows one more; None: it is over, as far as the width goes."""
    ramped = _ramped(width, now)
    if ramped >= width.allowed:
        return None
    return width.since + (ramped - RAMP_START + 1) * RAMP_SECONDS


def throttled(width: WidthState, at_work: int, now: float) -> WidthState:
    """The provider said that there are too many requests, with so many items at work."""
    if now - width.halved_at < CALM_SECONDS:
        return width
    allowed = max(1, min(at(width, now), max(1, at_work)) // 2)
    return width.model_copy(update={"allowed": allowed, "halved_at": now, "calm_ends": 0})


def calm(width: WidthState) -> WidthState:
    """An attempt ended that met no 429."""
    ends = width.calm_ends + 1
    if width.allowed >= width.ceiling:
        return width
    if ends < width.allowed:
        return width.model_copy(update={"calm_ends": ends})
    return width.model_copy(update={"allowed": width.allowed + 1, "calm_ends": 0})


def _ramped(width: WidthState, now: float) -> int:
    steps = int((now - width.since) / RAMP_SECONDS + 1e-6)
    return RAMP_START + max(0, steps)
