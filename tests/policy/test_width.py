"""How wide a swarm is: the ramp, what a 429 does, and how it recovers."""

from hypothesis import given
from hypothesis import strategies as st

from longshift.policy import width


def test_it_starts_with_five_and_one_more_every_seven_tenths_of_a_second() -> None:
    state = width.opened(64, 300, 100.0)
    assert [5, 5, 6, 7, 64] == [width.at(state, 100.0 + seconds) for seconds in (0, 0.6, 0.7, 1.4, 100)]
    assert 100.7 == width.grows_at(state, 100.0)
    assert None is width.grows_at(state, 200.0)


def test_fewer_items_than_the_width_are_all_there_is() -> None:
    assert 3 == width.at(width.opened(64, 3, 0.0), 100.0)


def test_a_429_halves_what_is_at_work_once_in_five_seconds() -> None:
    state = width.throttled(width.opened(64, 300, 0.0), 40, 100.0)
    assert 20 == width.at(state, 100.0)
    assert state == width.throttled(state, 40, 104.9)
    assert 10 == width.at(width.throttled(state, 20, 105.0), 105.0)


def test_it_is_never_less_than_one() -> None:
    state = width.opened(64, 300, 0.0)
    for second in range(100, 200, 5):
        state = width.throttled(state, width.at(state, second), second)
    assert 1 == width.at(state, 1_000.0)


def test_each_windowful_of_calm_ends_adds_one_up_to_the_ceiling() -> None:
    state = width.throttled(width.opened(8, 300, 0.0), 8, 100.0)
    assert 4 == width.at(state, 100.0)
    for _ in range(4):
        state = width.calm(state)
    assert 5 == width.at(state, 100.0)
    for _ in range(100):
        state = width.calm(state)
    assert 8 == width.at(state, 100.0)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 10)), max_size=60), st.integers(1, 100), st.integers(1, 300))
def test_it_stays_between_one_and_its_ceiling(events: list[tuple[bool, float]], wide: int, items: int) -> None:
    state, now = width.opened(wide, items, 0.0), 0.0
    for is_throttled, seconds in events:
        now += seconds
        state = width.throttled(state, width.at(state, now), now) if is_throttled else width.calm(state)
        assert 1 <= width.at(state, now) <= min(wide, items)
