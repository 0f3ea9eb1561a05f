"""Tells people of one session, on every face that is named. The session does not wait for it, and ends without it.

What is said next is decided in `policy.bulletin`; it is posted by activities, one message each. Of the cards that the
session sends only the newest counts, so an outage costs nothing but the time.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from longshift.contracts import ids
from longshift.contracts.activities import GateActivities, PeopleActivities
from longshift.contracts.cards import BulletinInput, Message, Posted, PostInput, SessionCard
from longshift.contracts.gate import FindEndedInput
from longshift.contracts.people import Face
from longshift.policy import bulletin as policy
from longshift.policy import cards
from workflows import options
from workflows.failures import in_words

RETRY_SECONDS = 300.0
"""After an activity has used up its attempts, or was refused, such as for want of a token."""
LOOK_SECONDS = 4 * 3_600.0
"""How often it is looked whether the session still lives: one that was terminated by hand sends no last card."""


@workflow.defn(name="Bulletin")
class Bulletin:
    """Lives until the session's last card is shown."""

    @workflow.init
    def __init__(self, request: BulletinInput) -> None:
        self._request = request
        self._card = request.card
        self._posted = {Face.SLACK: request.slack, Face.WEBHOOK: request.webhook}
        self._troubles: dict[Face, str] = {}
        self._shown = 0

    @workflow.run
    async def run(self, request: BulletinInput) -> None:
        """Tell people until there is nothing more to tell."""
        await workflow.wait_condition(lambda: self._card is not None)
        faces = request.channels.faces
        looking = asyncio.create_task(self._look())
        try:
            await asyncio.gather(*(self._keep(face) for face in faces))
        finally:
            looking.cancel()
        if any(not self._is_over(face) for face in faces):
            slack, webhook = self._posted[Face.SLACK], self._posted[Face.WEBHOOK]
            workflow.continue_as_new(
                request.model_copy(update={"card": self._card, "slack": slack, "webhook": webhook})
            )

    def _newest(self) -> SessionCard:
        assert self._card is not None  # `run` waits for the first
        return self._card

    def _is_over(self, face: Face) -> bool:
        return policy.is_over(self._newest(), self._posted[face], workflow.time())

    async def _keep(self, face: Face) -> None:
        """Post what is to be said, until all is, or this run has grown."""
        while not self._is_grown() and not self._is_over(face):
            message, seconds = policy.next_message(face, self._newest(), self._posted[face], workflow.time())
            if message is not None:
                await self._post(face, message)
            else:
                seen = self._shown
                await self._wait(lambda: self._shown != seen or self._is_grown(), seconds)  # noqa: B023  # awaited here

    async def _post(self, face: Face, message: Message) -> None:
        card, posted = self._newest(), self._posted[face]
        channels = self._request.channels
        request = PostInput(
            face=face,
            channel=posted.channel or channels.slack_channel,
            thread_ts="" if message.key == "root" else posted.root_ts,
            message=message,
            card=card,
            ui_url=channels.ui_url,
            search_since=posted.failing_since if posted.unsure is not None else 0.0,
        )
        try:
            result = await workflow.execute_activity_method(
                PeopleActivities.post,
                request,
                summary=f"{face.value}: {'edit ' if message.ts else ''}{message.key}"[:200],
                **options.PEOPLE,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self._posted[face] = policy.failed(posted, message, workflow.time())
            self._say(face, in_words(error))
            await self._wait(self._is_grown, RETRY_SECONDS)
        else:
            self._posted[face] = policy.after(posted, message, result, card, workflow.time())
            self._say(face, "")

    async def _wait(self, is_so: Callable[[], bool], seconds: float | None) -> None:
        try:
            await workflow.wait_condition(is_so, timeout=None if seconds is None else timedelta(seconds=seconds))
        except TimeoutError:
            return

    def _say(self, face: Face, trouble: str) -> None:
        """For the Web UI: what keeps people from being told."""
        if trouble == self._troubles.get(face, ""):
            return
        self._troubles[face] = trouble
        if trouble:
            workflow.logger.warning("people are not told by %s: %s", face.value, trouble)
        lines = [f"**{each.value}**: {text}" for each, text in self._troubles.items() if text]
        workflow.set_current_details("\n\n".join(lines)[:4_000] or "All is said.")

    async def _look(self) -> None:
        """Notice the end of a session that could not tell of it."""
        session = ids.session_workflow_id(self._request.task_id)
        while not self._newest().final:
            seen = self._shown
            await workflow.sleep(LOOK_SECONDS, summary="does the session still live?")
            if self._shown == seen and not self._newest().final:
                ended = await workflow.execute_local_activity_method(
                    GateActivities.find_ended, FindEndedInput(sessions=(session,)), **options.LEDGER
                )
                if ended.sessions and self._shown == seen:
                    self._show(cards.ended_unseen(self._newest()))

    def _is_grown(self) -> bool:
        info = workflow.info()
        grown = info.get_current_history_length() >= self._request.history_events
        return grown or info.is_continue_as_new_suggested()

    def _show(self, card: SessionCard) -> None:
        self._card = cards.newest(self._card, card)
        self._shown += 1

    @workflow.signal
    def show(self, card: SessionCard) -> None:
        """The session as it is now."""
        self._show(card)

    @workflow.query
    def posted(self) -> dict[str, Posted]:
        """What stands where, by face."""
        return {face.value: self._posted[face] for face in self._request.channels.faces}
