"""Git inside the sandbox answers as git on the host does, and is never waited for in vain."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from longshift.adapters.process.child_end import end_child
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand, WrappedCommand
from longshift.adapters.workspace import git_inside
from longshift.adapters.workspace.git import GitCall, GitResult, run_git
from longshift.adapters.workspace.git_environment import hardened_environment
from longshift.adapters.workspace.sandboxed_git import SandboxedGit
from longshift.contracts.errors import WorkspaceFailed
from tests.adapters.workspace.confined import BUBBLEWRAP, every_sandbox, sandbox_named
from tests.sandboxing import requires_bubblewrap

SETTLED_SECONDS = 20.0


@pytest.fixture(params=every_sandbox())
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    return sandbox_named(request.param, tmp_path)


@pytest_asyncio.fixture
async def inside(sandbox: Sandbox) -> AsyncGenerator[SandboxedGit]:
    git = SandboxedGit(sandbox)
    yield git
    await git.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "repository")


def made(folder: Path) -> Path:
    """A new repository."""
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    return folder


def call(folder: Path, *arguments: str, **fields: object) -> GitCall:
    values: dict[str, object] = {"environment": hardened_environment(), "writable": (folder,), **fields}
    return GitCall(arguments, folder, **values)  # pyright: ignore[reportArgumentType] # any field, as a test wants it


def shell(folder: Path, script: str, **fields: object) -> GitCall:
    return call(folder, "-c", f"alias.script=!{script}", "script", **fields)


def boxes() -> list[int]:
    """The children of this process that run git in a sandbox."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in children if git_inside.__file__ in arguments_of(Path("/proc", pid))]


def whole_family(pids: list[int]) -> list[int]:
    """These processes and all below them."""
    children = [Path(f"/proc/{pid}/task/{pid}/children").read_text().split() for pid in pids]
    return [*pids, *(whole_family([int(pid) for each in children for pid in each]) if pids else [])]


def arguments_of(process: Path) -> list[str]:
    """The command line; empty for a process that has ended."""
    try:
        return (process / "cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def running(word: str) -> list[str]:
    """The processes with this word as an argument."""
    return [process.name for process in Path("/proc").glob("[0-9]*") if word in arguments_of(process)]


async def settled(word: str, *, there: bool) -> bool:
    """Wait until such a process is there, or none is."""
    return await became(lambda: bool(running(word)) == there)


async def became(is_so: Callable[[], bool]) -> bool:
    """Wait until something is so; whether it became so in time."""

    def wait() -> bool:
        deadline = time.monotonic() + SETTLED_SECONDS
        while not is_so() and time.monotonic() < deadline:
            time.sleep(0.02)
        return is_so()

    return await asyncio.to_thread(wait)


async def test_results_are_those_of_git_on_the_host(inside: SandboxedGit, folder: Path, tmp_path: Path) -> None:
    (folder / "big").write_bytes(os.urandom(3_000_000))
    (tmp_path / "given").write_bytes(b"x" * 500_000)
    odd = os.fsdecode(b"\xff odd")
    (folder / odd).write_text("odd")
    calls = [
        call(folder, "hash-object", "-w", "--stdin", stdin=b"y" * 900_000),
        call(folder, "hash-object", "--stdin"),
        call(folder, "hash-object", "--stdin", stdin_file=tmp_path / "given"),
        call(folder, "hash-object", "-w", "big", odd),
        call(folder, "status", "--porcelain", "-z"),
        call(folder, "rev-parse", "--verify", "nothing"),
        call(folder, "no-such-command"),
        shell(folder, "kill -9 $$"),
    ]
    assert [await run_git(each) for each in calls] == [await inside(each) for each in calls]
    blob = (await inside(calls[3])).text.splitlines()[0]
    whole = await inside(call(folder, "cat-file", "blob", blob))
    assert (folder / "big").read_bytes() == whole.stdout


async def test_calls_side_by_side_share_one_process(inside: SandboxedGit, folder: Path) -> None:
    texts = [f"text {number}" for number in range(20)]
    done = await asyncio.gather(*(inside(shell(folder, f"echo {text}")) for text in texts))
    assert texts == [each.text for each in done]
    assert 1 == len(boxes())


@pytest.mark.parametrize("escape", ["", "setsid ", "nohup setsid setsid "])
async def test_a_call_that_takes_too_long_is_killed_with_all_that_it_started(
    inside: SandboxedGit, folder: Path, escape: str
) -> None:
    word = f"31234.{os.getpid()}"
    late = await inside(shell(folder, f"{escape}sleep {word} & sleep {word}", timeout_seconds=0.5))
    assert late.timed_out
    assert "took too long" in str(late.failure())
    assert await settled(word, there=False)
    assert "on" == (await inside(shell(folder, "echo on"))).text


async def test_what_git_leaves_behind_is_killed_when_git_has_ended(inside: SandboxedGit, folder: Path) -> None:
    word = f"32234.{os.getpid()}"
    done = await inside(shell(folder, f"setsid setsid sleep {word} & true", timeout_seconds=30))
    assert (0, False) == (done.exit_code, done.timed_out)
    assert await settled(word, there=False)


async def test_a_call_that_is_cancelled_is_killed(inside: SandboxedGit, folder: Path) -> None:
    word = f"33234.{os.getpid()}"
    task = asyncio.create_task(inside(shell(folder, f"sleep {word}")))
    assert await settled(word, there=True)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await settled(word, there=False)


async def test_a_call_that_prints_too_much_is_ended(inside: SandboxedGit, folder: Path) -> None:
    cut = await inside(shell(folder, "yes", output_limit_bytes=100_000))
    assert (True, 100_000) == (cut.is_cut, len(cut.stdout))


async def test_git_holds_a_lock_while_it_lives_and_no_longer(inside: SandboxedGit, folder: Path) -> None:
    path = folder.parent / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    word = f"34234.{os.getpid()}"
    task = asyncio.create_task(inside(shell(folder, f"sleep {word}", keep_open=(descriptor,))))
    assert await settled(word, there=True)
    os.close(descriptor)
    with path.open() as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        task.cancel()
        await asyncio.wait({task})
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_a_process_that_is_killed_fails_its_call_and_not_the_next(inside: SandboxedGit, folder: Path) -> None:
    word = f"35234.{os.getpid()}"
    task = asyncio.create_task(inside(shell(folder, f"sleep {word}")))
    assert await settled(word, there=True)
    # From the outside in: a helper that outlives its call by a moment would still tell how that has ended.
    for pid in whole_family(boxes()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkspaceFailed, match="the sandbox ended while git"):
        await task
    for _ in range(3):
        assert "on" == (await inside(shell(folder, "echo on"))).text
        os.kill(boxes()[0], signal.SIGKILL)
        assert await became(lambda: not boxes())


@pytest.mark.slow
async def test_a_process_that_hangs_is_killed_after_the_time_out(inside: SandboxedGit, folder: Path) -> None:
    assert "on" == (await inside(shell(folder, "echo on"))).text
    for pid in whole_family(boxes()):
        os.kill(pid, signal.SIGSTOP)
    late = await inside(shell(folder, "echo late", timeout_seconds=0.2))
    assert late.timed_out
    assert "on" == (await inside(shell(folder, "echo on"))).text


async def test_an_idle_process_ends(sandbox: Sandbox, folder: Path) -> None:
    git = SandboxedGit(sandbox, idle_seconds=0.1)
    await git(shell(folder, "true"))
    assert await became(lambda: not boxes())
    assert "again" == (await git(shell(folder, "echo again"))).text
    await git.close()
    assert [] == boxes()


async def test_a_folder_that_took_the_place_of_another_is_seen(inside: SandboxedGit, folder: Path) -> None:
    await inside(shell(folder, "true"))
    folder.rename(folder.with_name("before"))
    made(folder)
    (folder / "after").write_text("x")
    assert "after" == (await inside(call(folder, "ls-files", "--others"))).text
    folder.rename(folder.with_name("gone"))
    with pytest.raises(WorkspaceFailed, match="is gone"):
        await inside(shell(folder, "true"))


class Broken(NoSandbox):
    """A sandbox that does not start."""

    name = "broken"

    def __init__(self, *argv: str) -> None:
        super().__init__()
        self._argv = argv

    def wrap(self, command: SandboxCommand) -> WrappedCommand:
        """Something else."""
        return WrappedCommand(argv=self._argv, env={"PATH": os.defpath}, cwd=command.cwd)


@pytest.mark.parametrize(
    ("argv", "said"),
    [(("sh", "-c", "echo no user namespaces >&2; exit 1"), "no user namespaces"), (("/no/such/program",), "No such")],
)
async def test_a_sandbox_that_does_not_start_says_why(folder: Path, argv: tuple[str, ...], said: str) -> None:
    with pytest.raises(WorkspaceFailed, match=said):
        await SandboxedGit(Broken(*argv))(shell(folder, "true"))


async def test_a_sandbox_without_git_says_so(inside: SandboxedGit, folder: Path, tmp_path: Path) -> None:
    environment = {**hardened_environment(), "PATH": str(tmp_path)}
    with pytest.raises(WorkspaceFailed, match="there is no git in"):
        await inside(call(folder, "status", environment=environment))


async def test_limits_of_the_sandbox_hold_for_git(folder: Path) -> None:
    class Limited(NoSandbox):
        def wrap(self, command: SandboxCommand) -> WrappedCommand:
            plain = super().wrap(command)
            return WrappedCommand(plain.argv, plain.env, plain.cwd, limits={"NOFILE": 77})

    git = SandboxedGit(Limited())
    assert "77" == (await git(shell(folder, "ulimit -n"))).text
    await git.close()


async def test_control_groups_are_joined_before_git_is_started(folder: Path, tmp_path: Path) -> None:
    class Grouped(NoSandbox):
        def wrap(self, command: SandboxCommand) -> WrappedCommand:
            plain = super().wrap(command)
            return WrappedCommand(plain.argv, plain.env, plain.cwd, cgroups=(str(tmp_path / "a"), str(tmp_path / "b")))

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    git = SandboxedGit(Grouped())
    await git(shell(folder, "true"))
    joined = [(tmp_path / name / "cgroup.procs").read_text().strip() for name in ("a", "b")]
    assert [str(boxes()[0])] * 2 == joined
    await git.close()


WORKER = """
import asyncio, sys
from pathlib import Path
from longshift.adapters.workspace.git import GitCall
from longshift.adapters.workspace.git_environment import hardened_environment
from longshift.adapters.workspace.sandboxed_git import SandboxedGit
from tests.adapters.workspace.confined import sandbox_named

async def main() -> None:
    folder, word, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    sandbox = sandbox_named(name, folder.parent)
    arguments = ("-c", f"alias.script=!sleep {word}", "script")
    await SandboxedGit(sandbox)(GitCall(arguments, folder, hardened_environment(), writable=(folder,)))

asyncio.run(main())
"""


async def test_nothing_runs_on_when_the_worker_is_killed(sandbox: Sandbox, folder: Path) -> None:
    word = f"36234.{os.getpid()}"
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, str(folder), word, sandbox.name)
    assert await settled(word, there=True)
    await end_child(worker)
    assert await settled(word, there=False)


@requires_bubblewrap()
async def test_git_sees_only_what_its_call_names(folder: Path, tmp_path: Path) -> None:
    git = SandboxedGit(sandbox_named(BUBBLEWRAP, tmp_path))
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown" / "text").write_text("shown")

    async def run(script: str) -> GitResult:
        return await git(shell(folder, script, readable=(tmp_path / "shown",)))

    assert "No such file" in (await run(f"cat {tmp_path}/secret")).stderr
    assert "shown" == (await run(f"cat {tmp_path}/shown/text")).text
    assert "Read-only" in (await run(f"touch {tmp_path}/shown/text")).stderr
    assert "" == (await run(f"touch {folder}/written")).stderr
    assert (folder / "written").exists()
    await git.close()
