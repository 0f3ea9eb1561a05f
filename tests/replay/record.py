# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""Keeps the histories of a release: `python -m tests.replay.record VERSION [CASE ...]`, from a tree whose tests pass.

Plays every way a session can go with scripted activities on a real dev server, and writes each workflow's last run to
`histories/VERSION~name.json`. Kept files are never rewritten: a new release adds its own.
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client, ScheduleActionExecutionStartWorkflow, ScheduleBackfill

from longshift.contracts import ids
from longshift.contracts.agent import AgentLimits
from longshift.contracts.completion import Verdict
from longshift.contracts.delivery import BranchPlan
from longshift.contracts.model import CallDigest, ModelOutcome, ToolClass
from longshift.contracts.reviews import Answer
from longshift.contracts.rollback import Rollback
from longshift.contracts.session import SessionInput, SessionState, Steer
from longshift.contracts.tools import Job, ToolStatus
from longshift.contracts.verification import VerdictDigest
from longshift.schedule_wishes import Wishes
from longshift.schedules import add_schedule
from tests.workflows.conftest import Running, a_task, dev_server, eventually, scripted_worker, start, until_state
from tests.workflows.scripted import Script, digest_of
from workflows.session import Session

Case = tuple[Script, dict[str, object], AgentLimits, object]
FOLDER = Path(__file__).parent / "histories"
REPOSITORY = Path(__file__).parents[2]


async def keep(client: Client, workflow_id: str, name: str, *, run_id: str | None = None) -> None:
    """Write the history of a workflow's run; without `run_id`, of its last one."""
    path = FOLDER / f"{name}.json"
    if path.exists():
        raise SystemExit(f"{path} is kept already; histories are never rewritten")
    history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    path.write_text(history.to_json().replace(str(REPOSITORY), "/repository"))


async def steered_paused_resumed(running: Running) -> None:
    """People's updates while the model answers."""
    await running.script.model_asked.wait()
    await running.handle.execute_update(Session.steer, Steer(text="use tabs"), id="s1")
    await running.handle.execute_update(Session.pause)
    assert running.script.hold_model is not None
    running.script.hold_model.set()
    await asyncio.sleep(0.5)
    await running.handle.execute_update(Session.resume)


async def cancelled(running: Running) -> None:
    """A cancel while a command runs."""
    await running.script.tool_started.wait()
    await running.handle.execute_update(Session.cancel, "wrong task")


async def mended(running: Running) -> None:
    """A person mends a configuration error."""
    await running.script.model_asked.wait()
    await asyncio.sleep(1)
    await running.handle.execute_update(Session.resume)


async def host_lost(running: Running) -> None:
    """The host goes away under a command, and comes back."""
    await running.script.tool_started.wait()
    running.script.lost.add(1)
    await eventually(lambda: len(running.script.slots) == 2)
    assert running.script.hold_tools is not None
    running.script.hold_tools.set()


async def host_stopped(running: Running) -> None:
    """The host is about to stop while a command runs."""
    await running.script.tool_started.wait()
    running.script.draining.add(1)
    await asyncio.sleep(0.5)
    assert running.script.hold_tools is not None
    running.script.hold_tools.set()


async def slot_given_back(running: Running) -> None:
    """A long wait for the provider, ended by a person."""
    await eventually(lambda: running.script.slots_ended == [1])
    await running.handle.execute_update(Session.resume)


async def undone(running: Running) -> None:
    """Steps are undone while the model answers, and once more while the session is paused."""
    script, handle = running.script, running.handle
    first, second = script.hold_model, asyncio.Event()
    assert first is not None
    await eventually(lambda: len(script.asked) == 3)
    script.hold_model = second
    await handle.execute_update(Session.rollback, Rollback(to_step=1, reason="use the other parser"), id="r1")
    first.set()
    await eventually(lambda: len(script.rolled_back) == 1)
    await handle.execute_update(Session.pause)
    second.set()
    await asyncio.sleep(1)
    await handle.execute_update(Session.rollback, Rollback(to_step=0), id="r2")
    await eventually(lambda: len(script.rolled_back) == 2)
    await handle.execute_update(Session.resume)


async def decided(running: Running, kind: str, option: str, text: str = "") -> None:
    """A person decides what the session asks."""
    status = await until_state(running, SessionState.WAITING, kind=kind)
    review = status.reviews[0]
    answer = Answer(review=review.ask.id, option=option, text=text, shown_hash=review.shown_hash, by="Ada", via="cli")
    await running.handle.execute_update(Session.answer, answer, id=review.ask.id)


async def asked(running: Running) -> None:
    """The agent's own question is answered."""
    await decided(running, "question", "choice-2")


async def advised(running: Running) -> None:
    """An agent that went round in circles is told what to do."""
    await until_state(running, SessionState.WAITING, kind="stuck")
    running.script.answers = [digest_of("finish")]
    await decided(running, "stuck", "advise", "Finish.")


async def raised(running: Running) -> None:
    """A budget that is used up is raised."""
    await decided(running, "budget", "raise")


async def let_out(running: Running) -> None:
    """What is done may leave the sandbox."""
    await decided(running, "delivery", "approve")


async def untouched(_running: Running) -> None:
    """Nobody interferes."""


PLAN = BranchPlan(remote="https://x.y/acme/tool", branch="longshift/t", commit="c" * 40, files=1, changed_files=("a",))
SOURCE: dict[str, object] = {"workspace": {"git": "https://x.y/acme/tool"}, "deliver": {}}


def delivery_cases() -> dict[str, Case]:
    """The ways out of the sandbox."""
    finish, plain = digest_of("finish"), AgentLimits()
    sensitive = PLAN.model_copy(update={"sensitive_files": (".github/workflows/ci.yml",)})
    return {
        "published": (Script([finish], plans=[PLAN]), SOURCE, plain, untouched),
        "let-out": (Script([finish], plans=[sensitive]), SOURCE, plain, let_out),
    }


def people_cases() -> dict[str, Case]:
    """The ways on which a person, or a verifier, decides."""
    finish, plain = digest_of("finish"), AgentLimits()
    question = CallDigest(
        index=0,
        call_id="c0",
        name="ask_human",
        tool_class=ToolClass.PURE,
        arguments_hash="a" * 16,
        shown="Which port?",
        choices=("80", "81"),
    )
    asks = digest_of("ask_human").model_copy(update={"calls": (question,)})
    verdicts = [
        VerdictDigest(outcome=ModelOutcome.ANSWERED, verdict=Verdict(step=step, accepted=accepted))
        for step, accepted in ((1, False), (3, True))
    ]
    return {
        "asked": (Script([asks, finish]), {}, plain, asked),
        "stuck": (Script([digest_of("read_file")]), {}, plain, advised),
        "held": (Script([*[digest_of("read_file")] * 6, finish]), {"budget": {"steps": 6}}, plain, raised),
        "verified": (
            Script([finish, digest_of("bash"), finish], verdicts=verdicts),
            {"verifier": {}},
            plain,
            untouched,
        ),
    }


def cases() -> dict[str, Case]:
    """Every way to go: the script, the task's fields, the agent's limits, and what people do."""
    statuses = iter([ToolStatus.RUNNING, ToolStatus.OK, ToolStatus.OK])
    finish, plain = digest_of("finish"), AgentLimits()
    wrong_key = digest_of(outcome=ModelOutcome.MISCONFIGURED, detail="auth: wrong key")
    overflow = digest_of(outcome=ModelOutcome.OVERFLOW)
    quota = digest_of(outcome=ModelOutcome.QUOTA, detail="quota", retry_after_seconds=7_200.0)
    reads = [digest_of("read_file")] * 6
    return {
        "plain": (Script([digest_of("read_file", "grep"), digest_of("bash"), finish]), {}, plain, untouched),
        "red-checks": (Script([finish, digest_of("bash"), finish], checks=[False, True]), {}, plain, untouched),
        "quick-calls": (
            Script([digest_of("bash"), finish], quick_calls=True, tool=lambda request: next(statuses)),
            {},
            plain,
            untouched,
        ),
        "continued": (Script([*reads, finish]), {}, AgentLimits(history_events=20), untouched),
        "people": (
            Script([digest_of("read_file"), finish], hold_model=asyncio.Event()),
            {},
            plain,
            steered_paused_resumed,
        ),
        "cancelled": (Script([digest_of("bash")], hold_tools=asyncio.Event()), {}, plain, cancelled),
        "configuration": (Script([wrong_key, finish]), {}, plain, mended),
        "host-lost": (Script([digest_of("bash"), finish], hold_tools=asyncio.Event()), {}, plain, host_lost),
        "host-stopped": (Script([digest_of("bash"), finish], hold_tools=asyncio.Event()), {}, plain, host_stopped),
        "slot-given-back": (
            Script([digest_of("write_file"), quota, finish], ended_commands=1),
            {},
            plain,
            slot_given_back,
        ),
        "handed-over": (
            Script([digest_of("bash"), quota, quota, finish], jobs=(Job(job="job-1-0", command="w", state="running"),)),
            {"fallback_models": ["second"]},
            AgentLimits(fallback_after_seconds=1),
            untouched,
        ),
        "rolled-back": (
            Script(
                [*[digest_of("write_file")] * 3, *reads, finish],
                hold_model=asyncio.Event(),
                hold_model_from=3,
            ),
            {},
            plain,
            undone,
        ),
        "compacted": (Script([digest_of("read_file"), overflow, finish]), {}, plain, untouched),
        "expired": (Script([digest_of("read_file")]), {"budget": {"steps": 2, "on_limit": "stop"}}, plain, untouched),
        "setup-failed": (Script([finish], setup_fails="workspace.git: nowhere"), {}, plain, untouched),
        "deadline": (Script([digest_of("read_file")]), {"budget": {"active_hours": 1 / 3600}}, plain, untouched),
        **people_cases(),
        **delivery_cases(),
    }


async def record_firing(client: Client, version: str) -> None:
    """Play and keep a schedule's fire with its session."""
    session = SessionInput(task=a_task("firing"), profile="scripted")
    due = datetime(2026, 3, 2, tzinfo=UTC)
    async with scripted_worker(client, Script([digest_of("finish")]), "firing"):
        await add_schedule(client, "firing", session, Wishes(cron=("0 0 * * *",)))
        schedule = client.get_schedule_handle("firing")
        await schedule.backfill(ScheduleBackfill(start_at=due, end_at=due))
        while not (fired := (await schedule.describe()).info.recent_actions):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        action = fired[0].action
        assert isinstance(action, ScheduleActionExecutionStartWorkflow)
        await client.get_workflow_handle(action.workflow_id).result()
    await keep(client, action.workflow_id, f"{version}~firing-plain")


async def record(version: str, only: Sequence[str]) -> None:
    """Play and keep every case, or only these."""
    async with dev_server() as environment:
        if not only:
            await record_firing(environment.client, version)
        chosen = {name: case for name, case in cases().items() if not only or name in only}
        for name, (script, fields, limits, people) in chosen.items():
            task = a_task(f"{name}-{version}".replace("+", "-"), **fields)
            async with scripted_worker(environment.client, script, task.id):
                running = await start(environment.client, script, task, limits=limits)
                await people(running)  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType, reportCallIssue]  # one of the above
                await running.result()
            await keep(environment.client, ids.session_workflow_id(task.id), f"{version}~session-{name}")
            if name != "setup-failed":
                agent = ids.agent_workflow_id(ids.agent_id(task.id))
                await keep(environment.client, agent, f"{version}~agent-{name}")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1], sys.argv[2:]))
