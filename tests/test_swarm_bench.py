"""How the bench of swarms counts the use of a limited provider: calls in flight during the steady part alone."""

import pytest

from bench.swarm import utilisation

ALLOWED, ITEMS = 10, 30
BEGIN = 3.5
"""When the ramp can have reached ten items: five, and one more every 0.7 s."""
END = 21.0
"""When fewer than ten of thirty are unfinished, where one ends each second."""


@pytest.mark.parametrize(
    ("flights", "share"),
    [
        ([(0.0, 10)], 1.0),
        ([(0.0, 5)], 0.5),
        ([(0.0, 10), ((BEGIN + END) / 2, 0)], 0.5),
        ([(0.0, 0), (BEGIN, 10)], 1.0),
        ([(0.0, 10), (BEGIN, 0), (END, 10)], 0.0),
    ],
)
def test_calls_in_flight_count_from_the_end_of_the_ramp_to_the_first_free_place(
    flights: list[tuple[float, int]], share: float
) -> None:
    finished = {f"i{number}": float(number) for number in range(1, ITEMS + 1)}
    facts = {"delegated_at": [0.0], "finished": finished, "flights": flights}
    assert (pytest.approx(share), pytest.approx(END - BEGIN)) == utilisation(facts, ITEMS, ALLOWED)


def test_without_a_steady_part_nothing_is_claimed() -> None:
    facts = {"delegated_at": [0.0], "finished": {"i1": 1.0}, "flights": [(0.0, 1)]}
    assert (0.0, 0.0) == utilisation(facts, 1, ALLOWED)
