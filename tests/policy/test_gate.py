"""Who may pass a gate: never more than its limit, the urgent first, nobody forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.gate import GateEntry, GateState
from longshift.policy import gate


def let_in(state: GateState) -> GateState:
    while session := gate.next_in(state):
        state = gate.passed(state, session)
    return state


def entry(session: str, priority: int = 3, limit: int = 2) -> GateEntry:
    return GateEntry(session=session, priority=priority, limit=limit)


def test_the_limit_lets_so_many_pass_and_the_next_follows_when_one_leaves() -> None:
    state = GateState()
    for name in ("a", "b", "c"):
        state = let_in(gate.entered(state, entry(name)))
    assert ("a", "b") == state.inside
    state = let_in(gate.left(state, "a"))
    assert (("b", "c"), ()) == (state.inside, state.waiting)


def test_the_urgent_pass_before_those_who_came_first() -> None:
    state = GateState(limit=1, inside=("x",))
    for each in (entry("a", 3, 1), entry("b", 1, 1), entry("c", 1, 1)):
        state = gate.entered(state, each)
    order: list[str] = []
    while not gate.is_empty(state):
        state = let_in(gate.left(state, state.inside[0]) if state.inside else state)
        order += state.inside
    assert ["b", "c", "a"] == order


def test_coming_twice_changes_the_priority_and_keeps_the_place() -> None:
    state = GateState(limit=1, inside=("x",))
    for each in (entry("a", 3, 1), entry("b", 3, 1), entry("a", 3, 1)):
        state = gate.entered(state, each)
    assert ["a", "b"] == [each.session for each in state.waiting]
    assert "a" == gate.next_in(gate.left(gate.entered(state, entry("a", 1, 1)), "x"))


def test_coming_again_when_inside_is_no_second_place() -> None:
    state = let_in(gate.entered(GateState(), entry("a")))
    assert state.inside == let_in(gate.entered(state, entry("a"))).inside


steps = st.lists(
    st.tuples(st.sampled_from(["enter", "leave"]), st.sampled_from("abcdef"), st.integers(1, 5), st.integers(1, 3))
)


@given(steps)
def test_nobody_is_lost_doubled_or_let_in_beyond_the_limit(moves: list[tuple[str, str, int, int]]) -> None:
    state, present = GateState(), set[str]()
    for move, name, priority, limit in moves:
        if move == "enter":
            state = gate.entered(state, entry(name, priority, limit))
            present.add(name)
        else:
            state = gate.left(state, name)
            present.discard(name)
        before = len(state.inside)
        state = let_in(state)
        assert len(state.inside) <= max(before, state.limit)
        everybody = [*state.inside, *(each.session for each in state.waiting)]
        assert sorted(present) == sorted(everybody)
        assert not state.waiting or len(state.inside) >= state.limit
