"""Chains of bundles stay short, and a large full one is not written again and again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts import ids
from longshift.contracts.checkpoints import CheckpointKind, CheckpointRecord
from longshift.contracts.workspace import Workspace
from longshift.policy.checkpoints import (
    CUMULATIVES_LIMIT,
    FULL_AGAIN_BYTES,
    INCREMENTALS_LIMIT,
    SMALL_BYTES,
    linked,
    next_kind,
)
from longshift.policy.restoration import remarks, remarks_without_checkpoint

WORKSPACE = Workspace(workspace_id="t", host_id="h", host_queue="q", root="/")
FULL, CUMULATIVE, INCREMENTAL = CheckpointKind.FULL, CheckpointKind.CUMULATIVE, CheckpointKind.INCREMENTAL


def following(last: CheckpointRecord | None, size_bytes: int) -> CheckpointRecord:
    """The record after `last`, of a bundle of this size."""
    number = 1 if last is None else last.number + 1
    record = CheckpointRecord(
        generation=1,
        number=number,
        step=number,
        kind=next_kind(last),
        tree="t",
        commit="c",
        base_commit="b",
        workspace=WORKSPACE,
        bundle_sha256="s",
        bundle_bytes=size_bytes,
    )
    return linked(record, last)


def chain(sizes_bytes: list[int]) -> list[CheckpointRecord]:
    """The records of bundles of these sizes."""
    made: list[CheckpointRecord] = []
    for size_bytes in sizes_bytes:
        made.append(following(made[-1] if made else None, size_bytes))
    return made


def test_the_first_is_full_and_needs_nothing() -> None:
    [first] = chain([100])
    assert (FULL, None, None, 100) == (first.kind, first.builds_on, first.full, first.full_bytes)


@pytest.mark.parametrize(("full_bytes", "again"), [(FULL_AGAIN_BYTES, FULL), (FULL_AGAIN_BYTES + 1, CUMULATIVE)])
def test_after_many_incremental_ones_it_starts_anew(full_bytes: int, again: CheckpointKind) -> None:
    made = chain([full_bytes, *[1] * INCREMENTALS_LIMIT, 1, 1])
    assert [FULL, *[INCREMENTAL] * INCREMENTALS_LIMIT, again, INCREMENTAL] == [each.kind for each in made]
    assert (None if again is FULL else made[0].place) == made[-2].builds_on
    assert (made[-2].place, 1) == (made[-1].builds_on, made[-1].incremental_count)


@pytest.mark.parametrize(
    ("full_bytes", "enough_bytes", "again"), [(10, SMALL_BYTES, FULL), (5_000_000, 5_000_000, CUMULATIVE)]
)
def test_incremental_ones_that_outgrow_the_full_one_start_anew(
    full_bytes: int, enough_bytes: int, again: CheckpointKind
) -> None:
    assert [FULL, INCREMENTAL, INCREMENTAL, again] == [each.kind for each in chain([full_bytes, enough_bytes, 1, 1])]


def test_even_a_large_full_one_is_written_again_some_day() -> None:
    made = chain([SMALL_BYTES + 1] * 4 * (CUMULATIVES_LIMIT + 1))
    assert made[0].full_bytes == made[-1].full_bytes
    assert 2 <= sum(each.kind is FULL for each in made) <= 3


@given(st.lists(st.integers(1, 3 * FULL_AGAIN_BYTES), min_size=1, max_size=200))
def test_every_chain_ends_at_a_full_one_and_is_short(sizes_bytes: list[int]) -> None:
    made = chain(sizes_bytes)
    by_place = {each.place.number: each for each in made}
    for each in made:
        steps, current = 1, each
        while current.builds_on is not None:
            current, steps = by_place[current.builds_on.number], steps + 1
        assert FULL is current.kind
        assert current.place == (each.full or each.place)
        assert steps <= INCREMENTALS_LIMIT + 2


def test_remarks_name_what_is_missing() -> None:
    found = remarks(complaints=["c"] * 9, source_complaint="", has_own_repository=True, left_out=["f"] * 25)
    assert 3 == sum("could not be used: c." in each for each in found)
    assert found[-1].endswith("f and 5 more.")
    assert any("own repository" in each for each in found)


def test_a_source_that_is_gone_is_said_instead_of_its_commits() -> None:
    found = remarks(complaints=[], source_complaint="no such host", has_own_repository=False, left_out=[])
    assert "no such host" in found[0]
    assert not any("Commits" in each for each in found)


def test_without_a_checkpoint_it_is_said() -> None:
    assert "no checkpoint" in remarks_without_checkpoint([])[0]


def test_keys_of_records_and_starts_are_read_back_and_others_are_not() -> None:
    keys = [ids.checkpoint_key("t", 3, 12), ids.checkpoint_start_key("t", 3), ids.bundle_key("t", 3, 12, "f" * 64, 2)]
    assert [(3, 12), (3, 0), None] == [ids.checkpoint_of(key) for key in keys]
    assert all(key.startswith(f"{ids.checkpoints_prefix('t')}/") for key in keys)
