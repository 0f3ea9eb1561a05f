"""A session's word to its bulletin: one card whenever something changed. Nobody waits for what becomes of it."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError

from longshift.contracts import ids
from longshift.contracts.cards import BulletinInput, SessionCard
from longshift.contracts.people import PeopleChannels
from longshift.policy import cards
from workflows import options, signals
from workflows.bulletin import Bulletin


class Telling:
    """Starts the bulletin with the first card, and signals it the others."""

    def __init__(self, task_id: str, title: str, channels: PeopleChannels) -> None:
        self._task_id = task_id
        self._title = title
        self._channels = channels
        self._newest: SessionCard | None = None
        self._sent: SessionCard | None = None
        self._sending: asyncio.Task[None] | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._channels.faces) and workflow.patched("people")

    def tell(self, card: SessionCard) -> None:
        """Have the card sent, if it says something new."""
        if self._newest is not None and not cards.says_more(self._newest, card):
            return
        self._newest = card
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    async def told(self) -> None:
        """Wait until the engine has the last card."""
        if self._sending is not None:
            await self._sending

    async def _send(self) -> None:
        while self._newest is not None and self._newest != self._sent:
            card, is_first = self._newest, self._sent is None
            try:
                if not is_first or not await self._started(card):
                    await signals.to_bulletin(self._task_id, card)
            except FailureError as error:  # the session does not end because of it
                workflow.logger.warning("people cannot be told: %s", error)
            self._sent = card

    async def _started(self, card: SessionCard) -> bool:
        """Start the bulletin; False if it is there, as that of an earlier run."""
        try:
            await workflow.start_child_workflow(
                Bulletin.run,
                BulletinInput(task_id=self._task_id, channels=self._channels, card=card),
                id=ids.bulletin_workflow_id(self._task_id),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
                task_timeout=timedelta(seconds=options.WORKFLOW_TASK_SECONDS),
                static_summary=f"tells people of {self._title}"[:200],
            )
        except WorkflowAlreadyStartedError:
            return False
        return True
