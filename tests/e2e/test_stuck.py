"""The scripted model in every kind of loop, in real sessions: nudge, replan, rollback, escalation; a person ends it."""

import asyncio
from pathlib import Path

import httpx
import orjson
import pytest
from temporalio.client import WorkflowHandle
from temporalio.common import SearchAttributeKey

from longshift.adapters.store import open_store
from longshift.contracts import ids, search
from longshift.contracts.reviews import Answer, AskKind, Review, ReviewState
from longshift.contracts.session import SessionState, SessionStatus
from longshift.contracts.stuck import Rung, SignalKind
from longshift.sessions.updates import tell
from tests.e2e.rig import Rig, rig
from tests.e2e.stuck_model import ADVICE, LOOPS, StuckModel
from tests.ports import free_port
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(300)]

SEEN_AS: dict[str, SignalKind] = {
    "repetition": SignalKind.REPETITION,
    "reworded": SignalKind.REPETITION,
    "cycle": SignalKind.REPETITION,
    "clock": SignalKind.REPETITION,
    "errors": SignalKind.ERROR_STREAK,
    "malformed": SignalKind.MALFORMED_CALLS,
    "monologue": SignalKind.MONOLOGUE,
    "oscillation": SignalKind.OSCILLATION,
    "plateau": SignalKind.CHECK_PLATEAU,
    "stale": SignalKind.NO_NEW_INFORMATION,
    "claims": SignalKind.FALSE_COMPLETION,
}
STUCK = SearchAttributeKey.for_keyword(search.STUCK)
ATTENTION = SearchAttributeKey.for_keyword(search.ATTENTION)
UNDOES = {"oscillation", "plateau"}
"""Files change in them, and are no better for it."""

Handle = WorkflowHandle[Session, SessionStatus]


async def open_question(handle: Handle) -> Review:
    """The session's open question, as soon as there is one."""
    while True:
        status = await handle.query(Session.status)
        asked = [review for review in status.reviews if review.state is ReviewState.OPEN]
        if asked:
            return asked[0]
        assert not status.state.is_final, status
        await asyncio.sleep(0.2)


async def climb_and_be_advised(running: Rig, loop: str) -> None:
    handle = await running.submit(
        f"in-{loop}",
        instructions=f"Loop: {loop}",
        checks=[{"name": "out", "run": "test -f out.txt"}],
        budget={"steps": 400},
    )
    review = await open_question(handle)
    assert AskKind.STUCK is review.ask.kind
    listed = (await handle.describe()).typed_search_attributes
    assert ("escalate", "stuck") == (listed.get(STUCK), listed.get(ATTENTION))
    answer = Answer(
        review=review.ask.id, option="advise", text=ADVICE, shown_hash=review.shown_hash, by="Ada", via="cli"
    )
    await tell(running.client, f"in-{loop}", "answer", answer, update_id=review.ask.id)
    status = await handle.result()
    assert SessionState.DONE is status.state
    report = status.agents[-1]
    rungs = [Rung.NUDGE, Rung.REPLAN, *([Rung.ROLLBACK] if loop in UNDOES else []), Rung.ESCALATE]
    assert (loop, rungs) == (loop, [taken.rung for taken in report.rungs])
    assert (loop, SEEN_AS[loop]) == (loop, report.rungs[0].signal.kind)
    assert (loop in UNDOES) is (report.rollbacks == 1)
    assert report.failed_approaches
    assert ReviewState.DECIDED is status.reviews[0].state
    body = await open_store((running.data_dir / "store").as_uri()).find(ids.artifact_key(status.task_id, "report.json"))
    assert body is not None
    told = orjson.loads(body)["agents"][-1]
    assert [rung.value for rung in rungs] == [taken["rung"] for taken in told["rungs"]]


async def test_every_kind_of_loop_climbs_the_ladder_and_ends_done_with_a_person_s_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("LONGSHIFT_METRICS_ADDRESS", address)
    async with rig(tmp_path / "data", StuckModel()) as running:
        (running.source / "a.txt").write_text("".join(f"line {number}\n" for number in range(40)))
        assert set(LOOPS) == set(SEEN_AS)
        await asyncio.gather(*(climb_and_be_advised(running, loop) for loop in LOOPS))
        async with httpx.AsyncClient() as client:
            page = (await client.get(f"http://{address}/metrics")).text
    counted = {line for line in page.splitlines() if line.startswith("longshift_ladder_rungs_total")}
    assert {"nudge", "replan", "rollback", "escalate"} == {
        rung.value for rung in Rung if f'rung="{rung}"' in str(counted)
    }
