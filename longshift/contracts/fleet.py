"""What all sessions together may spend per day and month, and have spent: the values of one small workflow."""

from pydantic import Field

from longshift.contracts.wire import UserInput, Wire


class FleetLimits(UserInput):
    """Per UTC day and month, over all sessions; None: no limit."""

    usd_per_day: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    usd_per_month: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    tokens_per_day: int | None = Field(default=None, ge=0)
    tokens_per_month: int | None = Field(default=None, ge=0)

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return self != FleetLimits()


class FleetSpend(Wire):
    """What a session has spent since its start; told again it counts once."""

    session: str
    """Its workflow id."""
    tokens: int = 0
    usd: float = 0.0
    unknown_usd: float = 0.0
    """The part of `usd` that no provider told."""
    outcome: str = ""
    """The final state; empty while the session lives."""
    limits: FleetLimits | None = None
    """Those in force where the session is told of; None: as they were."""


class FleetHold(Wire):
    """Sessions hold between two steps, or go on."""

    reason: str = ""
    """For people; empty: go on."""


class FleetSession(Wire):
    """What is known of a session."""

    tokens: int = 0
    usd: float = 0.0
    unknown_usd: float = 0.0
    is_held: bool = False
    """It was told to hold."""
    ended_at: float = 0.0
    """Seconds since 1970; 0: it lives. It is remembered for a while, as its end may be told twice."""


class FleetPeriod(Wire):
    """What was spent in a day or a month."""

    key: str = ""
    """Such as `2026-11-28` or `2026-11`."""
    tokens: int = 0
    usd: float = 0.0
    unknown_usd: float = 0.0
    ended: int = 0
    """Sessions that ended in it."""
    done: int = 0
    """Those of them that ended as done."""
    ended_usd: float = 0.0
    """What all that ended had cost, whenever that was spent."""
    alerted: tuple[str, ...] = ()
    """Alerts that were given, such as `usd 80`."""
    is_released: bool = False
    """A person lets sessions go on beyond the limit until the period ends."""


class FleetNotice(Wire):
    """An alert for people: a limit of the fleet has come near, or is reached."""

    number: int
    """Counts from 1."""
    at: float
    """Seconds since 1970."""
    percent: int
    """80, 90 or 100."""
    limit: str
    """A field of `FleetLimits`."""
    text: str
    """One sentence."""


class FleetState(Wire):
    """All that the fleet carries from run to run; the answer to its query."""

    limits: FleetLimits = FleetLimits()
    """As configured."""
    raised: FleetLimits = FleetLimits()
    """What a person set instead, until the period ends."""
    day: FleetPeriod = FleetPeriod()
    month: FleetPeriod = FleetPeriod()
    sessions: dict[str, FleetSession] = {}
    hold: FleetHold = FleetHold()
    """What sessions are told."""
    notices: tuple[FleetNotice, ...] = ()
    """The latest 50."""


class FleetRaise(Wire):
    """A person raises limits until their period ends; None: as it is."""

    limits: FleetLimits
    by: str = ""
