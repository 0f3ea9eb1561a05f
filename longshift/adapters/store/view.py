"""One epoch's conversation as ready request fragments. Where the steps come from is `transcripts`' business."""

from dataclasses import dataclass, field

import orjson

from longshift.adapters.store.objects import exact
from longshift.contracts.transcript import EpochBase, Message
from longshift.policy import transcript


@dataclass
class View:
    """The serialised messages of an epoch, up to and including step `next_step - 1`."""

    base: EpochBase
    next_step: int
    messages: list[bytes] = field(default_factory=list[bytes])
    last_user: Message | None = None
    """The last user message as a value, in case a further one has to join it."""
    size_bytes: int = 0

    def with_user(self, message: Message | None) -> list[bytes]:
        """The messages of a request that ends with `message`; the view itself stays as it is."""
        if message is None:
            return self.messages
        if self.last_user is None:
            return [*self.messages, orjson.dumps(message)]
        return [*self.messages[:-1], orjson.dumps(transcript.joined(self.last_user, message))]

    def append(self, message: Message) -> None:
        """Add one message; a user message after a user message joins it."""
        if message["role"] == "user" and self.last_user is not None:
            message = transcript.joined(self.last_user, message)
            self.size_bytes -= len(self.messages.pop())
        body = exact(orjson.dumps(message))
        self.messages.append(body)
        self.size_bytes += len(body)
        self.last_user = message if message["role"] == "user" else None
