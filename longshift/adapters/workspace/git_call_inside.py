"""One call of git inside the sandbox: what it is given, how its output is read, how it is given up."""

import asyncio
import json
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress

from pydantic import TypeAdapter

from longshift.adapters.workspace import git_inside
from longshift.adapters.workspace.beneath import open_beneath
from longshift.adapters.workspace.git import STDERR_LIMIT_BYTES, GitCall, GitResult, Pump
from longshift.adapters.workspace.git_box import GitBox
from longshift.contracts.errors import WorkspaceFailed

KILL_PATIENCE_SECONDS = 10.0
"""A box that does not say in this time that a call was killed is killed itself."""
ANSWER_LIMIT_BYTES = 65_536
ANSWER = TypeAdapter(dict[str, object])


class CallInside:
    """One call on its way into a box."""

    def __init__(self, call: GitCall, box: GitBox) -> None:
        self._call = call
        self._box = box
        self._out = Pump(call.output_limit_bytes)
        self._err = Pump(STDERR_LIMIT_BYTES)

    async def result(self) -> GitResult | None:
        """How git ended; None when the box was gone before git could be started.

        Raises:
            WorkspaceFailed: git could not be started, or the box ended with it.
        """
        with ExitStack() as ours, ExitStack() as given:
            own, others = socket.socketpair()
            ours.enter_context(own).setblocking(False)
            stdin = _stdin(self._call, given)
            out, stdout = _pipe(ours, given)
            err, stderr = _pipe(ours, given)
            descriptors = (given.enter_context(others).fileno(), stdin, stdout, stderr, *self._call.keep_open)
            if not self._box.hand_over(descriptors):
                return None
            given.close()
            return await self._followed(own, out, err)

    async def _followed(self, own: socket.socket, out: int, err: int) -> GitResult | None:
        def end() -> None:
            with suppress(OSError):
                own.shutdown(socket.SHUT_WR)

        answering = asyncio.ensure_future(self._answered(own))
        timed_out = False
        try:
            async with asyncio.timeout(self._call.timeout_seconds):
                await asyncio.gather(
                    _read(out, self._out, end), _read(err, self._err, lambda: None), asyncio.shield(answering)
                )
        except TimeoutError:
            timed_out = True
        finally:
            if not answering.done():
                end()
                await self._killed(answering)
        return self._judged(answering.result(), timed_out=timed_out)

    async def _killed(self, answering: asyncio.Future[bytes]) -> None:
        if not (await asyncio.wait({answering}, timeout=KILL_PATIENCE_SECONDS))[0]:
            self._box.kill()
            await asyncio.wait({answering})

    async def _answered(self, own: socket.socket) -> bytes:
        """Send the request; what was answered, empty if the box ended."""
        loop, call = asyncio.get_running_loop(), self._call
        request = {
            "arguments": call.arguments,
            "cwd": os.fspath(call.cwd),
            "environment": dict(call.environment),
        }
        body, answer = json.dumps(request).encode(), b""
        with suppress(ConnectionError):
            await loop.sock_sendall(own, git_inside.LENGTH.pack(len(body)) + body)
        with suppress(ConnectionError):
            while len(answer) < ANSWER_LIMIT_BYTES and (chunk := await loop.sock_recv(own, ANSWER_LIMIT_BYTES)):
                answer += chunk
        return answer

    def _judged(self, body: bytes, *, timed_out: bool) -> GitResult | None:
        answer = _parsed(body.removeprefix(git_inside.STARTED))
        self._box.is_broken = self._box.is_broken or not answer
        if not body and not timed_out:
            return None
        exit_code = answer.get("exit_code", -1 if timed_out else None)
        if not isinstance(exit_code, int):
            what = f"the sandbox ended while git {' '.join(self._call.arguments[:2])} ran in it"
            raise WorkspaceFailed(str(answer.get("error", what)))
        return GitResult(
            arguments=self._call.arguments,
            exit_code=exit_code,
            stdout=self._out.body,
            stderr=self._err.body.decode(errors="replace"),
            timed_out=timed_out,
            is_cut=self._out.is_cut,
        )


def _parsed(body: bytes) -> dict[str, object]:
    try:
        return ANSWER.validate_json(body)
    except ValueError:
        return {}


def _stdin(call: GitCall, given: ExitStack) -> int:
    if call.stdin_file is not None:
        descriptor = open_beneath(call.stdin_file.parent, call.stdin_file.name)
        return given.enter_context(os.fdopen(descriptor, "rb")).fileno()
    if not call.stdin:
        return given.enter_context(open(os.devnull, "rb")).fileno()
    file = given.enter_context(os.fdopen(os.memfd_create("stdin"), "w+b", buffering=0))
    rest = memoryview(call.stdin)
    while rest:
        rest = rest[file.write(rest) :]
    file.seek(0)
    return file.fileno()


def _pipe(ours: ExitStack, given: ExitStack) -> tuple[int, int]:
    """The end that is read here, and the one that is given."""
    reading, writing = os.pipe()
    ours.callback(os.close, reading)
    given.callback(os.close, writing)
    return reading, writing


async def _read(descriptor: int, pump: Pump, on_excess: Callable[[], None]) -> None:
    loop, stream = asyncio.get_running_loop(), asyncio.StreamReader()
    file = os.fdopen(os.dup(descriptor), "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), file)
    try:
        await pump.read(stream, on_excess)
    finally:
        transport.close()
