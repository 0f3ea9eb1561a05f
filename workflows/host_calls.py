"""Activities on the host that holds the slot, whatever becomes of the host meanwhile.

Who calls says which workspace is held now, if any. A call waits for a slot, goes to its host, and is left behind when
the workspace has moved to another host: then `HostLost` says so, and the caller decides whether to make it again.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from longshift.contracts.errors import StaleGeneration
from longshift.contracts.workspace import Workspace

Result = TypeVar("Result")
Held = Callable[[], Workspace | None]


class HostLost(Exception):
    """The workspace is on another host now; what the call did on the old one is unknown, and its files are gone."""


async def on_host(
    held: Held, start: Callable[[Workspace], workflow.ActivityHandle[Result]], *, since: Workspace | None = None
) -> Result:
    """Make a call under the slot in force, and again under the next one where that is on the same host.

    `since` is where an attempt was made before this one.

    Raises:
        HostLost: the workspace moved while the call was on its way.
        ActivityError: the call failed.
    """
    workspace = await _granted(held, after=0)
    if since is not None and _are_apart(since, workspace):
        raise HostLost
    while True:
        handle = start(workspace)
        await _until(handle, lambda: _has_moved(held, workspace))  # noqa: B023  # awaited within the round
        if _has_moved(held, workspace):
            raise HostLost
        try:
            return await handle
        except ActivityError as error:
            if not _is_stale(error) and not _is_newer(held, workspace):
                raise
        newer = await _granted(held, after=workspace.generation)
        if _are_apart(workspace, newer):
            raise HostLost
        workspace = newer


async def settled(handle: asyncio.Task[Any]) -> BaseException | None:
    """Wait for the end of a call without failing with it; what it failed with."""
    await workflow.wait([handle])
    return None if handle.cancelled() else handle.exception()


async def _until(handle: workflow.ActivityHandle[Any], gone: Callable[[], bool]) -> None:
    """Wait for the call; end it when its host is gone, or when this is cancelled."""
    try:
        await workflow.wait_condition(lambda: handle.done() or gone())
    except asyncio.CancelledError:
        handle.cancel()
        await settled(handle)
        raise
    if not handle.done():
        handle.cancel()
        await settled(handle)


async def _granted(held: Held, *, after: int) -> Workspace:
    """The workspace of a slot with a higher generation."""
    while (workspace := held()) is None or workspace.generation <= after:
        await workflow.wait_condition(lambda: (now := held()) is not None and now.generation > after)
    return workspace


def _has_moved(held: Held, workspace: Workspace) -> bool:
    now = held()
    return now is not None and _are_apart(workspace, now)


def _are_apart(one: Workspace, other: Workspace) -> bool:
    return (one.host_id, one.life) != (other.host_id, other.life)


def _is_newer(held: Held, workspace: Workspace) -> bool:
    now = held()
    return now is not None and now.generation > workspace.generation


def _is_stale(error: ActivityError) -> bool:
    return isinstance(error.cause, ApplicationError) and error.cause.type == StaleGeneration.kind
