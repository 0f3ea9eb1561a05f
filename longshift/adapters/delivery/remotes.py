"""Where results may be pushed to, and with which token: what the operator has named, and nothing else."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from longshift.contracts.errors import BadInput, DeliveryRefused

_SCP = re.compile(r"[\w.-]+@[\w.-]+:[^/:].*|[\w.-]+:[^/:\\].*")
_SCHEMES = frozenset({"http", "https", "ssh", "file"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Remote:
    """A repository that may be pushed to."""

    address: str
    token: str = ""
    """Empty: the operator's own git set-up is used, such as ssh keys."""

    @property
    def is_http(self) -> bool:
        """Whether it is reached over HTTP."""
        return self.address.startswith(("http://", "https://"))

    @property
    def server(self) -> str:
        """Scheme and host of a URL, with a slash: what a token is for."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}/"


def checked_address(address: str, field: str) -> str:
    """An address that means one place, however it is read.

    Raises:
        BadInput: it does not.
    """
    text = address.strip()
    doubtful = text.startswith("-") or re.search(r"[\s\\\x00-\x1f?#%]|(?:^|/)\.\.(?:/|$)|[^:]//", text)
    if doubtful or not text:
        raise BadInput(f"{field}: {address!r} is not plain; use an address without .., //, %, ? or #")
    if "://" in text:
        parts = urlsplit(text)
        if parts.scheme.lower() not in _SCHEMES:
            raise BadInput(f"{field}: {parts.scheme}: is pushed to by nobody; use https, ssh, file, or a path")
        if parts.password or (parts.username and parts.scheme.lower() != "ssh"):
            raise BadInput(f"{field}: the address holds credentials; give the token in delivery_tokens instead")
        host = parts.netloc.lower()
        return f"{parts.scheme.lower()}://{host}{parts.path}"
    if not text.startswith("/") and _SCP.fullmatch(text) is None and not re.fullmatch(r"[\w.-]+@[\w.-]+:", text):
        raise BadInput(f"{field}: {address!r} is neither a URL, host:path, nor an absolute path; give one of these")
    return text


def is_below(address: str, prefix: str) -> bool:
    """Whether a prefix names the address, or a place above it."""
    if prefix.endswith((":", "/")):
        return address.startswith(prefix)
    return address in (prefix, f"{prefix}.git") or address.startswith(f"{prefix}/")


class Remotes:
    """The operator's list."""

    def __init__(self, prefixes: Sequence[str], tokens: Mapping[str, Callable[[], str]]) -> None:
        """`tokens`: by prefix, what gives the token when it is needed; these are allowed as well."""
        self._prefixes = tuple(prefixes)
        self._tokens = dict(tokens)

    def find(self, address: str) -> Remote:
        """The repository, with its token; the longest prefix that names it counts. May block.

        Raises:
            DeliveryRefused: nothing may be pushed there.
            BadInput: the token cannot be found where the configuration says.
        """
        try:
            plain = checked_address(address, "workspace.git")
        except BadInput as error:
            raise DeliveryRefused(f"deliver: {error}") from None
        with_token = max((each for each in self._tokens if is_below(plain, each)), key=len, default=None)
        if with_token is None and not any(is_below(plain, each) for each in self._prefixes):
            raise DeliveryRefused(
                f"deliver: nothing may be pushed to {plain}; the operator names it, or a place above it, in "
                "delivery_tokens (with a token) or delivery_remotes (with the own git set-up of the worker)"
            )
        token = self._tokens[with_token]() if with_token is not None else ""
        if token and plain.startswith("http://") and urlsplit(plain).hostname not in _LOOPBACK:
            raise DeliveryRefused(f"deliver: {plain} is not encrypted, so no token is sent there; use https")
        return Remote(plain, token)
