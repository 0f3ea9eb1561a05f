"""What sessions ask of people: `inbox` shows it, `answer`, `approve` and `reject` decide it."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from longshift.cli import figures, render_reviews
from longshift.cli.command import TaskId, command
from longshift.cli.editing import edited_plan
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.cli.terminal_text import clean
from longshift.cli.words import file_words, given_words, this_person
from longshift.contracts.errors import BadInput
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
from longshift.sessions.swarms import plan_of_question

VIA = "cli"

ReviewId = Annotated[str, typer.Argument(metavar="REVIEW", help="The question's id, as `longshift inbox` shows it.")]
OneReview = Annotated[str, typer.Argument(metavar="[REVIEW]", help="The question's id; without it, the only one.")]
Choice = Annotated[str, typer.Argument(metavar="OPTION", help="One of the question's options.")]
Words = Annotated[str, typer.Option("--text", help="What you say to it; - reads it from standard input.")]
WordsFile = Annotated[Path | None, typer.Option("--file", help="A file with what you say to it.")]
Edit = Annotated[bool, typer.Option("--edit", help="With `amend`: change the whole plan in $EDITOR.")]
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
    async def answer(
        run: Invocation,
        task_id: TaskId,
        review: ReviewId,
        option: Choice,
        text: Words = "",
        file: WordsFile = None,
        edit: Edit = False,
    ) -> int:
        """Decide what a session asks."""
        if sum((bool(text), file is not None, edit)) > 1:
            raise BadInput("--text: give one of --text, --file and --edit")
        if edit:
            return await _decide_edited(run, task_id, review, option)
        words = file_words(file, "--file") if file is not None else text
        return await _decide(run, task_id, _given(review, option, words))

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


async def _decide_edited(run: Invocation, task_id: str, review_id: str, option: str) -> int:
    """Change the plan that a question is about in an editor, and send it as it is then."""
    review = await question_with(await run.client(), task_id, option, review_id)
    if option != reviews.AMEND:
        raise BadInput(f"--edit: changes a plan, and {option!r} does not; use it with {reviews.AMEND}")
    plan = await plan_of_question(run.store, review)
    if plan is None:
        raise BadInput(f"--edit: the store has no plan that {review_id} is about; use --text, or look at store_url")
    words = await asyncio.to_thread(edited_plan, plan)
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
