"""Signals of a compaction that loses what is needed."""

from longshift.contracts.agent import Recall
from longshift.contracts.model import CallDigest, ToolClass
from longshift.policy import recall


def reads(*names: str, rejected: bool = False) -> tuple[CallDigest, ...]:
    return tuple(
        CallDigest(
            index=index,
            call_id=f"c{index}",
            name="read_file",
            tool_class=ToolClass.PURE,
            arguments_hash="0" * 16,
            reads=name,
            rejected=rejected,
        )
        for index, name in enumerate(names)
    )


def test_reading_again_what_was_read_before_a_compaction_is_counted() -> None:
    before = recall.after_calls(Recall(), reads("a", "b"))
    after = recall.after_calls(recall.after_compaction(before, 50), reads("a", "c", "b", "d"))
    assert 0.5 == recall.repeated_reads_share(after)


def test_reading_twice_without_a_compaction_between_is_no_sign() -> None:
    state = recall.after_calls(recall.after_calls(Recall(), reads("a")), reads("a"))
    assert 0.0 == recall.repeated_reads_share(state)


def test_what_was_read_two_compactions_ago_is_still_known() -> None:
    state = recall.after_compaction(recall.after_calls(Recall(), reads("a")), 50)
    state = recall.after_compaction(recall.after_calls(state, reads("b")), 90)
    assert 1.0 == recall.repeated_reads_share(recall.after_calls(state, reads("a", "b")))


def test_a_refused_call_reads_nothing() -> None:
    assert Recall() == recall.after_calls(Recall(), reads("a", rejected=True))


def test_the_memory_of_reads_is_bounded_and_keeps_the_latest() -> None:
    state = Recall()
    for number in range(1_000):
        state = recall.after_calls(state, reads(f"f{number}"))
    state = recall.after_compaction(state, 1_000)
    assert (recall.KNOWN_READS, "f999") == (len(state.known_reads), state.known_reads[-1])


def test_the_rate_of_compactions_is_that_of_the_latest_ones_and_fades() -> None:
    state = Recall()
    assert 0.0 == recall.compactions_per_100_steps(recall.after_compaction(state, 10), 20)
    for step in (100, 110, 120):
        state = recall.after_compaction(state, step)
    assert 10.0 == recall.compactions_per_100_steps(state, 120)
    assert 1.0 == recall.compactions_per_100_steps(state, 300)
