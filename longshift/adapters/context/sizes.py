"""How large a conversation is, as far as nobody has counted it."""

import orjson

from longshift.adapters.store import View
from longshift.contracts.model import BYTES_PER_TOKEN
from longshift.contracts.transcript import EpochBase
from longshift.policy import context


def overhead_bytes(base: EpochBase) -> int:
    """What system prompt and tool definitions take."""
    return len(base.system.encode()) + len(orjson.dumps(base.tools))


def overhead_tokens(base: EpochBase, bytes_per_token: float = BYTES_PER_TOKEN) -> int:
    """The same in tokens."""
    return context.estimate_tokens(overhead_bytes(base), bytes_per_token)


def view_tokens(view: View, bytes_per_token: float = BYTES_PER_TOKEN) -> int:
    """Everything that a request with this view takes, less its last words."""
    return overhead_tokens(view.base, bytes_per_token) + context.estimate_tokens(view.size_bytes, bytes_per_token)
