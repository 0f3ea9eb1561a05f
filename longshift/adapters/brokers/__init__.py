"""Message brokers as sources of tasks, behind one port.

Submitting, deduplicating and deciding what is retried are not here: that is intake's. A vendor's client is only loaded
where a URL asks for it.
"""

from importlib import import_module
from urllib.parse import urlsplit

from longshift.adapters.brokers.address import FIELD
from longshift.adapters.brokers.port import DEFAULT_MEDIA_TYPE, DeadLetter, Depth, Lease, TaskSource
from longshift.contracts.errors import BadInput

MODULES = {
    "redis": "valkey",
    "rediss": "valkey",
    "valkey": "valkey",
    "valkeys": "valkey",
    "nats": "nats_jetstream",
    "tls": "nats_jetstream",
    "amqp": "rabbitmq",
    "amqps": "rabbitmq",
    "sqs": "sqs",
    "https": "sqs",
}
"""Scheme of a URL → module of this package, which has `open_queue`."""

__all__ = ["DEFAULT_MEDIA_TYPE", "MODULES", "DeadLetter", "Depth", "Lease", "TaskSource", "open_source"]


def open_source(url: str) -> TaskSource:
    """The queue at `url`, to be used as an asynchronous context manager. It connects when it is first asked.

    See docs/queues.md for the URLs.

    Raises:
        BadInput: no broker has this scheme, or the URL lacks something or has too much.
    """
    scheme = urlsplit(url).scheme
    name = MODULES.get(scheme)
    if name is None:
        raise BadInput(f"{FIELD}: no broker for the scheme {scheme!r}; use one of {', '.join(sorted(MODULES))}")
    module = import_module(f"{__name__}.{name}")
    source = module.open_queue(url)
    assert isinstance(source, TaskSource)
    return source
