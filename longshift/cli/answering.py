"""What sessions ask of people: `inbox` shows it, `answer`, `approve` and `reject` decide it."""

import time
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from longshift.cli import figures, render_reviews
from longshift.cli.command import TaskId, command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.cli.terminal_text import clean
from longshift.cli.words import given_words, this_person
from longshift.contracts.reviews import Answer, Review
from longshift.policy import reviews
from longshift.sessions.questions import (
    LIMIT_SESSIONS,
    Inbox,
    an_answer,
    give_answer,
    open_questions,
    question_with,
)

VIA = "cli"

ReviewId = Annotated[str, typer.Argument(metavar="REVIEW", help="The question's id, as `longshift inbox` shows it.")]
OneReview = Annotated[str, typer.Argument(metavar="[REVIEW]", help="The question's id; without it, the only one.")]
Choice = Annotated[str, typer.Argument(metavar="OPTION", help="One of the question's options.")]
Words = Annotated[str, typer.Option("--text", help="What you say to it; - reads it from standard input.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000, help="Ask at most this many sessions.")]


def register(app: typer.Typer) -> None:
    """Put the commands onto the command line."""

    @command(app, "inbox")
    async def inbox(run: Invocation, limit: Limit = LIMIT_SESSIONS) -> int:
        """Show what all sessions ask of people, the first asked first."""
        found = await open_questions(await run.client(), limit=limit)
        run.out.document(
            {"questions": found.questions, "silent": found.silent, "left_off": found.left_off}, *_page(found)
        )
        return ExitCode.OK

    @command(app, "answer")
    async def answer(run: Invocation, task_id: TaskId, review: ReviewId, option: Choice, text: Words = "") -> int:
        """Decide what a session asks."""
        return await _decide(run, task_id, _given(review, option, text))

    @command(app, "approve")
    async def approve(run: Invocation, task_id: TaskId, review: OneReview = "") -> int:
        """Approve the plan or the command that a session asks about."""
        return await _decide_one(run, task_id, reviews.APPROVE, review, "")

    @command(app, "reject")
    async def reject(run: Invocation, task_id: TaskId, review: OneReview = "", text: Words = "") -> int:
        """Reject the plan or the command that a session asks about."""
        return await _decide_one(run, task_id, reviews.REJECT, review, text)


def _given(review: str, option: str, text: str, shown_hash: str = "") -> Answer:
    words = given_words(text, "--text") if text else ""
    return an_answer(review, option, words, by=this_person(), via=VIA, shown_hash=shown_hash)


async def _decide_one(run: Invocation, task_id: str, option: str, review_id: str, text: str) -> int:
    """Decide the one question that takes this option, as it was when it was looked up."""
    words = given_words(text, "--text") if text else ""
    review = await question_with(await run.client(), task_id, option, review_id)
    return await _decide(run, task_id, _given(review.ask.id, option, words, review.shown_hash), review)


async def _decide(run: Invocation, task_id: str, answer: Answer, review: Review | None = None) -> int:
    given = await give_answer(await run.client(), task_id, answer)
    document = {"task_id": task_id, "action": "answer", "review": answer.review, "option": answer.option}
    asked = [Text(clean(review.ask.question), style="dim")] if review else []
    run.out.document({**document, "answer": given.text}, *asked, Text(f"{task_id}: {clean(given.text)}"))
    return ExitCode.OK


def _page(found: Inbox) -> list[RenderableType]:
    now, parts = time.time(), list[RenderableType]()
    for each in found.questions:
        age = f"{figures.duration(max(0.0, now - each.review.asked_at))} ago"
        parts += [
            Text.assemble((clean(each.task_id), "bold"), f"  {clean(each.title)}"),
            render_reviews.question(each.task_id, each.review, age),
            Text(),
        ]
    if not found.questions:
        parts.append(Text("no session asks anything", style="dim"))
    parts += [
        Text(f"{clean(task_id)} needs a person, and no worker tells what for", style="yellow")
        for task_id in found.silent
    ]
    if found.left_off:
        parts.append(Text(f"{found.left_off} more sessions need a person; --limit asks more of them", style="yellow"))
    return parts
