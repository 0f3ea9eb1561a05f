"""How people and models name a session's swarms: `swarm1` for `mend.swarm1`, or the whole id."""

from collections.abc import Sequence


def short(swarm: str) -> str:
    """The last part of a swarm's id."""
    return swarm.rpartition(".")[2]


def chosen(known: Sequence[str], name: str) -> str:
    """The swarm that is meant: by its id, its short name, its number; without a name the latest. Empty: none is."""
    if not name:
        return known[-1] if known else ""
    return next((each for each in known if name in (each, short(each), short(each).removeprefix("swarm"))), "")
