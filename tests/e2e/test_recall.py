# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""A long session forgets nothing that must hold: each request after each compaction is looked at, by the model.

`RECALL_STEPS=4000 pytest -s tests/e2e/test_recall.py` is the whole of it, in the real window.
The variable has no prefix of ours: the worker refuses settings that it does not know.
"""

import os
import statistics
from itertools import pairwise
from pathlib import Path

import pytest

from bench import planted
from longshift.contracts.session import SessionState, Steer
from tests.e2e.recall_model import RecallModel
from tests.e2e.rig import Rig, rig
from tests.e2e.test_extremes import running_commands
from workflows.session import Session

STEPS = int(os.environ.get("RECALL_STEPS", "300"))
IS_WHOLE = STEPS >= 1_000
WINDOW_TOKENS = 262_144 if IS_WHOLE else 32_000
SCALE = 1.0 if IS_WHOLE else 0.35
LEAST_COMPACTIONS = STEPS // 130 if IS_WHOLE else 8
PROFILE = "" if IS_WHOLE else "window_tokens = 32000\nmax_output_tokens = 2000\noutput_limit_tokens = 4000\n"

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.release, pytest.mark.timeout(180 + STEPS // 2)]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def steer(running: Rig, after_requests: int, word: str) -> None:
    """A person's word, once so many requests have come."""
    await running.model.wait_for_requests(after_requests)
    handle = running.client.get_workflow_handle_for(Session.run, "session/recall")
    await handle.execute_update(Session.steer, Steer(text=word))


async def test_what_was_said_decided_and_changed_is_in_every_request_after_every_compaction(data_dir: Path) -> None:
    model = RecallModel(STEPS, SCALE)
    async with rig(data_dir, model, profile=PROFILE, window_tokens=WINDOW_TOKENS) as running:
        planted.write_files(running.source)
        handle = await running.submit("recall", budget={"steps": STEPS + 10}, **planted.task_fields())
        await steer(running, 12, planted.EARLY_WORD)
        await steer(running, int(STEPS * 0.8), planted.LATE_WORD)
        assert any(b"86413" in command for command in running_commands())
        result = await handle.result()
        statuses = {record.status for record in running.model.requests}
    store = data_dir / "store" / "agents" / "recall" / "lead"
    print(report(model, store))  # noqa: T201  # figures for whoever runs it with -s
    assert SessionState.DONE is result.state, result.reason
    assert [] == model.lost
    assert set(planted.FACTS) == model.seen
    assert {200} == statuses
    compactions = len(list(store.glob("e*/base.json"))) - 1
    assert compactions == sum(asked.begins_epoch for asked in model.asked)
    assert compactions >= LEAST_COMPACTIONS
    assert list(range(STEPS + 1)) == [asked.turn for asked in model.asked]


def report(model: RecallModel, store: Path) -> str:
    """The figures, in lines for people."""
    pairs = list(pairwise(model.asked))
    crossed = [(before, after) for before, after in pairs if after.begins_epoch]
    taken = [after.seconds - before.seconds for before, after in pairs if not after.begins_epoch]
    usual = statistics.median(taken)
    added = statistics.median(after.seconds - before.seconds for before, after in crossed) - usual
    stored_bytes = sum(path.stat().st_size for path in store.rglob("*.json"))
    return (
        f"\n{len(crossed)} compactions in {STEPS} steps, {model.handoffs} hand-off requests; medians: "
        f"{statistics.median(before.tokens for before, _ in crossed):.0f} tokens before, "
        f"{statistics.median(after.tokens for _, after in crossed):.0f} after; "
        f"{usual * 1_000:.0f} ms per step, {max(taken) * 1_000:.0f} the longest, {added * 1_000:.0f} ms more with a "
        f"compaction; {stored_bytes / STEPS:.0f} bytes stored per step"
    )
