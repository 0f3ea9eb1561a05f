# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""A result that is done leaves the sandbox: by the rules, after a person's word, or not; the work is never lost."""

import uuid

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError

from longshift.contracts.delivery import BranchPlan
from longshift.contracts.errors import DeliveryRefused
from longshift.contracts.reviews import Answer, Review
from longshift.contracts.session import SessionState
from longshift.policy import review_list
from tests.workflows.conftest import Running, a_task, scripted_worker, start, until_state
from tests.workflows.scripted import Script, digest_of
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session")]

PLAN = BranchPlan(remote="https://x.y/acme/tool", branch="longshift/t", commit="c" * 40, files=1, changed_files=("a",))
SENSITIVE = PLAN.model_copy(update={"sensitive_files": (".github/workflows/ci.yml",)})
SOURCE = {"workspace": {"git": "https://x.y/acme/tool"}, "deliver": {}}


@pytest.fixture
def task_id() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


def a_script(*plans: BranchPlan) -> Script:
    return Script([digest_of("finish")], plans=list(plans))


async def the_question(running: Running, kind: str) -> Review:
    status = await until_state(running, SessionState.WAITING, kind=kind)
    assert not status.has_slot
    (review,) = review_list.open_ones(status.reviews)
    return review


async def decide(running: Running, review: Review, option: str, **more: str) -> None:
    answer = Answer(review=review.ask.id, option=option, shown_hash=review.shown_hash, by="Ada", via="cli", **more)
    await running.handle.execute_update(Session.answer, answer)


async def test_what_is_of_medium_risk_leaves_without_a_question(client: Client, task_id: str) -> None:
    script = a_script(PLAN)
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, a_task(task_id, **SOURCE))).result()
    assert SessionState.DONE is status.state
    assert status.delivery is not None
    assert status.delivery.branch is not None
    assert (True, "c" * 40) == (status.delivery.branch.pushed, status.delivery.branch.commit)
    assert [PLAN] == [each.plan for each in script.published]
    assert 1 == len(script.delivered)


async def test_a_task_without_the_wish_is_delivered_as_ever(client: Client, task_id: str) -> None:
    script = a_script(PLAN)
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, a_task(task_id))).result()
    assert ([], None) == (script.published, status.delivery and status.delivery.branch)


async def test_what_is_of_high_risk_waits_for_a_person_and_exactly_that_leaves(client: Client, task_id: str) -> None:
    script = a_script(SENSITIVE)
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id, **SOURCE))
        review = await the_question(running, "delivery")
        assert "high risk" in review.ask.question
        assert any(".github/workflows/ci.yml" in line for line in review.ask.evidence)
        with pytest.raises(WorkflowUpdateFailedError):
            await running.handle.execute_update(Session.resume)
        await decide(running, review, "approve")
        status = await running.result()
    assert (SessionState.DONE, [SENSITIVE]) == (status.state, [each.plan for each in script.published])


async def test_a_rejected_delivery_is_done_with_its_patch(client: Client, task_id: str) -> None:
    script = a_script(SENSITIVE)
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id, **SOURCE))
        await decide(running, await the_question(running, "delivery"), "reject", text="not on a Friday")
        status = await running.result()
    assert (SessionState.DONE, []) == (status.state, script.published)
    assert status.delivery is not None
    assert status.delivery.branch is not None
    assert "not on a Friday" in status.delivery.branch.failure
    assert "not delivered as a branch" in status.reason


async def test_after_a_failure_another_commit_is_another_question(client: Client, task_id: str) -> None:
    other = SENSITIVE.model_copy(update={"commit": "d" * 40})
    script = a_script(SENSITIVE, other)
    script.failures = {"publish_branch": [DeliveryRefused("what would leave now is not what was planned")]}
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id, **SOURCE))
        first = await the_question(running, "delivery")
        await decide(running, first, "approve")
        await decide(running, await the_question(running, "undelivered"), "retry")
        second = await the_question(running, "delivery")
        assert first.shown_hash != second.shown_hash
        with pytest.raises(WorkflowUpdateFailedError):
            await decide(running, first, "approve", text="the same again")
        await decide(running, second, "approve")
        await running.result()
    assert [other] == [each.plan for each in script.published]


@pytest.mark.parametrize("way", ["retry", "resume"])
async def test_a_failed_push_is_tried_again_when_a_person_says_so(client: Client, task_id: str, way: str) -> None:
    script = a_script(PLAN)
    script.failures = {"publish_branch": [DeliveryRefused("deliver.branch: exists there")]}
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id, **SOURCE))
        review = await the_question(running, "undelivered")
        assert "exists there" in review.ask.question
        if way == "retry":
            await decide(running, review, "retry")
        else:
            await running.handle.execute_update(Session.resume)
        status = await running.result()
    assert (SessionState.DONE, 1, "") == (status.state, len(script.published), status.reason)


async def test_a_failed_push_that_is_given_up_leaves_the_session_done(client: Client, task_id: str) -> None:
    script = a_script(PLAN)
    script.failures = {"publish_branch": [DeliveryRefused("the token is not known")]}
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id, **SOURCE))
        await decide(running, await the_question(running, "undelivered"), "end")
        status = await running.result()
    assert SessionState.DONE is status.state
    assert "the token is not known" in status.reason
    assert status.delivery is not None
    assert ("artifacts/x/patch.diff",) == status.delivery.artifacts


async def test_a_cancel_ends_the_wait(client: Client, task_id: str) -> None:
    script = a_script(SENSITIVE)
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id, **SOURCE))
        await the_question(running, "delivery")
        await running.handle.execute_update(Session.cancel, "wrong task")
        status = await running.result()
    assert (SessionState.CANCELLED, []) == (status.state, script.published)
    assert "wrong task" in status.reason
