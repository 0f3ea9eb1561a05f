"""What a compaction keeps: rounds are whole or gone, and clearing is chosen only where it is enough."""

from hypothesis import given
from hypothesis import strategies as st

from longshift.policy import compaction
from longshift.policy.compaction import Round


def rounds_of(*sizes: tuple[int, int]) -> list[Round]:
    return [
        Round(agent="t/lead", epoch=1, step=step, size_bytes=size, clearable_bytes=clearable)
        for step, (size, clearable) in enumerate(sizes, 1)
    ]


ROUNDS = st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)).map(sorted), max_size=30).map(
    lambda sizes: rounds_of(*((size, clearable) for clearable, size in sizes))
)


def test_clearing_spares_the_newest_rounds() -> None:
    rounds = rounds_of(*[(100, 90)] * 10)
    assert 7 == compaction.first_uncleared(rounds, free_bytes=600, recent_bytes=350)


def test_clearing_that_frees_too_little_is_not_chosen() -> None:
    rounds = rounds_of(*[(100, 90)] * 10)
    assert 0 == compaction.first_uncleared(rounds, free_bytes=631, recent_bytes=350)


def test_nothing_is_kept_beside_a_note_when_the_newest_round_is_too_large() -> None:
    assert 2 == compaction.first_kept(rounds_of((10, 0), (500, 0)), keep_bytes=400)


def test_no_more_than_so_many_rounds_are_kept_however_small_they_are() -> None:
    rounds = rounds_of(*[(1, 0)] * 100)
    assert 100 - compaction.MOST_KEPT_ROUNDS == compaction.first_kept(rounds, keep_bytes=10_000)


@given(ROUNDS, st.integers(0, 20_000))
def test_what_is_kept_fits_and_is_the_newest(rounds: list[Round], keep_bytes: int) -> None:
    first = compaction.first_kept(rounds, keep_bytes=keep_bytes)
    assert sum(each.size_bytes for each in rounds[first:]) <= keep_bytes
    assert 0 <= first <= len(rounds)


@given(ROUNDS, st.integers(1, 20_000), st.integers(0, 20_000))
def test_clearing_frees_what_was_asked_or_does_not_happen(rounds: list[Round], free: int, recent: int) -> None:
    until = compaction.first_uncleared(rounds, free_bytes=free, recent_bytes=recent)
    assert until == 0 or sum(each.clearable_bytes for each in rounds[:until]) >= free


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4), st.booleans(), st.booleans()), max_size=30))
def test_ranges_say_exactly_which_rounds_they_carry(parts: list[tuple[int, int, bool, bool]]) -> None:
    rounds: list[Round] = []
    for epoch, count, cleared, foreign in parts:
        for _ in range(count):
            step = rounds[-1].step + 1 if rounds else 1
            rounds.append(Round("t/lead", epoch, step, 10, cleared=cleared, foreign=foreign))
    carried = compaction.carried(rounds)
    said = [
        (part.epoch, step, part.cleared, part.foreign)
        for part in carried
        for step in range(part.first_step, part.end_step)
    ]
    assert [(each.epoch, each.step, each.cleared, each.foreign) for each in rounds] == said


def test_rounds_of_one_kind_become_one_range() -> None:
    rounds = rounds_of(*[(10, 5)] * 6)
    carried = compaction.carried(rounds, cleared_until=4)
    assert [(1, 5, True), (5, 7, False)] == [(part.first_step, part.end_step, part.cleared) for part in carried]
