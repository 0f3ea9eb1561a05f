"""The shell scripts: without a complaint of the linter, and the namespace's job against a real engine."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from longshift.adapters.engine import EmbeddedEngine, find_engine_binary
from tests.deploy.files import DEPLOY, complaints, installed
from tests.house.sources import ROOT
from tests.ports import free_port

JOB = DEPLOY / "compose" / "namespace.sh"


def scripts() -> list[Path]:
    """Every shell script of the repository's own."""
    found = [*DEPLOY.rglob("*.sh"), *(ROOT / ".ci").iterdir()]
    return sorted(path for path in found if path.read_text(encoding="utf-8").startswith("#!"))


def test_the_linter_has_no_complaint() -> None:
    assert len(scripts()) > 2
    assert "" == complaints([installed("shellcheck"), *scripts()])


def run_job(address: str, retention: str) -> subprocess.CompletedProcess[str]:
    """The job, with the command line of the wheel."""
    environment = {
        "PATH": f"{Path(installed('temporal')).parent}:{os.environ['PATH']}",
        "HOME": "/nonexistent",
        "TEMPORAL_ADDRESS": address,
        "NAMESPACE": "longshift",
        "RETENTION": retention,
    }
    return subprocess.run(["/bin/sh", JOB], env=environment, capture_output=True, text=True, check=False)


def retention_of(address: str) -> str:
    """What the engine says of the namespace."""
    command = [installed("temporal"), "operator", "namespace", "describe", "-n", "longshift", "--address", address]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    [line] = [line for line in told.splitlines() if "WorkflowExecutionRetentionTtl" in line]
    return line.split()[-1]


@pytest.mark.engine
@pytest.mark.slow
async def test_the_namespace_is_made_and_later_changed(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path, binary=find_engine_binary(), search_attributes={}, ui=False, port=free_port())
    found = await engine.start()
    try:
        first = await asyncio.to_thread(run_job, found.address, "30d")
        assert 0 == first.returncode, first.stderr
        assert "720h0m0s" == await asyncio.to_thread(retention_of, found.address)
        second = await asyncio.to_thread(run_job, found.address, "60d")
        assert 0 == second.returncode, second.stderr
        assert "1440h0m0s" == await asyncio.to_thread(retention_of, found.address)
    finally:
        await engine.stop()


def test_without_an_engine_the_job_fails_and_is_run_again() -> None:
    assert 0 != run_job("127.0.0.1:9", "30d").returncode
