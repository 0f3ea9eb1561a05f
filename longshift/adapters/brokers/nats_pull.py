"""Pulling a batch from a JetStream consumer: what is there at once, or else the first that comes.

The client's own `fetch` waits for a full batch, and keeps what comes too late for its next call, by when the server may
have given it to another.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from longshift.adapters.brokers.nats_place import ANSWER_SECONDS, DURABLE, Place

HEARTBEAT = "100"
NOTHING = frozenset({"404", "408"})
"""Statuses that end a pull: there is nothing, or not in time."""
CONFLICT = "409"
"""The consumer is gone, or so much is leased or put off that it gives no more."""


async def pull(place: Place, count: int, wait_seconds: float) -> list[Msg]:
    """Up to `count` messages; empty when none came within `wait_seconds`.

    Raises:
        NatsError: the connection is lost, or there is no such consumer any more.
    """
    # An inbox of its own: what comes after the end of this call reaches nobody, and is delivered again.
    inbox = place.client.new_inbox()
    subscription = await place.client.subscribe(inbox)  # pyright: ignore[reportUnknownMemberType]  # a future of anything
    asking = _Asking(place, inbox, subscription)
    messages = await asking.ask({"batch": count, "no_wait": True}, count, 0.0)
    if not messages and wait_seconds > 0:
        messages = await asking.ask({"batch": 1, "expires": round(wait_seconds * 1e9)}, 1, wait_seconds)
    await subscription.unsubscribe()
    return messages


@dataclass(frozen=True)
class _Asking:
    place: Place
    inbox: str
    subscription: Subscription

    async def ask(self, request: Mapping[str, object], count: int, wait_seconds: float) -> list[Msg]:
        """Messages until there are `count`, or the server says that there are no more."""
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.place.stream}.{DURABLE}"
        await self.place.client.publish(subject, orjson.dumps(request), reply=self.inbox)
        messages: list[Msg] = []
        while len(messages) < count:
            message = await self.subscription.next_msg(timeout=wait_seconds + ANSWER_SECONDS)
            headers = {} if message.data or message.headers is None else message.headers
            status = headers.get("Status", "")
            if not status:
                messages.append(message)
            elif status in NOTHING:
                break
            elif status == CONFLICT and "Deleted" not in headers.get("Description", ""):
                # Asking again at once would not help.
                await asyncio.sleep(wait_seconds)
                break
            elif status != HEARTBEAT:
                raise NatsError(f"the consumer {DURABLE} cannot be served (status {status})")
        return messages
