# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""What stands between `finish` and done, through the real engine: claims, proposed checks, the verifier."""

import uuid

import pytest
from temporalio.client import Client

from longshift.contracts import ids
from longshift.contracts.agent import AgentLimits
from longshift.contracts.completion import CheckSource, Claim, ClaimVerdict, ProposedCheck, Verdict
from longshift.contracts.errors import SlotLost
from longshift.contracts.model import ModelDigest, ModelOutcome, Usage
from longshift.contracts.reviews import Answer
from longshift.contracts.session import SessionState
from longshift.contracts.verification import VerdictDigest
from tests.workflows.conftest import a_task, scripted_worker, start, until_state
from tests.workflows.scripted import Script, digest_of
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def task_id() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


def running(command: str) -> ModelDigest:
    """An answer that runs a command."""
    digest = digest_of("bash")
    return digest.model_copy(update={"calls": (digest.calls[0].model_copy(update={"command": command}),)})


def finishing(*commands: str) -> ModelDigest:
    """An answer that finishes, with claims."""
    digest = digest_of("finish")
    claims = tuple(Claim(command=command) for command in commands)
    return digest.model_copy(update={"calls": (digest.calls[0].model_copy(update={"claims": claims}),)})


def verdict(*, accepted: bool) -> VerdictDigest:
    said = Verdict(step=1, accepted=accepted, reasons=("no test",))
    return VerdictDigest(outcome=ModelOutcome.ANSWERED, verdict=said, usage=Usage(input_tokens=100), cost_usd=0.5)


async def test_a_claim_of_what_was_not_run_is_caught_and_the_agent_ends_done_after_running_it(
    client: Client, task_id: str
) -> None:
    script = Script([running("ls"), finishing("pytest -q"), running("pytest -q"), finishing("pytest -q")])
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, a_task(task_id, checks=[]))).result()
    assert (SessionState.DONE, 0) == (status.state, len(script.checks_run))
    assert script.seals[1].results[0].is_error
    report = status.agents[0].completion
    assert report is not None
    assert [(ClaimVerdict.PROVED, 3)] == [(claim.verdict, claim.step) for claim in report.claims]
    assert CheckSource.NONE is report.source


async def test_the_record_of_commands_goes_through_continue_as_new(client: Client, task_id: str) -> None:
    reads = [digest_of("read_file")] * 8
    script = Script([running("pytest -q"), *reads, finishing("pytest -q")])
    async with scripted_worker(client, script, task_id):
        handle = await start(client, script, a_task(task_id), limits=AgentLimits(history_events=20))
        status = await handle.result()
    report = status.agents[0]
    assert (SessionState.DONE, 10) == (status.state, report.steps)
    assert report.runs >= 3
    assert report.completion is not None
    assert () == report.completion.unproved


async def test_proposed_checks_are_run_and_red_ones_refuse_the_finish(client: Client, task_id: str) -> None:
    suite = ProposedCheck(name="suite", run="pytest -q")
    plan, end = digest_of("update_plan"), digest_of("finish")
    script = Script([plan, end, digest_of("bash"), end], proposes=(suite,), checks=[False, True])
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, a_task(task_id, checks=[]))).result()
    assert [(suite,), (suite,)] == [asked.proposed for asked in script.checks_run]
    report = status.agents[0].completion
    assert report is not None
    assert (SessionState.DONE, CheckSource.PROPOSED) == (status.state, report.source)


async def test_a_rejecting_verifier_sends_the_agent_back_and_its_cost_is_the_agents(
    client: Client, task_id: str
) -> None:
    script = Script([digest_of("finish")], verdicts=[verdict(accepted=False), verdict(accepted=True)])
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, a_task(task_id, verifier={"model": "judge"}))).result()
    report = status.agents[0]
    assert (SessionState.DONE, 2, 1.0) == (status.state, report.steps, report.cost_usd)
    assert 2 * (10 + 5) + 2 * 100 == report.usage.total_tokens
    assert [("judge", "diff-1"), ("judge", "diff-2")] == [(each.profile, each.diff_key) for each in script.verified]
    assert script.seals[0].results[0].is_error
    assert report.completion is not None
    assert [False, True] == [each.accepted for each in report.completion.verdicts]


@pytest.mark.slow
@pytest.mark.release
async def test_a_verifier_that_is_down_is_waited_for(client: Client, task_id: str) -> None:
    down = VerdictDigest(outcome=ModelOutcome.UNAVAILABLE, detail="down", retry_after_seconds=1)
    script = Script([digest_of("finish")], verdicts=[down, verdict(accepted=True)])
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, a_task(task_id, verifier={}))).result()
    assert (SessionState.DONE, 1, 2) == (status.state, status.agents[0].steps, len(script.verified))


async def test_changes_that_cannot_be_exported_wait_for_a_person(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")], failures={"export_diff": [SlotLost("cut off")]})
    async with scripted_worker(client, script, task_id):
        handle = await start(client, script, a_task(task_id, verifier={}))
        await until_state(handle, SessionState.WAITING, kind="host")
        await handle.handle.execute_update(Session.resume)
        status = await handle.result()
    assert (SessionState.DONE, 1) == (status.state, len(script.verified))


async def test_too_many_rejections_ask_a_person_who_may_accept(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")], verdicts=[verdict(accepted=False)])
    async with scripted_worker(client, script, task_id):
        handle = await start(client, script, a_task(task_id, verifier={"max_rejections": 2}))
        waiting = await until_state(handle, SessionState.WAITING, kind="verdict")
        review = next(each for each in waiting.reviews if each.ask.agent == ids.agent_id(task_id))
        answer = Answer(review=review.ask.id, option="accept", by="ada", via="cli")
        await handle.handle.execute_update(Session.answer, answer)
        status = await handle.result()
    report = status.agents[0].completion
    assert report is not None
    assert (SessionState.DONE, 2) == (status.state, len(script.verified))
    assert [False, False] == [each.accepted for each in report.verdicts]
    assert "ada" in report.verdicts[-1].overruled_by
