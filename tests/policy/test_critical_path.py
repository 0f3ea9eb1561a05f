"""The critical path of a swarm: the lead's steps and the longest item of each stage, against all of them in turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.swarm_plan import ItemRow
from longshift.policy.critical_path import critical_path, levels


def row(item: str, *depends_on: str) -> ItemRow:
    return ItemRow(id=item, depends_on=depends_on)


def test_items_side_by_side_count_as_long_as_the_longest() -> None:
    found = critical_path(5, (row("a"), row("b"), row("c")), {"a": (10, 20.0), "b": (30, 15.0), "c": (20, 5.0)})

    assert (found.steps, found.serial_steps, found.stages) == (35, 65, (30,))
    assert (found.seconds, found.serial_seconds) == (20.0, 40.0)
    assert found.speed_up == pytest.approx(65 / 35)  # pyright: ignore[reportUnknownMemberType]


def test_stages_are_the_levels_of_the_order_and_seconds_follow_one_chain() -> None:
    rows = (row("c", "b"), row("a"), row("b", "a"), row("d", "a"))
    work = {"a": (1, 10.0), "b": (2, 1.0), "c": (3, 1.0), "d": (7, 100.0)}

    found = critical_path(4, rows, work)

    assert levels(rows) == {"a": 0, "b": 1, "d": 1, "c": 2}
    assert found.stages == (1, 7, 3)
    assert found.steps == 4 + 1 + 7 + 3
    assert found.seconds == 110.0, "the longest chain is a, d; c waits for b alone"


def test_an_order_of_merges_is_no_stage() -> None:
    rows = (row("a"), ItemRow(id="b", merge_after=("a",)))

    assert critical_path(0, rows, {"a": (4, 1.0), "b": (6, 1.0)}).stages == (6,)


def test_what_was_not_begun_or_taken_out_counts_nothing() -> None:
    found = critical_path(2, (row("a", "struck"), row("b", "a")), {"a": (4, 3.0), "other": (99, 99.0)})

    assert (found.steps, found.serial_steps, found.serial_seconds) == (6, 6, 3.0)
    assert found.speed_up == 1.0
    assert critical_path(0, (), {}).speed_up == 1.0


def test_a_chain_of_three_hundred_is_as_long_as_all_of_it() -> None:
    rows = (row("i0"), *(row(f"i{number}", f"i{number - 1}") for number in range(1, 300)))
    found = critical_path(0, rows, {each.id: (2, 1.0) for each in rows})

    assert (found.steps, found.seconds, len(found.stages), found.speed_up) == (600, 300.0, 300, 1.0)


@given(st.data(), st.integers(0, 100))
def test_the_path_is_never_longer_than_all_of_it(data: st.DataObject, lead_steps: int) -> None:
    number = data.draw(st.integers(0, 12))
    rows = tuple(
        row(f"i{each}", *(f"i{other}" for other in range(each) if data.draw(st.booleans()))) for each in range(number)
    )
    work = {each.id: (data.draw(st.integers(0, 50)), data.draw(st.floats(0, 1e6))) for each in rows}

    found = critical_path(lead_steps, rows, work)

    longest = max((steps for steps, _ in work.values()), default=0)
    assert lead_steps + longest <= found.steps <= found.serial_steps
    assert found.speed_up >= 1.0
    assert found.seconds <= found.serial_seconds * (1 + 1e-9)
