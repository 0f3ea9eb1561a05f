"""Histories of released workflows replay for ever: a change in command order has to be gated by `workflow.patched`."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from longshift.workflow_runner import workflow_runner
from workflows import ALL

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def test_histories_are_kept() -> None:
    assert len(HISTORIES) >= 10


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_kept_history_replays(path: Path) -> None:
    history = WorkflowHistory.from_json(path.stem.replace("~", "/"), path.read_text())
    replayer = Replayer(workflows=ALL, data_converter=pydantic_data_converter, workflow_runner=workflow_runner())
    await replayer.replay_workflow(history)
