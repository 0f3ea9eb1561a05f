"""A message for Slack: the text that notifications show, and the blocks."""

from dataclasses import dataclass

from longshift.adapters.slack import blocks, limits, questions
from longshift.adapters.slack.buttons import Block
from longshift.adapters.slack.text import cut_escaped, one_line
from longshift.contracts.cards import Message, MessageKind, PostInput, SessionCard
from longshift.contracts.reviews import Review


@dataclass(frozen=True)
class Rendered:
    """What is posted."""

    text: str
    blocks: list[Block]


def rendered(request: PostInput) -> Rendered:
    """A message as Slack takes it."""
    card, message = request.card, request.message
    match message.kind:
        case MessageKind.ROOT:
            text, made = blocks.headline(card), blocks.root(card, request.ui_url)
        case MessageKind.QUESTION:
            text, made = _question(card, _review(message))
        case MessageKind.REMINDER:
            review = _review(message)
            text, made = f"⏰ {questions.words_of(review)}", questions.reminder(card, review, message.number)
        case MessageKind.NEWS:
            text, made = message.news[-1].text if message.news else "news", blocks.news(message.news, message.missed)
        case MessageKind.END:
            text, made = blocks.headline(card), blocks.end(card)
    return Rendered(cut_escaped(one_line(text), limits.MESSAGE_TEXT_CHARACTERS // 4) or "…", made)


def _question(card: SessionCard, review: Review) -> tuple[str, list[Block]]:
    return questions.words_of(review), questions.question(card, review)


def _review(message: Message) -> Review:
    assert message.review is not None  # a message about a question has it
    return message.review
