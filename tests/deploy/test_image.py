"""The image: what its file says, and what the builder is given. It is built nowhere here; see test_installation."""

import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

import longshift
from tests.deploy.files import DEPLOY, DOCKERFILE, complaints, installed
from tests.house.sources import ROOT

TEXT = DOCKERFILE.read_text(encoding="utf-8")
LINES = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE)).splitlines()


def instructions(name: str) -> list[str]:
    """The arguments of all instructions of a name, in order."""
    return [line.removeprefix(f"{name} ").strip() for line in LINES if line.startswith(f"{name} ")]


def test_the_linter_has_no_complaint() -> None:
    assert "" == complaints([installed("hadolint"), "--failure-threshold", "style", DOCKERFILE])


def test_the_builder_is_given_all_that_is_copied_and_nothing_else() -> None:
    given = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    copies = [[part for part in shlex.split(each) if not part.startswith("--")] for each in instructions("COPY")]
    from_here = [each[:-1] for each in copies if each[0] != "/opt/longshift"]
    assert set(given) == {source for sources in from_here for source in sources}
    assert [] == [source for source in given if not (ROOT / source).exists()]


def test_it_runs_as_nobody_in_particular_under_an_init_that_reaps() -> None:
    assert ["10001:10001"] == instructions("USER")
    assert ['["/usr/bin/tini", "--"]'] == instructions("ENTRYPOINT")
    assert ["SIGTERM"] == instructions("STOPSIGNAL")
    assert "HEALTHCHECK" in TEXT


def test_the_environment_has_one_path_in_both_stages() -> None:
    assert "--from=build /opt/longshift /opt/longshift" in instructions("COPY")
    assert "/opt/longshift/bin/pip install --require-hashes" in TEXT


def test_it_is_labelled_with_this_release() -> None:
    assert f"VERSION={longshift.__version__}" in instructions("ARG")
    assert 'org.opencontainers.image.version="${VERSION}"' in TEXT


class Answer(BaseHTTPRequestHandler):
    """200 for /ready, 503 for the rest."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ready" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Where somebody answers."""
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def healthy(port: int, path: str) -> int:
    """The health check's exit code."""
    # A proxy in the environment must not come between.
    command = [sys.executable, "-IS", str(DEPLOY / "healthy.py"), str(port), path]
    return subprocess.run(
        command, check=False, env={"http_proxy": "http://127.0.0.1:9"}, capture_output=True
    ).returncode


def test_only_an_answer_of_200_is_healthy(port: int) -> None:
    assert 0 == healthy(port, "/ready")
    assert 1 == healthy(port, "/draining")


def test_nobody_there_is_not_healthy(port: int) -> None:
    with HTTPServer(("127.0.0.1", 0), Answer) as closed:
        free = closed.server_port
    assert 1 == healthy(free, "/ready")
