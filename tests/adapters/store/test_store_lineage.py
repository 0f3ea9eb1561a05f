"""Which epoch wrote a step, over compactions, rolled-back branches and forks of forks."""

import pytest

from longshift.adapters.store import Lineage, Transcripts, open_store
from longshift.contracts import ids
from longshift.contracts.transcript import CarriedSteps, EpochBase, EpochCause, SealInput

LEAD = "t/lead"


def base(first_step: int, *carried: tuple[str, int, int, int], cause: EpochCause = EpochCause.HANDOFF) -> EpochBase:
    ranges = tuple(
        CarriedSteps(agent=agent, epoch=epoch, first_step=first, end_step=end) for agent, epoch, first, end in carried
    )
    return EpochBase(system="s", tools=(), messages=(), first_step=first_step, carried=ranges, cause=cause)


@pytest.fixture
async def lineage() -> Lineage:
    """Steps 1–9; a hand-off at 10; a roll-back to 12 at 20; a fork after 15, and one of that after 18."""
    store = open_store("memory://")
    transcripts = Transcripts(store)
    await transcripts.put_base(LEAD, 1, base(1, cause=EpochCause.OPENING))
    await transcripts.put_base(LEAD, 2, base(10, (LEAD, 1, 8, 10)))
    await transcripts.put_base(LEAD, 3, base(20, (LEAD, 1, 8, 10), (LEAD, 2, 10, 13), cause=EpochCause.ROLLBACK))
    for step in (20, 21):
        await transcripts.put_seal(SealInput(agent=LEAD, epoch=3, step=step))
    await transcripts.put_base("f/lead", 1, base(16, (LEAD, 1, 8, 10), (LEAD, 2, 10, 16), cause=EpochCause.FORK))
    carried = ((LEAD, 1, 8, 10), (LEAD, 2, 10, 16), ("f/lead", 1, 16, 19))
    await transcripts.put_base("g/lead", 1, base(19, *carried, cause=EpochCause.FORK))
    await transcripts.put_base(ids.agent_id("t", shift=2), 1, base(1))
    return Lineage(store)


@pytest.mark.parametrize(
    ("agent", "step", "written"),
    [
        (LEAD, 1, (LEAD, 1)),
        (LEAD, 9, (LEAD, 1)),
        (LEAD, 10, (LEAD, 2)),
        (LEAD, 15, (LEAD, 2)),
        (LEAD, 20, (LEAD, 3)),
        (LEAD, 500, (LEAD, 3)),
        ("f/lead", 16, ("f/lead", 1)),
        ("f/lead", 15, (LEAD, 2)),
        ("g/lead", 19, ("g/lead", 1)),
        ("g/lead", 17, ("f/lead", 1)),
        ("g/lead", 3, (LEAD, 1)),
        ("nobody/lead", 3, None),
    ],
)
async def test_a_step_is_found_where_it_was_written(
    lineage: Lineage, agent: str, step: int, written: tuple[str, int] | None
) -> None:
    found = await lineage.writer(agent, step)
    assert written == (found and (found.agent, found.number))


async def test_the_end_of_an_epoch_is_its_first_step_that_is_not_closed(lineage: Lineage) -> None:
    newest = await lineage.newest(LEAD)
    assert newest is not None
    assert (3, 22) == (newest.number, await lineage.end_step(newest))
    assert [True, False] == [await lineage.is_closed(newest, step) for step in (21, 22)]


async def test_shifts_are_counted(lineage: Lineage) -> None:
    assert [2, 1, 0] == [await lineage.shifts(task) for task in ("t", "f", "nobody")]
