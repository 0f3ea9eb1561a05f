"""Swarms in words: a line, their names, and what of their progress is news."""

import pytest

from longshift.contracts.swarm import ItemStatus, SwarmSummary
from longshift.policy.swarm_words import chosen, counted, is_news, is_over, line, quarters


def summary(total: int = 300, waiting_for: str = "", needs_person: bool = False, **counts: int) -> SwarmSummary:
    given = {"total": total, "counts": counts, "waiting_for": waiting_for, "needs_person": needs_person}
    return SwarmSummary.model_validate({"swarm": "mend.swarm1", **given})


def with_one(status: ItemStatus) -> SwarmSummary:
    return SwarmSummary(swarm="mend.swarm1", total=300, counts={status.value: 1})


def test_a_line_says_how_many_are_merged_at_work_and_lost() -> None:
    shown = summary(merged=12, running=60, waiting=4, failed=2, pending=222)

    assert "swarm1: 12/300 merged, 64 at work, 2 failed" == line(shown)
    assert "0/300 merged" == counted(summary())


def test_a_line_says_what_holds_items_up() -> None:
    held = summary(waiting=300, waiting_for="300 wait: the key is not accepted", needs_person=True)

    assert line(held).endswith("; needs a person: 300 wait: the key is not accepted")


@pytest.mark.parametrize("status", ItemStatus)
def test_every_status_but_that_of_the_future_is_counted(status: ItemStatus) -> None:
    silent = status is ItemStatus.PENDING

    assert ("0/300 merged" == counted(with_one(status))) == silent


@pytest.mark.parametrize(
    ("name", "expected"),
    [("", "t.swarm2"), ("1", "t.swarm1"), ("swarm2", "t.swarm2"), ("t.swarm1", "t.swarm1"), ("3", ""), ("x", "")],
)
def test_a_swarm_is_meant_by_number_name_or_id(name: str, expected: str) -> None:
    assert expected == chosen(("t.swarm1", "t.swarm2"), name)
    assert "" == chosen((), name)


def test_who_follows_hears_of_stages_failures_and_the_end_and_not_of_each_item() -> None:
    before = summary(merged=10, running=64)

    assert is_news(None, before)
    assert not is_news(before, summary(merged=11, running=63))
    assert is_news(before, summary(merged=15, running=60))
    assert is_news(before, summary(merged=10, running=63, failed=1))
    assert is_news(before, summary(merged=10, running=64, waiting_for="1 waits: no host"))
    assert is_news(summary(merged=299, running=1), summary(merged=300))
    assert is_over(summary(merged=298, failed=2))
    assert not is_over(summary(merged=298, sealed=2))


def test_quarters_are_told_with_the_same_words_for_ever() -> None:
    first, second = quarters(summary(40, merged=10)), quarters(summary(40, merged=25, failed=5))

    assert [1] == [number for number, _ in first]
    assert [1, 2, 3] == [number for number, _ in second]
    assert first[0] == second[0]
    assert () == quarters(summary(40, merged=40))
    assert () == quarters(summary(19, merged=15))
