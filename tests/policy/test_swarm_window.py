"""The window over a swarm's items: order, attempts, budget, striking, and that every swarm comes to an end."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from longshift.contracts.attention import Attention
from longshift.contracts.ledger import Extension
from longshift.contracts.swarm import ItemFailure, ItemNews, ItemNote, ItemStatus, ItemWord
from longshift.contracts.swarm_plan import ItemRow
from longshift.contracts.swarm_state import SwarmState
from longshift.contracts.transcript import Note, Speaker
from longshift.policy import ledger, swarm_begin, swarm_budget, swarm_resolvers, swarm_view, swarm_window
from tests.policy.swarms import end_of, limited, start_of, state_of

S = ItemStatus


def begun(state: SwarmState, now: float = 0.0) -> tuple[SwarmState, list[str]]:
    """The swarm with all that may begin."""
    items: list[str] = []
    while (following := swarm_window.next_begun(state, now)) is not None:
        item, state = following
        items.append(item)
    return state, items


def statuses(state: SwarmState) -> list[str]:
    return [run.status.value for run in state.items.values()]


def rows(count: int) -> tuple[ItemRow, ...]:
    return tuple(ItemRow(id=f"i{number}") for number in range(count))


def test_an_item_starts_when_all_that_it_depends_on_is_merged() -> None:
    state, items = begun(state_of(ItemRow(id="a"), ItemRow(id="b", depends_on=("a",))))
    assert ["a"] == items
    state = swarm_window.after_end(state, end_of("a"), 5.0)
    assert ([], ["sealed", "pending"]) == (begun(state)[1], statuses(state))
    state = swarm_window.integrated(state, "a", S.MERGED, "")
    assert ["b"] == begun(state)[1]


def test_what_depends_on_a_failed_item_is_blocked_and_so_on() -> None:
    plan = (ItemRow(id="a"), ItemRow(id="b", depends_on=("a",)), ItemRow(id="c", depends_on=("b",)), ItemRow(id="d"))
    state, _ = begun(state_of(*plan, attempts=1))
    state = swarm_window.after_end(state, end_of("a", failure=ItemFailure.STUCK), 5.0)
    assert ["failed", "blocked", "blocked", "running"] == statuses(state)
    assert ("so it was", "a was not merged", "b was not merged") == tuple(
        state.items[item].reason for item in ("a", "b", "c")
    )


def test_a_later_attempt_is_told_how_the_one_before_ended() -> None:
    state, _ = begun(state_of(*rows(1)))
    state = swarm_window.after_end(state, end_of("i0", failure=ItemFailure.CHECKS_RED), 5.0)
    state, items = begun(state)
    request = swarm_begin.item_input(state, "i0", 0, 6.0)
    assert (["i0"], 2, ItemFailure.CHECKS_RED, "so it was") == (
        items,
        request.attempt,
        request.before,
        request.before_reason,
    )
    state = swarm_window.after_end(state, end_of("i0", 2, ItemFailure.LOST), 7.0)
    assert (S.FAILED, ItemFailure.LOST, 8) == (
        state.items["i0"].status,
        state.items["i0"].failure,
        state.items["i0"].steps,
    )


def test_refused_content_and_an_end_by_a_person_are_not_tried_again() -> None:
    for failure in (ItemFailure.REFUSED, ItemFailure.ENDED):
        state, _ = begun(state_of(*rows(1)))
        state = swarm_window.after_end(state, end_of("i0", failure=failure), 5.0)
        assert S.FAILED is state.items["i0"].status


def test_an_end_counts_once_and_one_of_another_attempt_never() -> None:
    state, _ = begun(state_of(*rows(1)))
    failed = swarm_window.after_end(state, end_of("i0", failure=ItemFailure.HOST), 5.0)
    assert failed is swarm_window.after_end(failed, end_of("i0", failure=ItemFailure.HOST), 5.0)
    again, _ = begun(failed)
    assert again is swarm_window.after_end(again, end_of("i0", 1), 6.0)
    assert 10 == again.account.spent.tokens


def test_shares_are_even_and_what_is_not_used_is_there_for_the_rest() -> None:
    state, items = begun(state_of(*rows(4), allowance=limited(tokens=400), width=2))
    assert (["i0", "i1"], 100, 100) == (
        items,
        state.account.shares["i0"].tokens,
        state.account.shares["i1"].tokens,
    )
    state = swarm_window.after_end(state, end_of("i0", tokens=10), 5.0)
    state, _ = begun(state)
    assert 145 == state.account.shares["i2"].tokens


def test_a_share_of_the_plan_is_part_of_the_whole() -> None:
    plan = (ItemRow(id="a", budget_share=0.5), ItemRow(id="b"), ItemRow(id="c"))
    state, _ = begun(state_of(*plan, allowance=limited(tokens=1_000)))
    assert [500, 250, 250] == [state.account.shares[item].tokens for item in "abc"]


def test_an_item_over_its_budget_is_tried_again_when_there_is_as_much_again() -> None:
    state, _ = begun(state_of(*rows(2), allowance=limited(tokens=200)))
    state = swarm_window.after_end(state, end_of("i0", failure=ItemFailure.OVER_BUDGET, tokens=100), 5.0)
    assert ([], state) == (begun(state)[1], swarm_window.starved(state))
    raised = state.model_copy(update={"account": swarm_budget.extended(state.account, Extension(tokens=100))})
    assert ["i0"] == begun(raised)[1]
    state = swarm_window.after_end(state, end_of("i1", tokens=10), 6.0)
    assert [] == begun(state)[1]
    state = swarm_window.starved(state)
    assert (S.FAILED, ItemFailure.OVER_BUDGET) == (state.items["i0"].status, state.items["i0"].failure)


def test_what_nobody_at_work_needs_is_there_for_an_item_over_its_budget_that_others_wait_for() -> None:
    plan = (ItemRow(id="a"), ItemRow(id="b", depends_on=("a",)), ItemRow(id="c", depends_on=("b",)))
    state, _ = begun(state_of(*plan, allowance=limited(tokens=300)))
    state = swarm_window.after_end(state, end_of("a", failure=ItemFailure.OVER_BUDGET, tokens=100), 5.0)
    state, items = begun(state)
    assert (["a"], 100) == (items, state.account.shares["a"].tokens)


def test_items_for_which_nothing_is_left_fail_with_that_reason() -> None:
    state, items = begun(state_of(*rows(3), allowance=limited(steps=2)))
    assert [] == items
    state = swarm_window.starved(state)
    assert ({"failed"}, swarm_window.NO_BUDGET) == (set(statuses(state)), state.items["i0"].reason)


def test_while_the_account_has_no_quota_nothing_starts_and_nothing_fails() -> None:
    state, _ = begun(state_of(*rows(3), width=1))
    news = ItemNews(item="i0", waiting=True, attention=Attention(kind="quota", text="the quota is used up"))
    state = swarm_window.heard(state, news, 5.0).model_copy(
        update={"width": state.width.model_copy(update={"ceiling": 3})}
    )
    assert ([], S.WAITING) == (begun(state)[1], state.items["i0"].status)
    shown = swarm_view.summary(state, 5.0)
    assert ("1 waits: the quota is used up", False) == (shown.waiting_for, shown.needs_person)
    state = swarm_window.heard(state, ItemNews(item="i0"), 6.0)
    assert ["i1", "i2"] == begun(state)[1]


def test_a_struck_item_is_left_out_and_its_end_is_only_booked() -> None:
    state, _ = begun(state_of(ItemRow(id="a"), ItemRow(id="b", depends_on=("a",))))
    state = swarm_window.struck(state, ItemWord(item="a", reason="not now", by="ann"))
    assert (["struck", "blocked"], False) == (statuses(state), swarm_window.is_settled(state))
    state = swarm_window.after_end(state, end_of("a", failure=ItemFailure.ENDED), 5.0)
    assert ("taken out by ann: not now", 10, True) == (
        state.items["a"].reason,
        state.account.spent.tokens,
        swarm_window.is_settled(state),
    )


def test_what_is_merged_is_not_struck() -> None:
    state, _ = begun(state_of(*rows(1)))
    state = swarm_window.integrated(swarm_window.after_end(state, end_of("i0"), 5.0), "i0", S.MERGED, "")
    assert state is swarm_window.struck(state, ItemWord(item="i0"))


def test_at_the_end_of_the_time_nothing_begins_and_what_is_sealed_still_counts() -> None:
    state, _ = begun(state_of(*rows(3), width=2))
    state = swarm_window.after_end(state, end_of("i0"), 5.0)
    state = swarm_window.ending(state, "time is up")
    state = swarm_window.after_end(state, end_of("i1", failure=ItemFailure.ENDED), 6.0)
    assert (["sealed", "cancelled", "cancelled"], []) == (statuses(state), begun(state)[1])


def test_a_note_is_heard_once_by_everybody_it_is_for() -> None:
    state, _ = begun(state_of(*rows(2), width=1))
    for number, item in enumerate(("", "i0", "i1")):
        note = Note(speaker=Speaker.PERSON, text=f"n{number}", message_id=f"m{number}")
        state = swarm_begin.with_note(state, ItemNote(item=item, note=note))
    state = swarm_window.after_end(state, end_of("i0", failure=ItemFailure.HOST), 5.0)
    state, items = begun(state)
    assert (["i0"], ()) == (items, swarm_begin.item_input(state, "i0", 0, 6.0).notes)
    state = swarm_window.after_end(state, end_of("i0", 2), 7.0)
    state, _ = begun(state)
    assert ["n0", "n2"] == [note.text for note in swarm_begin.item_input(state, "i1", 0, 8.0).notes]


def test_a_resolver_is_beside_the_window_and_inside_the_budget() -> None:
    state, _ = begun(state_of(*rows(2), allowance=limited(tokens=200), width=1))
    name = swarm_resolvers.name_of("i0", 1)
    assert "i0.fix1" == name
    following = swarm_resolvers.begun(state, name, 5.0)
    assert following is not None
    state, request = following
    assert (50, 1, True) == (request.limits.tokens, request.attempt, request.has_checks)
    lost = swarm_resolvers.after_end(state, end_of(name, failure=ItemFailure.LOST), 6.0)
    assert lost is not None
    assert None is swarm_resolvers.taken(lost, name)[1]
    following = swarm_resolvers.begun(lost, name, 7.0)
    assert following is not None
    done = swarm_resolvers.after_end(following[0], end_of(name, 2), 8.0)
    assert done is not None
    left, end = swarm_resolvers.taken(done, name)
    assert (2, {}) == (end and end.attempt, left.resolvers)


def test_people_see_that_whoever_mends_a_merge_waits_for_them() -> None:
    state, _ = begun(state_of(*rows(1), allowance=limited(tokens=200)))
    state = swarm_window.after_end(state, end_of("i0"), 4.0)
    following = swarm_resolvers.begun(state, "i0.fix1", 5.0)
    assert following is not None
    news = ItemNews(
        item="i0.fix1", waiting=True, attention=Attention(kind="configuration", text="no key"), needs_person=True
    )
    state = swarm_resolvers.heard(following[0], news)
    shown = swarm_view.summary(state, 6.0)
    assert (True, "1 waits: no key") == (shown.needs_person, shown.waiting_for)
    shown = swarm_view.summary(swarm_resolvers.heard(state, ItemNews(item="i0.fix1")), 7.0)
    assert (False, "") == (shown.needs_person, shown.waiting_for)


def test_the_state_of_300_items_stays_small() -> None:
    state, _ = begun(state_of(*rows(300), width=64))
    for number in range(64):
        state = swarm_window.after_end(state, end_of(f"i{number}"), 5.0)
    assert len(state.model_dump_json()) < 120_000


def test_nothing_of_the_texts_of_the_plan_is_carried() -> None:
    start = start_of(*rows(1))
    start = start.model_copy(update={"plan": start.plan.model_copy(update={"shown": ("x" * 2_000,)})})
    assert () == swarm_begin.carried(start, 0.0).start.plan.shown


@st.composite
def plans(draw: st.DrawFn) -> tuple[ItemRow, ...]:
    """Plans without cycles."""
    count = draw(st.integers(1, 12))
    found: list[ItemRow] = []
    for number in range(count):
        needs = draw(st.sets(st.sampled_from(range(number)), max_size=2)) if number else set[int]()
        found.append(ItemRow(id=f"i{number}", depends_on=tuple(f"i{each}" for each in sorted(needs))))
    return tuple(found)


@settings(max_examples=200, deadline=None)
@given(
    plan=plans(),
    width=st.integers(1, 6),
    attempts=st.integers(1, 3),
    tokens=st.one_of(st.none(), st.integers(0, 400)),
    seed=st.integers(0, 10_000),
)
def test_whatever_happens_every_item_settles_in_order_and_within_the_budget(
    plan: tuple[ItemRow, ...], width: int, attempts: int, tokens: int | None, seed: int
) -> None:
    dice = random.Random(seed)
    state = state_of(*plan, width=width, attempts=attempts, allowance=limited(tokens=tokens))
    needs = {row.id: row.depends_on for row in plan}
    for _ in range(1_000):
        state, items = begun(state)
        for item in items:
            assert all(state.items[other].status is S.MERGED for other in needs[item])
        assert len(swarm_window.at_work(state)) <= width
        assert set(swarm_window.at_work(state)) <= set(state.account.shares)
        state = swarm_window.starved(state)
        if swarm_window.is_settled(state):
            break
        state = _one_thing(state, dice)
        left = ledger.left(state.account)["tokens"]
        assert left is None or left >= 0
    assert swarm_window.is_settled(state)
    for item, run in state.items.items():
        assert run.attempt <= attempts
        assert run.status is not S.MERGED or all(state.items[other].status is S.MERGED for other in needs[item])


def _one_thing(state: SwarmState, dice: random.Random) -> SwarmState:
    """An attempt ends, or sealed work is integrated, or a person takes something out."""
    sealed = [item for item, run in state.items.items() if run.status is S.SEALED]
    out = list(state.account.shares)
    if sealed and (not out or dice.random() < 0.5):
        status = S.MERGED if dice.random() < 0.8 else S.DROPPED
        return swarm_window.integrated(state, dice.choice(sealed), status, "")
    if dice.random() < 0.05:
        return swarm_window.struck(state, ItemWord(item=dice.choice(list(state.items))))
    item = dice.choice(out)
    failure = None if dice.random() < 0.6 else dice.choice(list(ItemFailure))
    share = state.account.shares[item].tokens
    tokens = dice.randint(0, 20 if share is None else share)
    end = end_of(item, state.items[item].attempt, failure, tokens=tokens, throttled=dice.randint(0, 1))
    return swarm_window.after_end(state, end, 5.0)
