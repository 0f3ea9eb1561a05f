"""The model client: one streaming call to any endpoint that speaks the Messages API.

Everything that differs between providers is data (`profiles.toml`). The parsers are sans-I/O; `exchange.py` and
`counting.py` are the only files that touch the network. Nothing here decides what the answer means: that is `policy`.
"""

from longshift.adapters.model.answer import ModelAnswer, StreamProgress
from longshift.adapters.model.client import ModelClient
from longshift.adapters.model.limiter import LimiterPool
from longshift.adapters.model.request import ModelRequest
from longshift.adapters.model.retrying import complete_with_patience

__all__ = [
    "LimiterPool",
    "ModelAnswer",
    "ModelClient",
    "ModelRequest",
    "StreamProgress",
    "complete_with_patience",
]
