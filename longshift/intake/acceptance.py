"""From what a sender sent to a session that the engine holds. Every way in goes through here.

A sender may acknowledge, and forget, when `accept` has returned. What it raises says what to do instead: `KeyTaken` and
`BadInput` never succeed (dead letter, 4xx), `EngineError` and `QueueFull` do later (deliver again, 503 or 429).
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from longshift.contracts import ids
from longshift.contracts.errors import BadInput, EngineError
from longshift.contracts.task import ORIGIN_MAX_CHARACTERS, TaskSpec
from longshift.intake.backlog import Backlog
from longshift.settings import Settings
from longshift.submission import Submission, submit
from longshift.taskfile import parse_task

KEY_MAX_CHARACTERS = 500
LARGE_BODY_BYTES = 16_000
"""Reading one takes so long that the event loop must not wait for it."""


@dataclass(frozen=True)
class Delivery:
    """A task as it came in."""

    source: str
    """Which way it came, such as `valkey:tasks` or the name of a token; keys of different sources never meet."""
    body: bytes
    media_type: str = "application/json"
    """Of `taskfile`: JSON, YAML, or Markdown with front matter."""
    key: str = ""
    """The sender's idempotency key: the same key is the same session. Without one, the task's own `id` is, and without
    that its content."""
    is_marked: bool = False
    """Nothing is left to mark in it as the words of somebody outside: it says itself what is, or comes from here."""


class Acceptance:
    """Takes deliveries in, as long as the backlog is below its limit."""

    def __init__(self, client: Client, settings: Settings, backlog: Backlog | None = None) -> None:
        self._client = client
        self._settings = settings
        self.backlog = backlog or Backlog(client, settings.intake_backlog_limit)

    async def accept(
        self,
        delivery: Delivery,
        *,
        local_sources: bool | None = None,
        check_places: bool = False,
        tenant: str | None = None,
        permit: Callable[[TaskSpec], Awaitable[None]] | None = None,
    ) -> Submission:
        """Hand the task to the engine; a repetition finds the session that exists.

        For what comes from this machine itself, `local_sources` overrides the setting, and with `check_places` the
        workspace's source must exist here. `tenant` is whose the task is, whatever it says itself. `permit` sees the
        task before the engine does, and may raise what the sender is to be told.

        Raises:
            KeyTaken: the key or id belongs to another task.
            BadInput: it is no task; the message names the field and the remedy.
            QueueFull: the backlog has reached its limit.
            EngineError: the engine cannot be reached.
        """
        allowed = self._settings.intake_local_sources if local_sources is None else local_sources
        if len(delivery.key) > KEY_MAX_CHARACTERS:
            raise BadInput(f"key: {len(delivery.key)} characters; at most {KEY_MAX_CHARACTERS}")
        task_id = ids.keyed_task_id(delivery.source, delivery.key) if delivery.key else None
        parse = functools.partial(
            parse_task,
            delivery.source,
            delivery.body,
            delivery.media_type,
            task_id=task_id,
            local_sources=allowed,
            check_places=check_places,
            fixed={} if tenant is None else {"tenant": tenant},
        )
        is_quick = len(delivery.body) < LARGE_BODY_BYTES and not check_places
        task = parse() if is_quick else await asyncio.to_thread(parse)
        task = task.model_copy(update={"origin": "" if delivery.is_marked else delivery.source[:ORIGIN_MAX_CHARACTERS]})
        if permit is not None:
            await permit(task)
        await self.backlog.refuse_when_full()
        try:
            return await submit(self._client, self._settings, task)
        except RPCError as error:
            if _is_the_tasks_fault(error):
                raise BadInput(f"the engine refuses the task: {error.message}") from error
            raise EngineError(f"the engine does not take the task now ({error.message}); deliver it again") from error


def _is_the_tasks_fault(error: RPCError) -> bool:
    """Anything else (a namespace, a right or a search attribute that is missing) an operator can mend."""
    return error.status is RPCStatusCode.INVALID_ARGUMENT and "search attribute" not in error.message.lower()
