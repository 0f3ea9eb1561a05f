"""What is merged, proved, mended and dropped, in a simulated repository."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_merging import Driver, World, checks_bound, rows_of, statuses

from longshift.contracts.reconciling import Reconciling
from longshift.contracts.swarm import ItemStatus
from longshift.contracts.swarm_activities import Merge
from longshift.policy import reconcile
from longshift.policy.reconcile import CheckBatch, MergeBatch


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(1, 24))
    numbers = range(count)
    before = {n: draw(st.lists(st.integers(0, n - 1), max_size=2, unique=True)) for n in numbers if n}
    rows = rows_of(count, before)
    names = st.sampled_from([row.id for row in rows])
    pairs = st.lists(st.tuples(names, names).filter(lambda pair: pair[0] != pair[1]), max_size=4)
    return World(
        rows=rows,
        culprits=draw(st.frozensets(names, max_size=4)),
        conflicts=frozenset(frozenset(pair) for pair in draw(pairs)),
        mendable=draw(st.frozensets(names)),
        unfit=draw(st.frozensets(names, max_size=2)),
    )


@settings(deadline=None, max_examples=300)
@given(worlds(), st.randoms(use_true_random=False), st.booleans())
def test_all_innocents_are_merged_in_order_and_all_others_are_settled(
    world: World, draw: random.Random, all_at_once: bool
) -> None:
    driver = Driver(world)
    names = [row.id for row in world.rows]
    draw.shuffle(names)
    while names:
        size = len(names) if all_at_once else draw.randint(1, 4)
        driver.seal(names[:size])
        names = names[size:]
        for _ in range(draw.randint(0, 3)):
            driver.act()
            if draw.random() < 0.4:
                driver.resolve()
    driver.run(draw)
    assert driver.state.is_idle
    assert {row.id for row in world.rows} == set(driver.settled)
    assert set(driver.merged) == {item for item, status in statuses(driver).items() if status is ItemStatus.MERGED}
    assert world.innocents <= set(driver.merged)
    place = {item: number for number, item in enumerate(driver.merged)}
    for row in world.rows:
        for before in {*row.merge_after} & place.keys():
            if row.id in place:
                assert place[before] < place[row.id]
    assert len(driver.resolved) <= len({each.merge.item for each in driver.resolved}) * driver.state.resolvers


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 300), st.data())
def test_culprits_are_found_in_few_runs_of_the_checks(count: int, data: st.DataObject) -> None:
    rows = rows_of(count)
    culprits = data.draw(st.frozensets(st.sampled_from([row.id for row in rows]), max_size=6))
    mendable = data.draw(st.frozensets(st.sampled_from(sorted(culprits) or ["none"])))
    driver = Driver(World(rows=rows, culprits=culprits, mendable=mendable))
    driver.seal(row.id for row in rows)
    driver.run()
    assert {row.id for row in rows} - (culprits - mendable) == set(driver.merged)
    assert {each.merge.item for each in driver.resolved} == culprits
    assert driver.checks <= checks_bound(count, len(culprits))


@settings(deadline=None)
@given(st.integers(2, 64), st.data())
def test_an_unsteady_check_costs_no_work(count: int, data: st.DataObject) -> None:
    driver = Driver(World(rows=rows_of(count)))
    driver.unsteady = {data.draw(st.integers(1, 6))}
    driver.seal(row.id for row in driver.world.rows)
    driver.run()
    assert [row.id for row in driver.world.rows] == driver.merged
    assert [] == driver.resolved


@settings(deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_what_is_taken_out_meanwhile_is_merged_no_more(world: World, draw: random.Random) -> None:
    driver = Driver(world)
    driver.seal(row.id for row in world.rows)
    struck = draw.choice(world.rows).id
    for _ in range(draw.randint(0, 6)):
        driver.act()
    was_merged = struck in driver.merged
    driver.state = reconcile.drop(driver.state, struck)
    driver.run(draw)
    assert was_merged == (struck in driver.merged)
    assert world.innocents - {struck} <= set(driver.merged)
    assert driver.state.is_idle


def test_what_is_taken_out_while_it_is_merged_is_left_out_of_the_green_state() -> None:
    driver = Driver(World(rows=rows_of(3)))
    driver.seal(["i000", "i001", "i002"])
    driver.state, action = reconcile.next_action(driver.state, driver.world.rows)
    assert isinstance(action, MergeBatch)
    digest = driver.merge(action)
    driver.state = reconcile.drop(driver.state, "i001")
    driver.state, _ = reconcile.after_merge(driver.state, digest, driver.world.rows)
    driver.run()
    assert ["i000", "i002"] == driver.merged


def test_what_is_ready_when_a_proof_ends_is_the_next_batch() -> None:
    driver = Driver(World(rows=rows_of(4)))
    driver.seal(["i000"])
    driver.act()
    driver.seal(["i003", "i001"])
    driver.act()
    _, action = reconcile.next_action(driver.state, driver.world.rows)
    assert MergeBatch(1, (Merge(item="i001"), Merge(item="i003")), 2) == action


def test_an_item_waits_for_those_that_are_merged_before_it_and_for_no_dropped_one() -> None:
    driver = Driver(World(rows=rows_of(3, {2: [0, 1]})))
    driver.seal(["i002", "i000"])
    driver.run()
    assert ["i000"] == driver.merged
    driver.state = reconcile.drop(driver.state, "i001")
    driver.run()
    assert ["i000", "i002"] == driver.merged


def test_a_conflict_with_unproved_work_is_tried_again_before_anybody_mends_it() -> None:
    conflicts = frozenset({frozenset({"i000", "i001"})})
    driver = Driver(World(rows=rows_of(3), culprits=frozenset({"i000"}), conflicts=conflicts))
    driver.seal(["i000", "i001", "i002"])
    driver.run()
    assert ["i001", "i002"] == sorted(driver.merged)
    assert ["i000"] == [each.merge.item for each in driver.resolved]


def test_conflicts_in_the_same_files_are_mended_one_after_the_other() -> None:
    conflicts = frozenset({frozenset({"i000", "i001"}), frozenset({"i000", "i002"})})
    driver = Driver(World(rows=rows_of(3), conflicts=conflicts, mendable=frozenset({"i001", "i002"})))
    driver.seal(["i000"])
    driver.run()
    driver.seal(["i001", "i002"])
    state, action = reconcile.next_action(driver.state, driver.world.rows)
    assert isinstance(action, MergeBatch)
    for item in ("i001", "i002"):
        digest = driver.merge(MergeBatch(1, (Merge(item=item),), state.numbers + 1))
        digest = digest.model_copy(update={"conflict_files": ("same.py",)})
        state, _ = reconcile.after_merge(state, digest, driver.world.rows)
        state, _ = reconcile.next_action(state, driver.world.rows)
    assert ["i001"] == [each.merge.item for each in state.mending]
    assert {"i002": "i001"} == state.held
    driver.state = state
    driver.run()
    assert ["i000", "i001", "i002"] == driver.merged


def test_a_single_item_is_red_twice_before_it_is_to_blame() -> None:
    driver = Driver(World(rows=rows_of(1), culprits=frozenset({"i000"})))
    driver.seal(["i000"])
    driver.run()
    assert 2 == driver.checks
    assert 2 == driver.resolved[0].red_checks_step
    assert "makes the checks red (tests), and the sub-agent that was to mend it ended with: in vain" in (
        driver.settled["i000"].reason
    )


def test_work_that_is_still_red_after_it_was_mended_is_dropped() -> None:
    rows = rows_of(1)
    state = reconcile.sealed(Reconciling(tried={"i000": 1}), Merge(item="i000", by="i000.fix1"))
    driver = Driver(World(rows=rows), state=state, unsteady={1, 2})
    driver.run()
    assert ItemStatus.DROPPED is driver.settled["i000"].status
    assert "what i000.fix1 made of it makes the checks red (tests)" == driver.settled["i000"].reason


def test_a_bundle_that_cannot_be_merged_is_dropped_with_its_reason() -> None:
    driver = Driver(World(rows=rows_of(2), unfit=frozenset({"i000"})))
    driver.seal(["i000", "i001"])
    driver.run()
    assert ["i001"] == driver.merged
    assert "its bundle is damaged" == driver.settled["i000"].reason


@pytest.mark.parametrize("times", [1, 2, 3])
def test_sealed_work_counts_once_however_often_it_is_told(times: int) -> None:
    driver = Driver(World(rows=rows_of(1)))
    for _ in range(times):
        driver.seal(["i000"])
        driver.act()
    driver.run()
    assert ["i000"] == driver.merged


def test_three_hundred_items_in_a_chain_are_ordered_at_once() -> None:
    rows = rows_of(300, {n: range(n) for n in range(300)})
    driver = Driver(World(rows=rows))
    driver.seal(row.id for row in reversed(rows))
    _, action = reconcile.next_action(driver.state, rows)
    assert isinstance(action, MergeBatch)
    assert [row.id for row in rows] == [each.item for each in action.merges]


def test_the_state_of_three_hundred_items_is_small() -> None:
    driver = Driver(World(rows=rows_of(300), culprits=frozenset({"i007"})))
    driver.seal(row.id for row in driver.world.rows)
    sizes: list[int] = []
    while driver.act():
        sizes.append(len(driver.state.model_dump_json(exclude_defaults=True)))
    assert max(sizes) < 40_000


def test_without_checks_the_proof_is_still_asked_for_and_costs_nothing() -> None:
    driver = Driver(World(rows=rows_of(1)), state=Reconciling(has_checks=False))
    driver.seal(["i000"])
    driver.act()
    _, action = reconcile.next_action(driver.state, driver.world.rows)
    assert CheckBatch(1, 1) == action
