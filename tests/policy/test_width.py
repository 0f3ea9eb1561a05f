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


def test_each_429_is_one_item_too_many() -> None:
    state = width.throttled(width.opened(64, 300, 0.0), 1, 40, 100.0)
    assert 39 == width.at(state, 100.0)
    assert 35 == width.at(width.throttled(state, 4, 40, 100.1), 100.1)


def test_once_it_is_quiet_the_ramp_goes_on_from_there() -> None:
    state = width.throttled(width.opened(64, 300, 0.0), 5, 40, 100.0)
    assert [35, 35, 36, 37, 64] == [width.at(state, 100.0 + seconds) for seconds in (4.9, 5.6, 5.7, 6.4, 100)]
    assert 105.7 == width.grows_at(state, 100.0)


def test_a_429_during_the_ramp_begins_it_anew() -> None:
    state = width.throttled(width.opened(64, 300, 100.0), 2, 10, 103.5)
    assert [8, 8, 9] == [width.at(state, now) for now in (103.5, 108.5, 109.3)]


def test_a_storm_leaves_what_is_borne_and_never_less_than_one() -> None:
    state = width.opened(64, 300, 0.0)
    for number in range(59):
        state = width.throttled(state, 1, 64, 100.0 + number / 100)
    assert 5 == width.at(state, 101.0)
    for second in range(101, 120):
        state = width.throttled(state, 1, 5, second)
    assert 1 == width.at(state, 120.0)
    assert 2 == width.at(state, 124.8)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 10)), max_size=60), st.integers(1, 100), st.integers(1, 300))
def test_it_stays_between_one_and_its_ceiling(events: list[tuple[int, float]], wide: int, items: int) -> None:
    state, now = width.opened(wide, items, 0.0), 0.0
    for refused, seconds in events:
        now += seconds
        state = width.throttled(state, refused, width.at(state, now), now) if refused else state
        assert 1 <= width.at(state, now) <= min(wide, items)
        grows = width.grows_at(state, now)
        assert grows is None or width.at(state, grows) > width.at(state, now)
