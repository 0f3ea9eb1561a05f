"""Questions to people, for people: from wire values to what a terminal shows. Pure functions; nothing is asked here."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group
from rich.text import Text

from longshift.cli.terminal_text import clean
from longshift.contracts.reviews import Ask, AskKind, OptionStyle, Review
from longshift.policy import reviews

OPTION_STYLES = {OptionStyle.PLAIN: "", OptionStyle.PRIMARY: "bold", OptionStyle.DANGER: "red"}

DIFF_STYLES = {"+": "green", "-": "red"}
"""By how a line of a difference begins."""


def page(task_id: str, asked: Sequence[Review]) -> Group:
    """The open questions of one session: all that is shown of them, and the commands that decide them."""
    return Group(*(question(task_id, each, _asked_at(each)) for each in asked))


def question(task_id: str, review: Review, when: str) -> Text:
    """One question; `when` says when it was asked."""
    ask = review.ask
    lines = [
        Text.assemble(
            (f"asks {clean(ask.id)}", "bold yellow"),
            (f"  {ask.kind.value}, {when}", "dim"),
        ),
        Text(f"  {_indented(ask.question)}"),
        *_evidence(ask),
        *_ways(task_id, review),
    ]
    return Text("\n").join(lines)


def _evidence(ask: Ask) -> list[Text]:
    """As it is; of a swarm's plan without marks, and with the lines of a difference in their colours."""
    if ask.kind is not AskKind.SWARM:
        return [Text(f"    · {_indented(each, 6)}", style="dim") for each in ask.evidence]
    found = list[Text]()
    for text in _texts(ask.evidence):
        styles = DIFF_STYLES if "@@ " in text else {}
        found += [Text(f"    {line}", style=styles.get(line[:1], "")) for line in clean(text).splitlines()]
    return found


def _texts(pieces: Sequence[str]) -> list[str]:
    """What is one text, from pieces that end with a line, or where there was no more room in them."""
    texts, goes_on = list[str](), False
    for piece in pieces:
        if goes_on:
            texts[-1] += piece
        else:
            texts.append(piece)
        goes_on = piece.endswith("\n") or len(piece) == reviews.EVIDENCE_CHARACTERS
    return texts


def _ways(task_id: str, review: Review) -> list[Text]:
    commands = [clean(reviews.command(task_id, review, each)) for each in review.ask.options]
    width = max((len(each) for each in commands), default=0)
    return [
        Text.assemble(f"  {command:<{width}}  ", (clean(each.label), OPTION_STYLES[each.style]))
        for command, each in zip(commands, review.ask.options, strict=True)
    ]


def _indented(text: str, by: int = 2) -> str:
    return clean(text.strip()).replace("\n", "\n" + " " * by)


def _asked_at(review: Review) -> str:
    asked_at = datetime.fromtimestamp(review.asked_at, UTC).astimezone()
    return f"asked {asked_at:%Y-%m-%d %H:%M:%S}"
