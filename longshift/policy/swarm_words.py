"""Swarms in the words of people: their names, and how far one has come in a line."""

from collections.abc import Sequence

from longshift.contracts.swarm import ItemStatus, SwarmSummary

AT_WORK = (ItemStatus.RUNNING, ItemStatus.WAITING)
_FINAL = frozenset(status.value for status in ItemStatus if status.is_final)
_SAID = (
    (AT_WORK, "at work"),
    ((ItemStatus.SEALED,), "to be merged"),
    ((ItemStatus.FAILED,), "failed"),
    ((ItemStatus.DROPPED,), "dropped"),
    ((ItemStatus.BLOCKED,), "blocked"),
    ((ItemStatus.STRUCK,), "struck"),
    ((ItemStatus.CANCELLED,), "cancelled"),
)
"""Statuses that are counted together, and what is said of them."""
LEAST_FOR_QUARTERS = 20
"""Items of a swarm about whose quarters people are told."""
STAGES = 20
"""People hear of a swarm that is at work about so often: it has as many stages."""


def short(swarm: str) -> str:
    """The last part of a swarm's id, such as `swarm1`."""
    return swarm.rpartition(".")[2]


def chosen(known: Sequence[str], name: str) -> str:
    """The swarm that is meant: by its id, its short name, its number; without a name the latest. Empty: none is."""
    if not name:
        return known[-1] if known else ""
    return next((each for each in known if name in (each, short(each), short(each).removeprefix("swarm"))), "")


def counted(summary: SwarmSummary) -> str:
    """`12/300 merged, 64 at work, 2 failed`."""
    parts = [f"{summary.counts.get(ItemStatus.MERGED, 0)}/{summary.total} merged"]
    for statuses, said in _SAID:
        number = sum(summary.counts.get(status, 0) for status in statuses)
        parts += [f"{number} {said}"] if number else []
    return ", ".join(parts)


def line(summary: SwarmSummary) -> str:
    """A swarm in a line: its name, how far it has come, what holds it up."""
    held = f"; {'needs a person' if summary.needs_person else 'held up'}: {summary.waiting_for}"
    return f"{short(summary.swarm)}: {counted(summary)}{held if summary.waiting_for else ''}"


def quarters(summary: SwarmSummary) -> tuple[tuple[int, str], ...]:
    """Lines for people about the quarters that are over, with their numbers; a small swarm has none.

    The line of a number says the same for ever, so that whoever has it needs no other one. Begin and end are told by
    the lead.
    """
    if summary.total < LEAST_FOR_QUARTERS or is_over(summary):
        return ()
    done = settled(summary) * 4 // summary.total
    said = ("a quarter", "half", "three quarters")
    return tuple(
        (number, f"{short(summary.swarm)}: {part} of {summary.total} items are over")
        for number, part in enumerate(said[:done], 1)
    )


def settled(summary: SwarmSummary) -> int:
    """How many items are over."""
    return sum(number for status, number in summary.counts.items() if status in _FINAL)


def is_over(summary: SwarmSummary) -> bool:
    """Whether nothing more happens to any item."""
    return 0 < summary.total <= settled(summary)


def is_news(before: SwarmSummary | None, now: SwarmSummary) -> bool:
    """Whether who follows a session should hear of it: begun, over, held up, another failure, a stage further."""
    if before is None or before.swarm != now.swarm:
        return True
    if (before.waiting_for, _lost(before), is_over(before)) != (now.waiting_for, _lost(now), is_over(now)):
        return True
    return _stage(before) != _stage(now)


def _lost(summary: SwarmSummary) -> int:
    return settled(summary) - summary.counts.get(ItemStatus.MERGED, 0)


def _stage(summary: SwarmSummary) -> int:
    return settled(summary) * STAGES // max(1, summary.total)
