"""Exit codes: one for every kind of failure, for every final state, and for how a process can end."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from temporalio.client import RPCError, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCStatusCode

from longshift.cli.exit_codes import ExitCode, of_state
from longshift.cli.failures import explain
from longshift.contracts.errors import (
    BadInput,
    BrokerUnavailable,
    DiskFull,
    EngineError,
    StoreMissing,
    StoreUnavailable,
)
from longshift.contracts.session import SessionState
from longshift.sessions.failures import SessionMissing, SessionRefused, WorkerAbsent
from tests.cli.conftest import Command
from tests.cli.processes import start


@pytest.fixture
def silent_port() -> Iterator[socket.socket]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (BadInput("x"), "bad_input", 2),
        (SessionMissing("x"), "session_missing", 2),
        (SessionRefused("x"), "refused", 1),
        (DiskFull("x"), "disk_full", 1),
        (StoreMissing("x"), "store_missing", 1),
        (StoreUnavailable("x"), "store_unavailable", 3),
        (BrokerUnavailable("x"), "broker_unavailable", 3),
        (EngineError("x"), "engine", 3),
        (WorkerAbsent("x"), "worker", 3),
        (typer.BadParameter("x"), "usage", 2),
        (WorkflowFailureError(cause=ApplicationError("x")), "failed", 1),
    ],
)
def test_every_failure_has_its_kind_and_code(error: Exception, kind: str, code: int) -> None:
    failure = explain(error)
    assert (kind, code, True) == (failure.kind, int(failure.code), "x" in failure.message)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (RPCStatusCode.UNAVAILABLE, 3, "longshift up"),
        (RPCStatusCode.DEADLINE_EXCEEDED, 3, "longshift up"),
        (RPCStatusCode.RESOURCE_EXHAUSTED, 3, "try again"),
        (RPCStatusCode.UNAUTHENTICATED, 3, "TEMPORAL_API_KEY"),
        (RPCStatusCode.PERMISSION_DENIED, 3, "TEMPORAL_NAMESPACE"),
        (RPCStatusCode.FAILED_PRECONDITION, 3, "longshift worker"),
        (RPCStatusCode.NOT_FOUND, 2, "TEMPORAL_NAMESPACE"),
        (RPCStatusCode.INVALID_ARGUMENT, 1, "refused"),
    ],
)
def test_what_the_engine_refuses_names_the_remedy(status: RPCStatusCode, code: int, words: str) -> None:
    failure = explain(RPCError("the reason", status, b""))
    assert (code, True, True) == (int(failure.code), words in failure.message, "the reason" in failure.message)


def test_the_innermost_reason_is_told() -> None:
    inner, outer = ApplicationError("no space"), ApplicationError("activity failed")
    outer.__cause__ = inner
    assert "no space" == explain(WorkflowFailureError(cause=outer)).message


def test_every_final_state_has_a_code_of_its_own() -> None:
    codes = {state: of_state(state) for state in SessionState if state.is_final}
    assert {
        SessionState.DONE: ExitCode.OK,
        SessionState.FAILED: ExitCode.FAILED,
        SessionState.CANCELLED: ExitCode.CANCELLED,
        SessionState.EXPIRED: ExitCode.EXPIRED,
    } == codes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], ["'nonsense'", "`longshift --help`"]),
        (["list", "--nonsense"], ["--nonsense", "`longshift list --help`"]),
        (["list", "--limit", "0"], ["--limit", "`longshift list --help`"]),
        (["list", "--state", "sleepy"], ["--state", "`longshift list --help`"]),
        (["status"], ["'ID'", "`longshift status --help`"]),
        (["extend", "mend", "--hours", "nan"], ["--hours", "720"]),
        (["extend", "mend"], ["--hours"]),
        (["rollback", "mend"], ["--to-step"]),
        (["rollback", "mend", "--to-step", "-1"], ["--to-step", "`longshift rollback --help`"]),
    ],
)
def test_a_wrong_option_is_bad_input_and_named(longshift: Command, arguments: list[str], words: list[str]) -> None:
    outcome = longshift(*arguments)
    assert (2, "", []) == (outcome.code, outcome.out, [word for word in words if word not in outcome.err])


def test_an_engine_that_is_not_reachable_is_three(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    outcome = longshift("list")
    assert (3, "") == (outcome.code, outcome.out)
    assert f"cannot connect to {address}" in outcome.err
    assert "check TEMPORAL_ADDRESS" in outcome.err


@pytest.mark.parametrize("command", ["list", "watch", "worker"])
def test_without_an_engine_the_way_to_start_one_is_named(longshift: Command, command: str) -> None:
    outcome = longshift(command)
    assert (3, "", True) == (outcome.code, outcome.out, "start one with `longshift up`" in outcome.err)


def test_ctrl_c_is_130(silent_port: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{silent_port.getsockname()[1]}")
    with start("list") as process:
        connection, _ = silent_port.accept()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        connection.close()
    assert (130, "", "interrupted\n") == (process.returncode, out, err)


@pytest.mark.parametrize("arguments", [["task-schema"], ["doctor"]])
def test_a_reader_that_ends_early_is_no_failure(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with start(*arguments, stdout=writing) as process:
            _, err = process.communicate(timeout=30)
    finally:
        os.close(writing)
    assert (0, "") == (process.returncode, err)


def test_the_program_ends_without_python_s_own_clean_up() -> None:
    program = "import atexit; atexit.register(print, 'cleaned'); from longshift.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program, "list"], capture_output=True, text=True, check=False)
    assert (3, "", True) == (done.returncode, done.stdout, "longshift up" in done.stderr)


def test_debug_lets_the_failure_through_with_its_traceback(longshift: Command) -> None:
    with pytest.raises(EngineError, match="longshift up"):
        longshift("list", "--debug")
