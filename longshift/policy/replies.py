"""What a person's reply in a session's thread means: a keyword, an answer, or a word for the agent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from longshift.contracts.reviews import Option, Review, ReviewState

ASIDE = "!aside"
ALL = "all"
_ITEM = re.compile(r"@([a-z0-9][a-z0-9-]{0,39})[:,]?\s+(\S.*)", re.IGNORECASE | re.DOTALL)
_CANCEL = re.compile(r"cancel\s*(?:[:,.!\n-]\s*(.*))?", re.IGNORECASE | re.DOTALL)


class ReplyKind(StrEnum):
    """What is wanted."""

    NOTHING = "nothing"
    """Said among people."""
    STATUS = "status"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    ITEM = "item"
    """A message for the sub-agent of an item of the swarm at work, or for all of them."""
    WORDS = "words"
    """The answer to the one open question that takes words, else a message for the agent."""


@dataclass(frozen=True)
class Reply:
    """A reply, as it is understood."""

    kind: ReplyKind
    text: str = ""
    item: str = ""
    """Whose sub-agent it is for; `*`: all of them."""


_ALONE = {each.value: each for each in (ReplyKind.STATUS, ReplyKind.PAUSE, ReplyKind.RESUME)}


def read_reply(text: str) -> Reply:
    """A keyword counts only where it stands alone, and `cancel` before a colon as well: `cancel: not needed any more`.

    So `pause the import when the disk is full` is a word for the agent. `@ITEM text` is for the sub-agent of an item,
    `@all text` for all sub-agents.
    """
    said = text.strip()
    if not said or said.lower().startswith(ASIDE):
        return Reply(ReplyKind.NOTHING)
    alone = _ALONE.get(said.lower().rstrip(".! "))
    if alone is not None:
        return Reply(alone)
    named = _ITEM.fullmatch(said)
    if named is not None:
        item = named[1].lower()
        return Reply(ReplyKind.ITEM, named[2].strip(), "*" if item == ALL else item)
    cancel = _CANCEL.fullmatch(said)
    if cancel is not None:
        return Reply(ReplyKind.CANCEL, (cancel[1] or "").strip())
    return Reply(ReplyKind.WORDS, said)


def takes_words(reviews: Sequence[Review]) -> tuple[Review, Option] | None:
    """The open question that a reply answers, and how: only where exactly one takes words, in exactly one way."""
    asked = [
        (each, [option for option in each.ask.options if option.needs_text])
        for each in reviews
        if each.state is ReviewState.OPEN
    ]
    with_words = [(each, options) for each, options in asked if options]
    if len(with_words) != 1 or len(with_words[0][1]) != 1:
        return None
    return with_words[0][0], with_words[0][1][0]
