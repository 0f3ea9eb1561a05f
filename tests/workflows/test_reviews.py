# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""Questions to people as records of a session: one decision each, whoever asks and whatever dies meanwhile."""

import asyncio
import uuid
from collections.abc import Sequence

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.common import SearchAttributeKey

from longshift.contracts import ids, search
from longshift.contracts.agent import AgentLimits
from longshift.contracts.errors import WorkspaceFailed
from longshift.contracts.model import ModelOutcome
from longshift.contracts.reviews import Answer, Ask, AskKind, Review, ReviewState
from longshift.contracts.session import AgentStatus, SessionState, SessionStatus
from longshift.contracts.tools import RunToolInput, ToolStatus
from longshift.policy import reviews
from longshift.sessions.failures import in_words
from tests.workflows.conftest import Running, a_task, scripted_worker, start, until_state
from tests.workflows.scripted import Host, Script, digest_of
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def task_id() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


def held() -> Script:
    """An agent that waits for its model, while the session is told what it asks."""
    return Script([digest_of("read_file"), digest_of("finish")], hold_model=asyncio.Event())


def an_ask(kind: AskKind, number: int = 1) -> Ask:
    """A question of the agent."""
    return reviews.question(f"lead-s{number}-{kind.value}", kind, f"{kind.value}?", step=number)


async def ask(running: Running, asked: Ask | None) -> SessionStatus:
    """The agent tells what it asks, or that it does not any more."""
    agent = ids.agent_id((await running.handle.query(Session.status)).task_id)
    told = AgentStatus(agent=agent, waiting=asked is not None, step=1, ask=asked)
    await running.handle.signal(Session.agent_status, told)
    if asked is None:
        return await until_state(running, SessionState.RUNNING)
    return await until_state(running, SessionState.WAITING, kind=asked.kind.value)


async def asking(client: Client, script: Script, task_id: str, kind: AskKind) -> Running:
    """A session with a question of its agent."""
    running = await start(client, script, a_task(task_id))
    await script.model_asked.wait()
    await ask(running, an_ask(kind))
    return running


async def say(running: Running, review: str, option: str, **more: str) -> str:
    """What the session says to an answer; to one that it refuses, with a mark."""
    update_id = more.pop("update_id", "") or uuid.uuid4().hex
    answer = Answer(review=review, option=option, **{"by": "Ada", "via": "cli", **more})
    try:
        return await running.handle.execute_update(Session.answer, answer, id=update_id)
    except WorkflowUpdateFailedError as error:
        return f"refused: {in_words(error.cause)}"


async def goes_on(running: Running) -> SessionStatus:
    """Let the held agent go on to the end."""
    assert running.script.hold_model is not None
    running.script.hold_model.set()
    return await running.result()


async def signals_of(client: Client, task_id: str) -> list[str]:
    """The names of the signals that the agent got, but for those about slots."""
    history = await client.get_workflow_handle(ids.agent_workflow_id(ids.agent_id(task_id))).fetch_history()
    return [
        event.workflow_execution_signaled_event_attributes.signal_name
        for event in history.events
        if event.HasField("workflow_execution_signaled_event_attributes")
        and not event.workflow_execution_signaled_event_attributes.signal_name.startswith("slot")
    ]


def shown(kept: Sequence[Review]) -> list[tuple[str, str]]:
    """Ids and states."""
    return [(each.ask.id, each.state.value) for each in kept]


async def test_a_question_of_an_agent_is_a_record_with_options_and_a_reminder(client: Client, task_id: str) -> None:
    script = held()
    async with scripted_worker(client, script, task_id):
        running = await asking(client, script, task_id, AskKind.PLAN)
        status = await until_state(running, SessionState.WAITING, kind="plan")
        found = (await running.handle.describe()).typed_search_attributes
        assert "approve" in await say(running, "lead-s1-plan", "approve")
        await ask(running, None)
        ended = await goes_on(running)
    (review,) = status.reviews
    assert (ids.agent_id(task_id), ReviewState.OPEN, 14_400.0) == (
        review.ask.agent,
        review.state,
        review.remind_at - review.asked_at,
    )
    assert ("plan", ["approve", "reject"]) == (
        found.get(SearchAttributeKey.for_keyword(search.ATTENTION)),
        [each.id for each in review.ask.options],
    )
    assert [("lead-s1-plan", "decided")] == shown(ended.reviews)
    assert ["decide"] == await signals_of(client, task_id)


async def test_two_approvers_make_one_decision_and_the_second_is_told_it(client: Client, task_id: str) -> None:
    script = held()
    async with scripted_worker(client, script, task_id):
        running = await asking(client, script, task_id, AskKind.RISK)
        said = await asyncio.gather(
            say(running, "lead-s1-risk", "approve", by="Ada"), say(running, "lead-s1-risk", "reject", by="Bob")
        )
        await ask(running, None)
        status = await goes_on(running)
    refused = [text for text in said if text.startswith("refused")]
    taken = next(text for text in said if text not in refused)
    decision = status.reviews[0].decision
    assert decision is not None
    assert [f"refused: review: {taken}; nothing is left to decide"] == refused
    assert taken == f"lead-s1-risk is decided: {decision.option} ({label(status)}), by {decision.by} via cli"
    assert ["decide"] == await signals_of(client, task_id)


def label(status: SessionStatus) -> str:
    """Of the option that was chosen."""
    review = status.reviews[0]
    return next(each.label for each in review.ask.options if review.decision and each.id == review.decision.option)


async def test_a_double_click_is_one_decision_with_one_answer(client: Client, task_id: str) -> None:
    script = held()
    async with scripted_worker(client, script, task_id):
        running = await asking(client, script, task_id, AskKind.STUCK)
        said = [await say(running, "lead-s1-stuck", "advise", text="Use tabs.", update_id="click") for _ in range(2)]
        said += [await say(running, "lead-s1-stuck", "advise", text="Use tabs.") for _ in range(2)]
        await ask(running, None)
        await goes_on(running)
    assert ["lead-s1-stuck is decided: advise (Give advice), by Ada via cli"] == list(dict.fromkeys(said))
    assert ["decide"] == await signals_of(client, task_id)


async def test_what_changed_since_it_was_shown_is_not_decided_unseen(client: Client, task_id: str) -> None:
    script = held()
    async with scripted_worker(client, script, task_id):
        running = await asking(client, script, task_id, AskKind.PLAN)
        seen = (await running.handle.query(Session.status)).reviews[0].shown_hash
        await ask(running, an_ask(AskKind.PLAN).model_copy(update={"id": "lead-s2-plan", "evidence": ("1. other",)}))
        await running.handle.query(Session.status)
        stale = await say(running, "lead-s2-plan", "approve", shown_hash=seen)
        withdrawn = await say(running, "lead-s1-plan", "approve", shown_hash=seen)
        status = await running.handle.query(Session.status)
        seen = status.reviews[0].shown_hash
        fresh = await say(running, "lead-s2-plan", "approve", shown_hash=seen)
        await ask(running, None)
        await goes_on(running)
    assert "refused: shown_hash: what you saw of lead-s2-plan has changed; look again, then decide" == stale
    assert "lead-s1-plan was withdrawn, the session went on without it; open are: lead-s2-plan" in withdrawn
    assert [("lead-s2-plan", "open"), ("lead-s1-plan", "withdrawn")] == shown(status.reviews)
    assert fresh.startswith("lead-s2-plan is decided: approve")


async def test_an_answer_that_does_not_fit_is_refused_in_words(client: Client, task_id: str) -> None:
    script = held()
    async with scripted_worker(client, script, task_id):
        running = await asking(client, script, task_id, AskKind.STUCK)
        said = [
            await say(running, "other", "continue"),
            await say(running, "lead-s1-stuck", "approve"),
            await say(running, "lead-s1-stuck", "advise"),
        ]
        await ask(running, None)
        status = await goes_on(running)
    assert [
        "refused: review: 'other' is not known; open are: lead-s1-stuck",
        "refused: option: 'approve' is none of those of lead-s1-stuck; use one of: advise, continue, end, cancel",
        "refused: text: advise (Give advice) makes no sense without words; add them",
    ] == said
    assert [("lead-s1-stuck", "withdrawn")] == shown(status.reviews)


async def test_an_answer_given_while_no_worker_runs_is_taken_by_the_next_one(client: Client, task_id: str) -> None:
    script = held()
    async with scripted_worker(client, script, task_id):
        running = await asking(client, script, task_id, AskKind.BUDGET)
    giving = asyncio.create_task(say(running, "lead-s1-budget", "raise"))
    await asyncio.sleep(0.5)
    assert not giving.done()
    async with scripted_worker(client, script, task_id):
        said = await giving
    async with scripted_worker(client, script, task_id):
        again = await say(running, "lead-s1-budget", "raise")
        await ask(running, None)
        status = await goes_on(running)
    assert (said, [("lead-s1-budget", "decided")]) == (again, shown(status.reviews))
    assert ["decide"] == await signals_of(client, task_id)


async def test_a_person_cancels_a_session_by_its_question(client: Client, task_id: str) -> None:
    script = held()
    async with scripted_worker(client, script, task_id):
        running = await asking(client, script, task_id, AskKind.STUCK)
        await say(running, "lead-s1-stuck", "cancel", text="wrong task")
        status = await goes_on(running)
    assert (SessionState.CANCELLED, "wrong task") == (status.state, status.reason)


async def test_the_end_of_a_pause_answers_no_question_and_a_resume_no_approval(client: Client, task_id: str) -> None:
    script = held()
    async with scripted_worker(client, script, task_id):
        running = await asking(client, script, task_id, AskKind.RISK)
        await running.handle.execute_update(Session.pause)
        await until_state(running, SessionState.PAUSED)
        await running.handle.execute_update(Session.resume)
        status = await until_state(running, SessionState.WAITING)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await running.handle.execute_update(Session.resume)
        said = await say(running, "lead-s1-risk", "approve")
        await ask(running, None)
        await goes_on(running)
    assert [("lead-s1-risk", "open")] == shown(status.reviews)
    assert "only a decision ends: lead-s1-risk" in str(refused.value.cause)
    assert said.startswith("lead-s1-risk is decided: approve")
    assert ["set_paused", "set_paused", "decide"] == await signals_of(client, task_id)


async def test_a_resume_withdraws_a_question_that_needs_no_decision(client: Client, task_id: str) -> None:
    script = held()
    async with scripted_worker(client, script, task_id):
        running = await asking(client, script, task_id, AskKind.STUCK)
        await running.handle.execute_update(Session.resume)
        late = await say(running, "lead-s1-stuck", "continue")
        await ask(running, None)
        await goes_on(running)
    assert "was withdrawn" in late
    assert ["wake"] == await signals_of(client, task_id)


async def test_a_question_of_the_model_is_answered_with_one_of_its_choices(client: Client, task_id: str) -> None:
    asked = digest_of("ask_human")
    call = asked.calls[0].model_copy(update={"shown": "Which database?", "choices": ("Postgres", "SQLite")})
    script = Script([asked.model_copy(update={"calls": (call,)}), digest_of("finish")])
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        waiting = await until_state(running, SessionState.WAITING, kind="question")
        (review,) = waiting.reviews
        await say(running, review.ask.id, "choice-2", text="It is enough.", shown_hash=review.shown_hash)
        status = await running.result()
    assert ("Which database?", ["choice-1", "choice-2", "reply"]) == (
        review.ask.question,
        [each.id for each in review.ask.options],
    )
    assert (SessionState.DONE, [(review.ask.id, "decided")]) == (status.state, shown(status.reviews))
    assert "SQLite\nIt is enough." in script.seals[0].results[0].model_dump_json().replace("\\n", "\n")


async def test_an_agent_that_only_a_person_can_help_is_in_the_inbox_and_tries_again(
    client: Client, task_id: str
) -> None:
    wrong_key = digest_of(outcome=ModelOutcome.MISCONFIGURED, detail="auth: wrong key")
    script = Script([wrong_key, wrong_key, digest_of("finish")])
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        first = await until_state(running, SessionState.WAITING)
        said = await say(running, "configuration-1", "retry", text="I gave it another one.")
        second = await until_asked(running, "configuration-2")
        await say(running, "configuration-2", "retry")
        status = await running.result()
    assert [("configuration-1", "open")] == shown(first.reviews)
    assert "auth: wrong key" == first.reviews[0].ask.question
    assert said.startswith("configuration-1 is decided: retry (Try again)")
    assert [("configuration-2", "open"), ("configuration-1", "decided")] == shown(second.reviews)
    assert (SessionState.DONE, {"decided"}) == (status.state, {state for _, state in shown(status.reviews)})
    assert "I gave it another one." in [note.text for asked in script.asked for note in asked.notes]


async def until_asked(running: Running, review: str) -> SessionStatus:
    """Poll until this question is open."""
    async with asyncio.timeout(20):
        while True:
            status = await running.handle.query(Session.status)
            if (review, "open") in shown(status.reviews) and status.attention is not None:
                return status
            await asyncio.sleep(0.05)


async def test_resuming_withdraws_what_the_agent_asked(client: Client, task_id: str) -> None:
    wrong_key = digest_of(outcome=ModelOutcome.MISCONFIGURED, detail="auth: wrong key")
    script = Script([wrong_key, digest_of("finish")])
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await until_state(running, SessionState.WAITING)
        await running.handle.execute_update(Session.resume)
        status = await running.result()
    assert (SessionState.DONE, [("configuration-1", "withdrawn")]) == (status.state, shown(status.reviews))


async def test_a_provider_that_is_down_is_no_question(client: Client, task_id: str) -> None:
    down = digest_of(outcome=ModelOutcome.UNAVAILABLE, detail="503", retry_after_seconds=600)
    script = Script([down, digest_of("finish")])
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        status = await until_state(running, SessionState.WAITING)
        await running.handle.execute_update(Session.resume)
        assert SessionState.DONE is (await running.result()).state
    assert ("provider", ()) == (status.attention.kind if status.attention else "", status.reviews)


@pytest.mark.parametrize(
    ("option", "state", "shifts"),
    [("extend", SessionState.DONE, 2), ("end", SessionState.EXPIRED, 1), ("cancel", SessionState.CANCELLED, 1)],
)
async def test_a_deadline_is_a_question_of_the_session_itself(
    client: Client, task_id: str, option: str, state: SessionState, shifts: int
) -> None:
    script = Script([digest_of("bash")])
    task = a_task(task_id, budget={"active_hours": 1 / 3600}, on_deadline="ask")
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, task)
        waiting = await until_state(running, SessionState.WAITING, kind="deadline")
        script.answers[:] = [digest_of("finish")]
        said = await say(running, "deadline-1", option)
        status = await running.result()
    assert [("deadline-1", "", ["extend", "end", "cancel"])] == [
        (each.ask.id, each.ask.agent, [option.id for option in each.ask.options]) for each in waiting.reviews
    ]
    assert said.startswith(f"deadline-1 is decided: {option}")
    assert (state, shifts, [("deadline-1", "decided")]) == (status.state, len(status.agents), shown(status.reviews))


async def test_trouble_of_a_host_is_asked_about_and_tried_again(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")], failures={"deliver": [WorkspaceFailed("no space")]})
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        waiting = await until_state(running, SessionState.WAITING, kind="host")
        await say(running, "host-1", "retry")
        status = await running.result()
    assert "no space" in waiting.reviews[0].ask.question
    assert (SessionState.DONE, [("host-1", "decided")]) == (status.state, shown(status.reviews))


async def test_a_workspace_that_cannot_be_made_again_is_asked_about(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash"), digest_of("finish")], hold_tools=asyncio.Event())
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await script.tool_started.wait()
        script.failures["hold_slot"] = [WorkspaceFailed("setup command 1 failed")]
        script.lost.add(1)
        waiting = await until_state(running, SessionState.WAITING)
        assert script.hold_tools is not None
        script.hold_tools.set()
        await say(running, "host-1", "retry")
        status = await running.result()
    assert "setup command 1 failed" in waiting.reviews[0].ask.question
    assert (SessionState.DONE, [("host-1", "decided")]) == (status.state, shown(status.reviews))


async def test_a_workspace_that_cannot_be_made_for_the_delivery_is_asked_about(client: Client, task_id: str) -> None:
    hold = asyncio.Event()
    script = Script([digest_of("finish")], hold={"deliver": hold})
    async with scripted_worker(client, script, task_id, hosts=[Host(queue=ids.CONTROL_QUEUE)]):
        running = await start(client, script, a_task(task_id))
        await script.entered["deliver"].wait()
        script.failures["hold_slot"] = [WorkspaceFailed("setup command 1 failed")]
        script.lost.add(1)
        waiting = await until_state(running, SessionState.DELIVERING, kind="host")
        hold.set()
        await say(running, "host-1", "retry")
        status = await running.result()
    assert "setup command 1 failed" in waiting.reviews[0].ask.question
    assert (SessionState.DONE, [("host-1", "decided")]) == (status.state, shown(status.reviews))


async def test_a_workspace_that_never_was_fails_the_session_without_a_question(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")], setup_fails="workspace.git: no repository")
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, a_task(task_id))).result()
    assert (SessionState.FAILED, ()) == (status.state, status.reviews)


async def test_a_question_survives_the_agent_s_continuation_as_new(client: Client, task_id: str) -> None:
    """The agent parks again and again, and starts anew in between."""
    trouble = iter([True, False] * 6)

    def tool(_request: RunToolInput) -> ToolStatus:
        if next(trouble):
            raise WorkspaceFailed("no space")
        return ToolStatus.OK

    script = Script([*[digest_of("bash")] * 6, digest_of("finish")], tool=tool)
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id), limits=AgentLimits(history_events=30))
        for number in range(1, 7):
            await until_asked(running, f"host-{number}")
            await say(running, f"host-{number}", "retry")
        status = await running.result()
    assert (SessionState.DONE, [f"host-{number}" for number in range(6, 0, -1)]) == (
        status.state,
        [each.ask.id for each in status.reviews if each.state is ReviewState.DECIDED],
    )
    assert status.agents[0].runs > 1


async def test_an_answer_that_the_engine_kept_counts_where_it_fits(client: Client, task_id: str) -> None:
    script = held()
    async with scripted_worker(client, script, task_id):
        running = await asking(client, script, task_id, AskKind.RISK)
    for option, by in (("unknown", "Ada"), ("reject", "Bob"), ("approve", "Ada")):
        await running.handle.signal(Session.keep_answer, Answer(review="lead-s1-risk", option=option, by=by))
    async with scripted_worker(client, script, task_id):
        await ask(running, None)
        status = await goes_on(running)
    assert [("lead-s1-risk", "reject", "Bob")] == [
        (each.ask.id, each.decision.option, each.decision.by) for each in status.reviews if each.decision
    ]
    assert ["decide"] == await signals_of(client, task_id)
