"""From inside a sandbox: what a command reaches through the bridge, and that it reaches nothing else."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from longshift.adapters.network.egress import Egress
from longshift.adapters.process.child_end import end_child
from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.run_state import Finished
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.bubblewrap import PROXY_SOCKET
from longshift.adapters.sandbox.networked import Networked
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand
from longshift.contracts.network import NetworkPhase, NetworkProfile
from tests.adapters.network.network_rig import Recorder, echo, server
from tests.sandboxing import best_sandbox, requires_bubblewrap

PYTHON = os.path.realpath(sys.executable)


@dataclass
class Place:
    """A workspace whose commands run in a sandbox, with one host that they may reach."""

    runner: ProcessRunner
    sandbox: Sandbox
    egress: Egress
    root: Path

    async def run(self, *argv: str, has_network: bool = True, timeout_seconds: float = 40) -> tuple[Finished, str]:
        key = await self.start(*argv, has_network=has_network)
        state = await self.runner.wait(key, timeout_seconds)
        assert isinstance(state, Finished), state
        return state, self.runner.output(key).text

    async def start(self, *argv: str, has_network: bool = True) -> str:
        socket = await self.egress.opened("t-1", NetworkPhase.AGENT, "test") if has_network else ""
        command = SandboxCommand(
            argv=argv, cwd=str(self.root), workspace_root=str(self.root), home=str(self.root), proxy_socket=socket
        )
        wrapped = self.sandbox.wrap(command)
        key = f"t-1/lead/{len(self.runner.keys('t-1/lead')):03d}"
        await self.runner.start(key, CommandSpec.of(wrapped))
        return key

    async def python(self, code: str, *, has_network: bool = True) -> tuple[Finished, str]:
        return await self.run("python3", "-c", code, has_network=has_network)


@pytest.fixture(params=[pytest.param("bubblewrap", marks=requires_bubblewrap()), "none"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    if request.param == "none":
        return Networked(NoSandbox())
    return Networked(best_sandbox(tmp_path / "data"), socket=PROXY_SOCKET)


@pytest.fixture
async def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def port(recorder: Recorder) -> AsyncIterator[int]:
    async with server(recorder, "127.0.0.2") as port:
        yield port


@pytest.fixture
def place(tmp_path: Path, runner: ProcessRunner, sandbox: Sandbox, port: int) -> Place:
    profile = NetworkProfile(hosts=(f"127.0.0.2:{port}", "nowhere.example"), allow_private=("127.0.0.2/32",))
    root = tmp_path / "tree"
    root.mkdir()
    return Place(runner, sandbox, Egress(tmp_path / "data", runner, {"test": profile}), root)


@pytest.fixture
def confined(place: Place) -> Place:
    if place.sandbox.name == "none":
        pytest.skip("without a sandbox nothing is kept from the network")
    return place


def fetch(url: str) -> str:
    return f"import urllib.request as u; print(u.urlopen({url!r}, timeout=20).read().decode())"


async def test_an_allowed_host_is_reached(place: Place, port: int) -> None:
    state, text = await place.python(fetch(f"http://127.0.0.2:{port}/"))
    assert (0, "hello\n") == (state.exit_code, text)


async def test_a_refusal_says_why(place: Place) -> None:
    state, text = await place.python(
        "import urllib.request as u, urllib.error as e\n"
        "try: u.urlopen('http://other.example/')\n"
        "except e.HTTPError as error: print(error.code, error.read().decode())\n"
    )
    assert 0 == state.exit_code
    assert "403 longshift: other.example:80 is refused: the network profile 'test' does not have it" in text


async def test_curl_tunnels(place: Place, port: int, recorder: Recorder) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    state, text = await place.run("curl", "-sS", "--proxytunnel", f"http://127.0.0.2:{port}/x")
    assert (0, "hello") == (state.exit_code, text)
    assert recorder.got[0].startswith(b"GET /x HTTP/1.1")


async def test_git_clones_over_http(place: Place, tmp_path: Path) -> None:
    bare = tmp_path / "served" / "repo.git"
    work = tmp_path / "work"
    script = (
        f"git init -q {work} && cd {work} && echo content > file && git add file && "
        "git -c user.name=a -c user.email=a@example.org commit -qm one && "
        f"git clone -q --bare {work} {bare} && git -C {bare} update-server-info"
    )
    await asyncio.to_thread(subprocess.run, ["bash", "-c", script], check=True)
    code = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, bind='127.0.0.2', port=0)"
    web = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-c", code), cwd=bare.parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert web.stdout is not None
    try:
        port = int((await web.stdout.readline()).split(b"port ")[1].split()[0])
        profile = NetworkProfile(hosts=(f"127.0.0.2:{port}",), allow_private=("127.0.0.2/32",))
        place.egress = Egress(tmp_path / "data", place.runner, {"test": profile})
        state, text = await place.run("bash", "-c", f"git clone -q http://127.0.0.2:{port}/repo.git && cat repo/file")
    finally:
        await end_child(web)
    assert (0, "content\n") == (state.exit_code, text)


DIRECT = """
import socket, sys
def attempt(name, kind, family, address):
    try:
        with socket.socket(family, kind) as end:
            end.settimeout(3)
            end.connect(address)
            if kind == socket.SOCK_DGRAM:
                end.send(b"x")
                end.recv(1)
            print("reached", name)
    except OSError as error:
        print("stopped", name, error)
attempt("tcp", socket.SOCK_STREAM, socket.AF_INET, ("127.0.0.2", PORT))
attempt("udp", socket.SOCK_DGRAM, socket.AF_INET, ("127.0.0.2", PORT))
attempt("public", socket.SOCK_STREAM, socket.AF_INET, ("192.0.2.1", 443))
attempt("metadata", socket.SOCK_STREAM, socket.AF_INET, ("169.254.169.254", 80))
attempt("v6", socket.SOCK_STREAM, socket.AF_INET6, ("2001:db8::1", 443))
attempt("abstract", socket.SOCK_STREAM, socket.AF_UNIX, "\\0ABSTRACT")
attempt("dns", socket.SOCK_DGRAM, socket.AF_INET, ("192.0.2.1", 53))
try:
    print("reached name", socket.getaddrinfo("nowhere.example", 443))
except OSError as error:
    print("stopped name", error)
"""


@pytest.mark.parametrize("has_network", [True, False])
async def test_nothing_is_reached_past_the_proxy(confined: Place, port: int, has_network: bool) -> None:
    name = f"longshift-test-{os.getpid()}-{has_network}"
    listener = await asyncio.start_unix_server(echo, f"\0{name}")
    code = DIRECT.replace("PORT", str(port)).replace("ABSTRACT", name)
    _, text = await confined.python(code, has_network=has_network)
    listener.close()
    assert 8 == text.count("stopped"), text
    assert "reached" not in text


async def test_without_a_profile_there_is_neither_bridge_nor_socket_nor_variable(confined: Place) -> None:
    code = (
        "import os; print([n for n in os.environ if 'proxy' in n.lower()], os.path.exists('/run/longshift/proxy.sock'))"
    )
    _, text = await confined.python(code, has_network=False)
    assert "[] False\n" == text
    assert [] == confined.runner.keys("t-1/_network")


async def test_a_command_still_talks_to_servers_of_its_own(confined: Place) -> None:
    code = """
import http.server as h, threading, urllib.request as u
class Handler(h.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"own")
    def log_message(self, *args): pass
server = h.HTTPServer(("127.0.0.1", 8000), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(u.urlopen("http://127.0.0.1:8000/").read().decode(), u.urlopen("http://localhost:8000/").read().decode())
"""
    _, text = await confined.python(code)
    assert "own own\n" == text


@pytest.mark.parametrize(("end", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", None)])
async def test_the_command_ends_as_without_a_bridge(place: Place, end: str, code: int | None) -> None:
    networked, _ = await place.run("bash", "-c", end)
    plain, _ = await place.run("bash", "-c", end, has_network=False)
    assert (plain.exit_code, plain.signal) == (networked.exit_code, networked.signal)
    assert code is None or code == networked.exit_code


async def test_what_cannot_be_run_ends_with_127_and_says_so(place: Place) -> None:
    state, text = await place.run("no-such-program")
    assert 127 == state.exit_code
    assert "cannot run 'no-such-program'" in text


async def test_a_signal_reaches_the_command_once(place: Place) -> None:
    script = "n=0; trap 'n=$((n+1)); echo got $n' TERM; echo ready; for i in $(seq 30); do sleep 0.1; done; exit 5"
    key = await place.start("bash", "-c", script)
    async with asyncio.timeout(20):
        while "ready" not in place.runner.output(key).text:  # noqa: ASYNC110 only a file tells
            await asyncio.sleep(0.05)
    state = await place.runner.kill(key, "the test asks")
    assert isinstance(state, Finished)
    assert 1 == place.runner.output(key).text.count("got")


async def test_the_bridge_does_not_outlive_the_command(place: Place, port: int) -> None:
    began = time.monotonic()
    await place.python(fetch(f"http://127.0.0.2:{port}/"))
    assert time.monotonic() - began < 30
    assert [] == await asyncio.to_thread(bridges, place.root)


async def test_a_killed_command_takes_the_bridge_along(place: Place) -> None:
    key = await place.start("bash", "-c", "echo ready; sleep 600")
    async with asyncio.timeout(20):
        while "ready" not in place.runner.output(key).text:  # noqa: ASYNC110 only a file tells
            await asyncio.sleep(0.05)
    assert [] != await asyncio.to_thread(bridges, place.root)
    await place.runner.kill(key, "the test asks")
    assert [] == await asyncio.to_thread(bridges, place.root)


async def test_large_bodies_pass_both_ways_and_at_once(place: Place, tmp_path: Path) -> None:
    async with server(echo, "127.0.0.2") as port:
        profile = NetworkProfile(hosts=(f"127.0.0.2:{port}",), allow_private=("127.0.0.2/32",))
        place.egress = Egress(tmp_path / "data", place.runner, {"test": profile})
        code = f"""
import os, socket, threading
proxy = os.environ["http_proxy"].rpartition(":")[2].strip("/")
def one(number):
    end = socket.create_connection(("127.0.0.1", int(proxy)))
    end.sendall(b"CONNECT 127.0.0.2:{port} HTTP/1.1\\r\\n\\r\\n")
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        head += end.recv(1)
    body = bytes([number]) * 2_000_000
    def send():
        end.sendall(body)
        end.shutdown(socket.SHUT_WR)
    sender = threading.Thread(target=send); sender.start()
    got = b""
    while piece := end.recv(65536):
        got += piece
    sender.join()
    assert got == body, (number, len(got))
threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("whole")
"""
        state, text = await place.python(code)
    assert (0, "whole\n") == (state.exit_code, text)


async def test_a_client_that_resets_costs_no_processor_time(place: Place, tmp_path: Path) -> None:
    async with server(echo, "127.0.0.2") as port:
        profile = NetworkProfile(hosts=(f"127.0.0.2:{port}",), allow_private=("127.0.0.2/32",))
        place.egress = Egress(tmp_path / "data", place.runner, {"test": profile})
        code = f"""
import os, socket, struct, time
port = int(os.environ["http_proxy"].rpartition(":")[2].strip("/"))
for how in range(4):
    end = socket.create_connection(("127.0.0.1", port))
    end.sendall(b"CONNECT 127.0.0.2:{port} HTTP/1.1\\r\\n\\r\\n")
    end.recv(100)
    if how & 1:
        end.shutdown(socket.SHUT_WR)
    if how & 2:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
print("ready", flush=True)
time.sleep(3)
"""
        key = await place.start("python3", "-c", code)
        async with asyncio.timeout(20):
            while "ready" not in place.runner.output(key).text:  # noqa: ASYNC110 only a file tells
                await asyncio.sleep(0.05)
        (pid,) = await asyncio.to_thread(bridges, place.root)
        before = ticks(pid)
        await asyncio.sleep(1.5)
        spent = ticks(pid) - before
        state = await place.runner.wait(key, 20)
    assert isinstance(state, Finished)
    assert spent < 20, f"{spent} ticks of a hundredth of a second in 1.5 s"


def bridges(root: Path) -> list[int]:
    """The pids of bridges that belong to commands of this test, by their environment."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        try:
            argv = (folder / "cmdline").read_bytes()
            is_bridge = argv.startswith(PYTHON.encode()) and b"class Bridge:" in argv
            if is_bridge and f"HOME={root}\0".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
