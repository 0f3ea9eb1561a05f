"""Git on a workspace, run inside the sandbox: calls and results as those of `run_git`, in processes that stay warm.

Where git runs on the host instead is decided in `git_places.py`; what one call does is in `git_call_inside.py`.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.workspace.git import GitCall, GitResult
from longshift.adapters.workspace.git_box import GitBox, Reach
from longshift.adapters.workspace.git_call_inside import CallInside
from longshift.contracts.errors import WorkspaceFailed

IDLE_SECONDS = 300.0
"""A box that has had nothing to do for so long is ended; it holds some 10 MB."""
BOXES_LIMIT = 2
"""Idle boxes of one workspace: one that records, one that restores."""
STARTS = 3


class SandboxedGit:
    """Runs git on one workspace, in one box for each set of folders that calls may touch."""

    def __init__(self, sandbox: Sandbox, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._sandbox = sandbox
        self._idle_seconds = idle_seconds
        self._boxes: dict[Reach, GitBox] = {}
        """The one used last comes last."""
        self._lock = asyncio.Lock()
        self._timers: dict[Reach, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def __call__(self, call: GitCall) -> GitResult:
        """Run git inside; a non-zero exit is a result, not an error.

        Raises:
            WorkspaceFailed: the sandbox does not start or has ended, or git is not in it.
        """
        if not call.writable:
            raise ValueError(f"git {call.arguments[0]} says nothing of what it may touch")
        reach = Reach.of(call.writable, call.readable)
        for _ in range(STARTS):
            async with self._used(reach) as box:
                result = await CallInside(call, box).result()
            if result is not None:
                return result
        raise WorkspaceFailed("the sandbox for git ends as soon as it has started")

    async def close(self) -> None:
        """End all boxes; a call that comes later starts one again."""
        async with self._lock:
            for reach in list(self._boxes):
                self._expire(reach)
        await asyncio.gather(*self._closing)

    @asynccontextmanager
    async def _used(self, reach: Reach) -> AsyncGenerator[GitBox]:
        async with self._lock:
            box = self._boxes.get(reach)
            if box is None or not box.is_usable:
                self._make_room(reach)
                box = await GitBox.started(self._sandbox, reach)
            self._boxes.pop(reach, None)
            self._boxes[reach] = box
            box.calls += 1
            self._cancel_timer(reach)
        try:
            yield box
        finally:
            box.calls -= 1
            if not box.calls and self._boxes.get(reach) is box:
                loop = asyncio.get_running_loop()
                self._timers[reach] = loop.call_later(self._idle_seconds, self._expire, reach)

    def _make_room(self, wanted: Reach) -> None:
        if wanted in self._boxes:
            self._expire(wanted)
        idle = [reach for reach, box in self._boxes.items() if not box.calls]
        for reach in idle[: max(0, len(self._boxes) + 1 - BOXES_LIMIT)]:
            self._expire(reach)

    def _expire(self, reach: Reach) -> None:
        self._cancel_timer(reach)
        closing = asyncio.ensure_future(self._boxes.pop(reach).closed())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _cancel_timer(self, reach: Reach) -> None:
        timer = self._timers.pop(reach, None)
        if timer is not None:
            timer.cancel()
