"""Questions to people, for people: from wire values to what a terminal shows. Pure functions; nothing is asked here."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group
from rich.text import Text

from longshift.cli.terminal_text import clean
from longshift.contracts.reviews import OptionStyle, Review
from longshift.policy import reviews

OPTION_STYLES = {OptionStyle.PLAIN: "", OptionStyle.PRIMARY: "bold", OptionStyle.DANGER: "red"}


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
        *(Text(f"    · {_indented(each, 6)}", style="dim") for each in ask.evidence),
        *_ways(task_id, review),
    ]
    return Text("\n").join(lines)


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
