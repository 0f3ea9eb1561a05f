"""How a host stands, by what its workers said last; and what it says of itself."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat

import longshift
from longshift.host_card import HostCard, host_card, read_host_card
from longshift.hosts import HostState, state_of

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
RUNNING, STOPPING = WorkerStatus.WORKER_STATUS_RUNNING, WorkerStatus.WORKER_STATUS_SHUTTING_DOWN


def heartbeat(status: WorkerStatus.ValueType, seconds_ago: float, interval_seconds: float = 10) -> WorkerHeartbeat:
    made = WorkerHeartbeat(status=status)
    made.heartbeat_time.FromDatetime(NOW - timedelta(seconds=seconds_ago))
    made.elapsed_since_last_heartbeat.FromTimedelta(timedelta(seconds=interval_seconds))
    return made


@pytest.mark.parametrize(
    ("workers", "state"),
    [
        ([heartbeat(RUNNING, 9)], HostState.UP),
        ([heartbeat(RUNNING, 24)], HostState.UP),
        ([heartbeat(RUNNING, 60)], HostState.SILENT),
        ([heartbeat(RUNNING, 100, interval_seconds=60)], HostState.UP),
        ([heartbeat(RUNNING, 100, interval_seconds=0)], HostState.UP),
        ([heartbeat(RUNNING, 9), heartbeat(STOPPING, 5)], HostState.DRAINING),
        ([heartbeat(STOPPING, 300), heartbeat(STOPPING, 60)], HostState.GONE),
    ],
)
def test_a_host_is_up_while_its_heartbeats_come_and_drains_when_one_says_so(
    workers: list[WorkerHeartbeat], state: HostState
) -> None:
    assert state == state_of(workers, NOW)


def test_a_card_is_read_as_it_was_written_whatever_stands_beside_it() -> None:
    assert HostCard(longshift.__version__, 4, 8) == read_host_card(["other", host_card(4, 8).name()])


@pytest.mark.parametrize("names", [[], ["other"], ["longshift-host version=1 slots=many sub_agent_slots=1"]])
def test_a_worker_without_a_card_has_none(names: list[str]) -> None:
    assert read_host_card(names) is None
