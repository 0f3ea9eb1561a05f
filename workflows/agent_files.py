"""The files of an agent, on whichever host holds them: checkpoints, and what else the host does about a workspace.

What the loop is to do is not decided here. Everything waits for a slot where there is none.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

from longshift.contracts.activities import WorkspaceActivities
from longshift.contracts.agent import AgentInput
from longshift.contracts.workspace import Workspace
from longshift.policy import loop, requests
from workflows import options
from workflows.agent_inbox import AgentInbox
from workflows.host_calls import HostLost, on_host

Place = TypeVar("Place")
Request = TypeVar("Request")
Result = TypeVar("Result")


class AgentFiles(AgentInbox):
    """The state of an agent, and what happens to its files beside its steps."""

    def __init__(self, request: AgentInput) -> None:
        super().__init__(request)
        self._checkpoint: asyncio.Task[None] | None = None

    def _held(self) -> Workspace | None:
        return self._state.workspace if self._state.has_slot else None

    def _start_checkpoint(self) -> None:
        """Record the tree while the model thinks; awaited before anything may change it again."""
        if self._state.checkpoint_due and self._checkpoint is None:
            self._state = self._state.model_copy(update={"checkpoint_due": False})
            self._checkpoint = asyncio.create_task(self._take_checkpoint(self._state.step - 1))

    async def _take_checkpoint(self, step: int) -> None:
        try:
            digest = await self._housekept(
                WorkspaceActivities.checkpoint,
                lambda workspace: requests.checkpoint(self._state, step, workspace),
                f"step {step} · checkpoint",
            )
        except HostLost:
            return  # the files it was about are gone, and the agent has been told
        self._state = loop.after_checkpoint(self._state, digest)

    async def _housekept(
        self,
        activity: Callable[[Place, Request], Awaitable[Result]],
        request: Callable[[Workspace], Request],
        summary: str,
    ) -> Result:
        """Something that the host does about the workspace, rather than in it."""
        return await on_host(
            self._held,
            lambda workspace: workflow.start_activity_method(
                activity, request(workspace), summary=summary, **options.housekeeping(workspace.host_queue)
            ),
        )

    async def _checkpointed(self) -> None:
        task, self._checkpoint = self._checkpoint, None
        if task is None:
            return
        try:
            await task
        except ActivityError:
            self._state = self._state.model_copy(update={"checkpoint_due": True})
            raise

    async def _is_saved(self) -> bool:
        """Whether another host could go on from here; then the slot need not be kept while the agent holds."""
        if not workflow.patched("slots") or not self._state.has_slot:
            return False
        try:
            self._start_checkpoint()
            await self._checkpointed()
        except ActivityError:
            return False
        return not self._state.unsaved_steps
