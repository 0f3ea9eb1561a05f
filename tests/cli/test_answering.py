# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""What sessions ask of people, on the command line: shown with the command that decides it, and decided once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from temporalio.client import Client

from longshift.cli import render
from longshift.cli.words import this_person
from longshift.contracts import ids
from longshift.contracts.attention import Attention
from longshift.contracts.reviews import AskKind
from longshift.contracts.session import AgentStatus, SessionState
from longshift.policy import reviews
from longshift.sessions.questions import open_questions
from tests.cli.conftest import Command, Said
from tests.cli.pages import HOSTILE, UNSAFE, shown, status
from tests.workflows.conftest import Running, a_task, scripted_worker, start, until_state
from tests.workflows.scripted import Script, digest_of
from workflows.session import Session


@asynccontextmanager
async def asking(client: Client, **asks: AskKind) -> AsyncGenerator[dict[str, Running]]:
    """Sessions of these names, each with one question of its agent, the first asked first."""
    script = Script([digest_of("finish")], hold_model=asyncio.Event())
    async with scripted_worker(client, script, "all"):
        found = {name: await start(client, script, a_task(name)) for name in asks}
        for name, kind in asks.items():
            await until_state(found[name], SessionState.RUNNING)
            ask = reviews.question(f"lead-s1-{kind.value}", kind, f"{kind.value} of {name}?", step=1)
            told = AgentStatus(agent=ids.agent_id(name), waiting=True, step=1, ask=ask)
            await found[name].handle.signal(Session.agent_status, told)
            await until_state(found[name], SessionState.WAITING)
        async with asyncio.timeout(20):  # the engine lists a session a moment later
            while len((await open_questions(client)).questions) < len(asks):  # noqa: ASYNC110  # a list has no event
                await asyncio.sleep(0.2)
        yield found
        assert script.hold_model is not None
        script.hold_model.set()


@pytest.mark.engine
async def test_the_inbox_shows_questions_and_the_commands_in_it_decide_them(client: Client, said: Said) -> None:
    async with asking(client, one=AskKind.STUCK, two=AskKind.PLAN, three=AskKind.RISK):
        page = (await said("inbox")).out
        listed = (await said("inbox", "--json")).document
        status_page = (await said("status", "one")).out
        advised = await said("answer", "one", "lead-s1-stuck", "advise", "--text", "Use tabs.", "--json")
        approved = await said("approve", "two")
        rejected = await said("reject", "three", "lead-s1-risk", "--text", "Not on a Friday.")
        again = await said("reject", "three", "lead-s1-risk", "--json")
        after = await said("inbox")
    assert ["one", "two", "three"] == [each["task_id"] for each in listed["questions"]]
    assert ([], 0) == (listed["silent"], listed["left_off"])
    for text in ("stuck of one?", "  longshift answer one lead-s1-stuck advise --text TEXT  Give advice"):
        assert (True, True) == (text in page, text in status_page)
    assert {
        "task_id": "one",
        "action": "answer",
        "review": "lead-s1-stuck",
        "option": "advise",
        "answer": f"lead-s1-stuck is decided: advise (Give advice), by {this_person()} via cli",
    } == advised.document
    assert (0, True, True) == (
        approved.code,
        approved.out.startswith("plan of two?\n"),
        "decided: approve" in approved.out,
    )
    assert (0, True) == (rejected.code, "decided: reject (Do not run it)" in rejected.out)
    assert (1, True) == (again.code, "is decided: reject" in again.document["error"]["message"])
    assert "no session asks anything\n" == after.out


@pytest.mark.engine
async def test_what_cannot_be_decided_is_refused_with_what_can(client: Client, said: Said) -> None:
    async with asking(client, one=AskKind.STUCK):
        outcomes = {
            "option": await said("answer", "one", "lead-s1-stuck", "approve"),
            "review": await said("answer", "one", "other", "continue"),
            "text": await said("answer", "one", "lead-s1-stuck", "advise"),
            "blank": await said("answer", "one", "lead-s1-stuck", "advise", "--text", " "),
            "long": await said("answer", "one", "x" * 300, "continue"),
            "session": await said("answer", "none", "a", "continue"),
            "approve": await said("approve", "one"),
            "named": await said("approve", "one", "other"),
        }
    words = {
        "option": (1, "use one of: advise, continue, end, cancel"),
        "review": (1, "open are: lead-s1-stuck"),
        "text": (1, "makes no sense without words"),
        "blank": (2, "--text: the message is empty"),
        "long": (2, "review: string should have at most 200"),
        "session": (2, "no session has the id 'none'"),
        "approve": (1, "asks nothing that takes 'approve'; open are: lead-s1-stuck (advise|continue|end|cancel)"),
        "named": (1, "review: 'other' is not known; open are: lead-s1-stuck"),
    }
    assert {name: (code, True) for name, (code, _) in words.items()} == {
        name: (outcome.code, words[name][1] in outcome.err) for name, outcome in outcomes.items()
    }, {name: outcome.err for name, outcome in outcomes.items()}


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.release
async def test_without_a_worker_the_engine_keeps_the_answer(client: Client, said: Said) -> None:
    async with asking(client, one=AskKind.RISK) as found:
        running = found["one"]
        await running.handle.execute_update(Session.pause)
        await until_state(running, SessionState.PAUSED)
        # What the block sets at its end: the model that was asked keeps its answer, which would withdraw the question.
        running.script.hold_model = asyncio.Event()
    running.script.hold_model = asyncio.Event()
    silent = (await said("inbox", "--json")).document
    kept = await said("answer", "one", "lead-s1-risk", "reject")
    async with scripted_worker(client, running.script, "one"):
        (review,) = (await running.handle.query(Session.status)).reviews
    assert ([], ["one"]) == (silent["questions"], silent["silent"])
    assert (0, True) == (kept.code, "the engine keeps the answer for the next worker" in kept.out)
    assert ("decided", "reject") == (review.state.value, review.decision and review.decision.option)


@pytest.mark.parametrize("command", ["inbox", "answer mend a continue", "approve mend", "reject mend --text x"])
def test_without_an_engine_they_say_so(longshift: Command, command: str) -> None:
    outcome = longshift(*command.split(), "--json")
    assert (3, "engine") == (outcome.code, outcome.document["error"]["kind"])


def test_a_question_takes_the_place_of_the_reason_to_look_and_nothing_reaches_the_terminal_raw() -> None:
    ask = reviews.question(HOSTILE, AskKind.PLAN, f"{HOSTILE}\nsecond line").model_copy(update={"evidence": (HOSTILE,)})
    told = status(
        SessionState.WAITING,
        attention=Attention(kind="plan", text="why"),
        reviews=(reviews.opened(ask, 1_000, 0),),
    )
    page = shown(render.needs(told))
    assert (set[str](), False, True) == (UNSAFE & set(page), "why" in page, "\n  second line\n" in page)
    assert "longshift answer mend" in page
