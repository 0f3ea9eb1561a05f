"""The process that outlives the worker: starts one command, follows it to its end, records how it ended.

Started by `isolated`, with the stdlib and two modules beside this one; one thread. This file owns the format of a run
directory, and the client imports its names from here; claiming and judging belong to the client.
It may be killed at any moment: `started.json` is on disk before the command passes the gate, so a directory without it
has had no effect, and one with it is never started again. The lock is held for life and proves it, whoever has the pid.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import resource
import select
import signal
import time

from longshift.adapters.process.kept_output import Output
from longshift.adapters.process.process_table import boot_id, descendants, process_stat

TYPE_CHECKING = False  # `typing` itself would be a tenth of the start-up time
if TYPE_CHECKING:
    from typing import Any, NoReturn

SPEC = "spec.json"
"""The claim: argv, cwd, env, limits."""
LOCK = "lock"
"""Held with flock(2) by the supervisor for as long as it lives."""
STARTED = "started.json"
"""Who runs the command; written before it may do anything."""
KILL = "kill"
"""Its presence asks for an end; its content is the reason."""
EXIT = "exit.json"
EXIT_RESERVED = "exit.part"
"""Becomes `exit.json`: name as long, blocks reserved before the start, so that a full disk loses no exit code."""
LOST = "lost.json"
"""Written by a client: the supervisor is gone and the outcome is unknown, for ever."""
MARKER = "SUPERVISED_RUN"
"""Environment variable with the run's nonce: finds what a dead supervisor left behind."""

RESERVED_BYTES = 4_096
CHUNK_BYTES = 65_536
LOCK_PATIENCE_SECONDS = 30.0
KILL_PATIENCE_SECONDS = 10.0
CHECK_SECONDS = 1.0
"""How often the kill file is looked for when no signal announces it."""
OOM_SCORE = 900
"""The kernel takes the command first when memory runs out, not the supervisor or the worker."""
COUNTERS = (
    ("memory.events", "oom_kill", "oom_kills"),
    ("memory.oom_control", "oom_kill", "oom_kills"),
    ("pids.events", "max", "refused_forks"),
)
"""Files of control groups, version 2 and 1: name, line, what it counts."""
EXEC_FAILED = 127
KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271, "s390x": 280, "armv7l": 311, "i686": 288}
"""The number of keyctl(2), by machine."""
KEYCTL_JOIN_SESSION_KEYRING = 1
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
REQUEST_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
RESET_SIGNALS = (*REQUEST_SIGNALS, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGQUIT, signal.SIGUSR1)
"""Those that Python, this file or whoever started the worker may have set to be handled or ignored."""


def now_seconds() -> float:
    """Seconds since boot, time asleep included; a changed wall clock does not matter."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def sync_directory(path: str) -> None:
    """Make names created in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Supervision:
    """One command from the gate to its last descendant."""

    def __init__(self, spec: dict[str, Any], output: Output, wake: int) -> None:
        self.exit_code: int | None = None
        self.timed_out = False
        self.killed_reason: str | None = None
        self.survivors = 0
        self.signalled = 0
        self._timeout_seconds: float | None = spec["timeout_seconds"]
        self._grace_seconds: float = spec["grace_seconds"]
        self._is_guarded: bool = spec.get("guarded", False)
        self._output = output
        self._wake = wake
        self._child = 0
        self._is_childless = False
        self._deadline_seconds = float("inf")
        self._kill_at_seconds: float | None = None
        self._next_check_seconds = 0.0

    def follow(self, child: int, pipe: int, started_seconds: float) -> None:
        """Pump output, enforce the time-out and requests, until the command and everything below it is gone."""
        self._child = child
        if self._timeout_seconds is not None:
            self._deadline_seconds = started_seconds + self._timeout_seconds
        os.set_blocking(pipe, False)
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        poller.register(pipe, select.POLLIN)
        while not self._is_over():
            for descriptor, _ in poller.poll(self._pause_milliseconds()):
                if descriptor == self._wake:
                    _ = os.read(self._wake, 4_096)
                    self._reap()
                elif not self._pump(pipe):
                    poller.unregister(pipe)
            self._check_requests()
        self._kill_rest()
        while self._pump(pipe, until_empty=True):
            continue

    def _is_over(self) -> bool:
        if self._kill_at_seconds is None:
            return self.exit_code is not None
        return self._is_childless or now_seconds() >= self._kill_at_seconds

    def _pause_milliseconds(self) -> float:
        end_seconds = self._deadline_seconds if self._kill_at_seconds is None else self._kill_at_seconds
        return max(0.0, min(CHECK_SECONDS, end_seconds - now_seconds()) * 1_000 + 1)

    def _pump(self, pipe: int, *, until_empty: bool = False) -> bool:
        """Take one chunk; False at the end of the output (or, `until_empty`, when nothing is there)."""
        try:
            data = os.read(pipe, CHUNK_BYTES)
        except BlockingIOError:
            return not until_empty
        self._output.keep(data)
        return bool(data)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._is_childless = True
                return
            if pid == 0:
                return
            if pid == self._child:
                self.exit_code = os.waitstatus_to_exitcode(status)

    def _check_requests(self) -> None:
        now = now_seconds()
        if self._kill_at_seconds is not None or self.exit_code is not None:
            return
        if self.signalled or now >= self._next_check_seconds:
            self._next_check_seconds = now + CHECK_SECONDS
            self.killed_reason = kill_request() or (f"signal {self.signalled}" if self.signalled else None)
        self.timed_out = self.killed_reason is None and now >= self._deadline_seconds
        if self.timed_out or self.killed_reason is not None:
            self._kill_at_seconds = now + self._grace_seconds
            self._signal_all(signal.SIGTERM)
            self._signal_all(signal.SIGCONT)  # a stopped process takes the SIGTERM only when it goes on

    def _signal_all(self, number: int) -> None:
        """Signal every descendant once: the command's group in one stroke, those that left it one by one."""
        group = 0
        spared = self._child if self._is_guarded and number == signal.SIGTERM else 0
        if self.exit_code is None and not spared:
            # Only while the leader is not reaped: until then nobody else can have its pid, and so the group's id.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child, number)
                group = self._child
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if pid != spared and os.getpgid(pid) != group:
                    os.kill(pid, number)

    def _kill_rest(self) -> None:
        """Kill whatever is left below: orphans come to this process, as it is their subreaper."""
        self._reap()
        deadline = now_seconds() + KILL_PATIENCE_SECONDS
        while not self._is_childless and now_seconds() < deadline:
            self._signal_all(signal.SIGKILL)
            if select.select([self._wake], [], [], 0.01)[0]:
                _ = os.read(self._wake, 4_096)
            self._reap()
        self.survivors = 0 if self._is_childless else len(descendants(os.getpid()))


def kill_request() -> str | None:
    """The reason in the kill file; None without one."""
    try:
        with open(KILL, encoding="utf-8", errors="replace") as file:
            return file.read(500) or "killed"
    except FileNotFoundError:
        return None


def read_secrets() -> dict[str, str]:
    """Variables for the command that must not be written anywhere, from the starter's pipe; most runs have none."""
    data = b""
    while part := os.read(0, CHUNK_BYTES):
        data += part
    return json.loads(data) if data else {}


def take_lock() -> int | None:
    """Become the run's only supervisor; None when it has started already or another supervisor is about to."""
    deadline = now_seconds() + LOCK_PATIENCE_SECONDS
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_mine = True
        except BlockingIOError:
            is_mine = False
        # Read after the attempt: whoever held the lock before may have started the command.
        if any(os.path.exists(name) for name in (STARTED, EXIT, LOST)) or now_seconds() > deadline:
            return None
        if is_mine:
            return lock
        time.sleep(0.005)


def reserve_exit() -> int:
    """Reserve the blocks of the exit record while there still is space.

    Raises: OSError, when there is none: then nothing must be started.
    """
    descriptor = os.open(EXIT_RESERVED, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    os.posix_fallocate(descriptor, 0, RESERVED_BYTES)
    os.fsync(descriptor)
    return descriptor


def record_exit(reserved: int, record: dict[str, Any]) -> None:
    """Turn the reserved file into `exit.json`."""
    data = json.dumps(record, ensure_ascii=False).encode()  # the reason fits the reserved blocks in any script
    os.pwrite(reserved, data, 0)
    os.ftruncate(reserved, len(data))
    os.fsync(reserved)
    os.rename(EXIT_RESERVED, EXIT)
    sync_directory(".")


def record_started(record: dict[str, Any]) -> None:
    """Write `started.json` so that it is either absent or whole, and survives a power cut."""
    part = STARTED + ".part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, json.dumps(record).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(part, STARTED)
    sync_directory(".")


def become_command(spec: dict[str, Any], nonce: str, gate: int, output: int, umask: int, prctl: Any) -> NoReturn:
    """In the child: wait at the gate, then become the command; failing that, say why in the output and exit 127."""
    doing = "cannot prepare the command"
    try:
        for number in RESET_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if os.read(gate, 1) != b"g":
            os._exit(EXEC_FAILED)  # the supervisor died before the start was on record
        os.umask(umask)
        leave_keyring()
        doing = f"cannot enter the working directory {spec['cwd']}"
        os.chdir(spec["cwd"])
        doing = f"cannot run {spec['argv'][0]!r}"
        os.execvpe(spec["argv"][0], spec["argv"], {**spec["env"], MARKER: nonce})
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        os.write(2, f"{doing}: {reason}\n".encode(errors="replace"))
    finally:
        os._exit(EXEC_FAILED)


def confine(child: int, spec: dict[str, Any]) -> None:
    """Put the child, still at the gate, under its limits and into its control groups.

    Raises: OSError, when one of them cannot be had: then nothing must be started.
    """
    with contextlib.suppress(OSError), open(f"/proc/{child}/oom_score_adj", "r+", encoding="ascii") as file:
        score = max(int(file.read()), OOM_SCORE)  # a host that forbids it changes nothing else
        file.seek(0)
        file.write(str(score))
    for folder in spec.get("cgroups", ()):
        with open(f"{folder}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(child))
    for name, value in spec.get("limits", {}).items():
        number = getattr(resource, f"RLIMIT_{name}")
        hard = resource.prlimit(child, number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)  # a tighter one of the host's stays
        resource.prlimit(child, number, (value, value))


def kernel_refusals(groups: list[str]) -> dict[str, int]:
    """How often the kernel has, so far, killed for want of memory or refused to fork in these groups."""
    found = {"oom_kills": 0, "refused_forks": 0}
    for folder in groups:
        for file_name, key, name in COUNTERS:
            with contextlib.suppress(OSError), open(f"{folder}/{file_name}", encoding="ascii") as file:
                found[name] += sum(int(line.split()[1]) for line in file if line.startswith(f"{key} "))
    return found


def leave_keyring() -> None:
    """Take a new, empty session keyring: keys of whoever started the worker are not the command's."""
    number = KEYCTL.get(os.uname().machine)
    if number is not None:  # a kernel without keyrings refuses, and keeps nothing there
        ctypes.CDLL(None).syscall(number, KEYCTL_JOIN_SESSION_KEYRING, None)


def supervise(handshake: int, umask: int, secrets: dict[str, str]) -> None:
    """Take the run, start the command, follow it, record its end.

    Raises: OSError, before anything is started, when the run directory cannot be written.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    lock = take_lock()
    if lock is None:
        return
    with open(SPEC, encoding="utf-8") as file:
        spec: dict[str, Any] = json.load(file)
    spec["env"] = {**spec["env"], **secrets}
    reserved = reserve_exit()
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    output = Output(spec["head_bytes"], spec["tail_bytes"])
    supervision = Supervision(spec, output, wake)
    listen(supervision, wake_write)
    groups: list[str] = spec.get("cgroups", [])
    refusals = kernel_refusals(groups)
    started_seconds = now_seconds()
    child, pipe, gate = fork_command(spec, (lock, handshake), umask, prctl, started_seconds)
    if secrets:
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # from here on nobody but root reads them out of this process's memory
        spec["env"] = {}
        secrets.clear()
    # Only after the start is on record: a client that asks for an end and sees no start is then sure to be heard here.
    supervision.killed_reason = kill_request()
    if supervision.killed_reason is None:
        os.write(gate, b"g")
    os.close(gate)
    os.close(handshake)
    if supervision.killed_reason is None:
        supervision.follow(child, pipe, started_seconds)
    output.close()
    code = supervision.exit_code
    record_exit(
        reserved,
        {
            "exit_code": code if code is not None and code >= 0 else None,
            "signal": -code if code is not None and code < 0 else None,
            "timed_out": supervision.timed_out,
            "killed_reason": supervision.killed_reason,
            "duration_seconds": round(now_seconds() - started_seconds, 6),
            "total_bytes": output.total_bytes,
            "io_errno": output.io_errno or None,
            "survivors": supervision.survivors,
            **{name: max(0, count - refusals[name]) for name, count in kernel_refusals(groups).items()},
        },
    )


def listen(supervision: Supervision, wake_write: int) -> None:
    """Turn signals into bytes in the wake pipe, and note the ones that ask for an end."""

    def note(number: int, _frame: object) -> None:
        if number != signal.SIGCHLD:
            supervision.signalled = number

    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (*REQUEST_SIGNALS, signal.SIGCHLD):
        signal.signal(number, note)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def fork_command(
    spec: dict[str, Any], private: tuple[int, ...], umask: int, prctl: Any, started_seconds: float
) -> tuple[int, int, int]:
    """Fork the child up to the gate and put its start on record; gives its pid, its output and the gate."""
    nonce = os.urandom(16).hex()
    gate_read, gate = os.pipe()
    pipe, pipe_write = os.pipe()
    supervisor = os.getpid()
    child = os.fork()
    if child == 0:
        for descriptor in (*private, gate):  # first of all: a copy of the lock would pass for a living supervisor
            os.close(descriptor)
        become_command(spec, nonce, gate_read, pipe_write, umask, prctl)
    os.close(gate_read)
    os.close(pipe_write)
    confine(child, spec)
    record_started(
        {
            "pid": child,
            "starttime": (process_stat(child) or (0, 0))[1],
            "supervisor_pid": supervisor,
            "supervisor_starttime": (process_stat(supervisor) or (0, 0))[1],
            "boot_id": boot_id(),
            "boot_seconds": started_seconds,
            "nonce": nonce,
        }
    )
    return child, pipe, gate


def main(run_directory: str) -> NoReturn:
    """Leave the starter's session, then supervise; complaints before the start go to the starter's pipe."""
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    umask = os.umask(0o077)
    handshake = os.dup(1)
    secrets = read_secrets()
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    try:
        os.chdir(run_directory)
        supervise(handshake, umask, secrets)
    except OSError as error:
        if not os.path.exists(STARTED):
            name = errno.errorcode.get(error.errno or 0, "EIO")
            os.write(handshake, f"{name} {error}".encode(errors="replace"))
        raise
    os._exit(0)  # nothing is buffered; taking the interpreter down would only delay the release of the lock
