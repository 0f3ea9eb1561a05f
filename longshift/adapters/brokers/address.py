"""The address of a queue: a URL of the broker with the parameters that are ours. No broker is known here.

scheme://user:password@host:port/path?queue=NAME&lease_seconds=60&ca_file=/path.pem
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from longshift.contracts.errors import BadInput

FIELD = "intake_queues"
"""The setting that holds the URLs; every message about one names it."""
DEFAULT_QUEUE = "longshift"
DEFAULT_LEASE_SECONDS = 60.0
COMMON_PARAMETERS = frozenset({"queue", "lease_seconds", "ca_file"})

FILE_PARAMETERS = frozenset({"ca_file", "credentials_file"})


@dataclass(frozen=True, kw_only=True)
class Address:
    """A URL taken apart; only `url` and `parameters` may hold credentials, and neither is shown."""

    scheme: str
    host: str
    """Host and port as given, without credentials."""
    path: str
    """Decoded, without slashes at its ends."""
    queue: str
    lease_seconds: float
    """After this long an unsettled message goes to another consumer."""
    ca_file: str
    """PEM with the authorities that the broker's certificate is checked against; empty: the system's."""
    url: str = field(repr=False)
    """The broker's own URL: without our parameters."""
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    parameters: Mapping[str, str] = field(repr=False)
    """The parameters that only this broker knows."""

    @property
    def name(self) -> str:
        """The queue for people and logs."""
        place = "/".join(part for part in (self.host, self.path, self.queue) if part)
        return f"{self.scheme}://{place}"

    def wrong(self, reason: str, remedy: str) -> BadInput:
        """What to raise when a person has to mend this address, or what it points to."""
        return BadInput(f"{FIELD}: {self.name}: {reason}; {remedy}")


def parse_address(url: str, *, parameters: frozenset[str] = frozenset()) -> Address:
    """Take a URL apart; `parameters` are the names that its broker knows beside the common ones.

    Raises:
        BadInput: it cannot be read, or has an unknown parameter.
    """
    try:
        parts = urlsplit(url)
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        port = parts.port
    except ValueError as error:
        raise BadInput(
            f"{FIELD}: a URL cannot be read; escape user and password with %XX, and check the port"
        ) from error
    known = COMMON_PARAMETERS | parameters
    unknown = sorted(given.keys() - known)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
    address = Address(
        scheme=parts.scheme,
        host=f"{host}:{port}" if port else host,
        path=unquote(parts.path).strip("/"),
        queue=given.get("queue") or DEFAULT_QUEUE,
        lease_seconds=_seconds(given.get("lease_seconds", "")),
        ca_file=given.get("ca_file", ""),
        url=parts._replace(query="", fragment="").geturl(),
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        parameters={name: value for name, value in given.items() if name not in COMMON_PARAMETERS},
    )
    if unknown:
        raise address.wrong(f"unknown parameter {', '.join(unknown)}", f"known are {', '.join(sorted(known))}")
    for name in sorted(FILE_PARAMETERS & given.keys()):
        if not Path(given[name]).is_file():
            raise address.wrong(f"{name} names no file", "give the absolute path of a file on this host")
    return address


def _seconds(text: str) -> float:
    if not text:
        return DEFAULT_LEASE_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 3_600:
        raise BadInput(f"{FIELD}: lease_seconds is {text!r}; give a number from 1 to 3600")
    return seconds
