"""What a reply in a thread means."""

import pytest

from longshift.contracts.reviews import Ask, AskKind, Option, Review, ReviewState
from longshift.policy.replies import Reply, ReplyKind, read_reply, takes_words

WORDS = Option(id="advise", label="Advise", needs_text=True)


@pytest.mark.parametrize(
    ("text", "kind", "rest"),
    [
        ("pause", ReplyKind.PAUSE, ""),
        (" Resume! ", ReplyKind.RESUME, ""),
        ("STATUS", ReplyKind.STATUS, ""),
        ("cancel", ReplyKind.CANCEL, ""),
        ("Cancel: not needed\nany more", ReplyKind.CANCEL, "not needed\nany more"),
        ("cancel the subscription page, keep the rest", ReplyKind.WORDS, "cancel the subscription page, keep the rest"),
        ("pause the import when the disk is full", ReplyKind.WORDS, "pause the import when the disk is full"),
        ("!aside shall we?", ReplyKind.NOTHING, ""),
        ("!ASIDE", ReplyKind.NOTHING, ""),
        ("  ", ReplyKind.NOTHING, ""),
        ("use tabs", ReplyKind.WORDS, "use tabs"),
    ],
)
def test_a_keyword_counts_where_it_stands_alone(text: str, kind: ReplyKind, rest: str) -> None:
    assert Reply(kind, rest) == read_reply(text)


@pytest.mark.parametrize(
    ("text", "item", "rest"),
    [
        ("@mod-007 keep it short", "mod-007", "keep it short"),
        ("@Mod-007: keep it\nshort", "mod-007", "keep it\nshort"),
        (" @all, stop renaming", "*", "stop renaming"),
    ],
)
def test_a_reply_that_begins_with_an_item_is_for_its_sub_agent(text: str, item: str, rest: str) -> None:
    assert Reply(ReplyKind.ITEM, rest, item) == read_reply(text)


@pytest.mark.parametrize("text", ["@mod-007", "@all", "look at @mod-007 again", "@ mod-007 x", "mail@host x"])
def test_an_item_alone_or_within_a_text_is_a_word_for_the_agent(text: str) -> None:
    assert Reply(ReplyKind.WORDS, text) == read_reply(text)


def a_review(number: int, *options: Option, state: ReviewState = ReviewState.OPEN) -> Review:
    ask = Ask(id=f"q{number}", kind=AskKind.QUESTION, question="?", options=options)
    return Review(ask=ask, shown_hash="h", state=state)


def test_words_answer_the_only_question_that_takes_them() -> None:
    plain, asked = a_review(1, Option(id="a", label="A")), a_review(2, WORDS, Option(id="b", label="B"))
    assert (asked, WORDS) == takes_words([plain, asked, a_review(3, WORDS, state=ReviewState.DECIDED)])
    assert takes_words([plain]) is None
    assert takes_words([asked, a_review(3, WORDS)]) is None
    assert takes_words([a_review(4, WORDS, Option(id="c", label="C", needs_text=True))]) is None
