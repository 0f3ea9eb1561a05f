"""A note made of the record: the newest of it, within bounds, and never without the one from before."""

from longshift.policy.record_note import LINES_LIMIT_CHARACTERS, WORDS_LIMIT_CHARACTERS, Done, record_note


def test_it_says_why_and_lists_calls_and_last_words() -> None:
    done = [Done(1, "I look.", (("bash: ls", False),)), Done(2, "", (("bash: make", True), ("grep: x in .", False)))]
    note = record_note(done, "refused")
    assert "(refused)" in note
    assert "Step 1: I look." in note
    assert "1: bash: ls\n2: bash: make (failed)\n2: grep: x in ." in note


def test_of_a_long_record_the_newest_part_stays() -> None:
    done = [Done(step, f"words {step} " * 50, ((f"bash: make part-{step} " * 5, False),)) for step in range(1, 4_000)]
    note = record_note(done, "overflow")
    assert len(note) < LINES_LIMIT_CHARACTERS + WORDS_LIMIT_CHARACTERS + 500
    assert ["part-3999" in note, "part-1 " in note] == [True, False]


def test_the_note_from_before_is_handed_on() -> None:
    assert "The parser is recursive." in record_note([], "overflow", "The parser is recursive.")
