"""Which hosts a network profile lets through: names are made comparable here, and compared.

The proxy, which runs without the installed packages, decides by these functions: nothing but the stdlib is imported.
Which addresses a name may resolve to is `policy.addresses`.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

ANY_HOST = "*"
USUAL_PORTS = (80, 443)
"""What an entry without a port means."""
NAME_LIMIT_CHARACTERS = 253
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class NotAHost(ValueError):
    """The text names no host that could be compared; says why, and what to write instead."""


@dataclass(frozen=True)
class HostRule:
    """One entry of an allow-list."""

    host: str
    """A name or address as `comparable` gives it; with `is_suffix` what a name ends with, empty for every name."""
    port: int | None = None
    """None: the usual ports."""
    is_suffix: bool = False

    def allows(self, host: str, port: int) -> bool:
        """Whether a comparable host and a port are covered. A suffix covers neither itself nor an address."""
        if port not in USUAL_PORTS if self.port is None else port != self.port:
            return False
        if not self.is_suffix:
            return host == self.host
        return not is_address(host) and (not self.host or host.endswith(f".{self.host}"))


def parsed_rule(entry: str) -> HostRule:
    """An entry such as `example.org`, `*.example.org`, `git.example.org:2222`, `[2001:db8::1]:443` or `*`.

    Raises:
        NotAHost: it is none of these.
    """
    host, port = split_port(entry.strip())
    if host == ANY_HOST:
        return HostRule("", port, is_suffix=True)
    is_suffix = host.startswith("*.")
    name = comparable(host.removeprefix("*."), from_person=True)
    if is_suffix and is_address(name):
        raise NotAHost(f"{entry!r}: an address has no names below it; leave the star out")
    return HostRule(name, port, is_suffix)


def is_allowed(rules: Sequence[HostRule], host: str, port: int) -> bool:
    """Whether one of the rules lets a comparable host and a port through."""
    return any(rule.allows(host, port) for rule in rules)


def split_port(authority: str) -> tuple[str, int | None]:
    """Host and port of `host`, `host:port`, `[address]` or `[address]:port`; the host as it was written.

    Raises:
        NotAHost: the port is no number from 1 to 65535, or the brackets are wrong.
    """
    found = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", authority)
    if found is None or not found[1] or (found[2] is not None and not 1 <= int(found[2]) <= 65_535):
        raise NotAHost(f"{authority!r} is not host or host:port; an IPv6 address stands in brackets")
    return found[1], None if found[2] is None else int(found[2])


def comparable(host: str, *, from_person: bool = False) -> str:
    """A host's name in lower case, without a final dot, in its ASCII form; an address in its shortest form.

    Only a person's own entry may hold other letters than ASCII's: a program that speaks HTTP has translated them.

    Raises:
        NotAHost: it is neither a name nor an address, or a way to hide an address, such as `127.1` or `0x7f000001`.
    """
    if host.startswith("["):
        return _address(host)
    name = host.lower().removesuffix(".")
    if not name.isascii():
        name = _in_ascii(name, from_person)
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _address(name)
    if len(name) > NAME_LIMIT_CHARACTERS or not all(_LABEL.fullmatch(label) for label in labels):
        raise NotAHost(f"{host[:100]!r} is not the name of a host")
    return name


def is_address(host: str) -> bool:
    """Whether a comparable host is an address."""
    return host.startswith("[") or _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def address_text(host: str) -> str:
    """A comparable address without its brackets."""
    return host.strip("[]")


def _address(host: str) -> str:
    try:
        if host.startswith("["):
            address = ipaddress.IPv6Address(host[1:-1])
            if address.scope_id is not None:
                raise ValueError
            return f"[{address.compressed}]"
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise NotAHost(f"{host[:100]!r} is not an address in its usual form, such as 192.0.2.1") from None


def _in_ascii(name: str, from_person: bool) -> str:
    if not from_person:
        raise NotAHost(f"{name[:100]!r} has letters that are not ASCII; ask for the name in its xn-- form")
    try:
        ascii_name = name.encode("idna").decode()
        if ascii_name.encode().decode("idna") == name:
            return ascii_name
    except UnicodeError:
        pass
    # The two standards of such names disagree about some letters: a guess could let another host through.
    raise NotAHost(f"{name[:100]!r} has no one ASCII form; write the name in its xn-- form")
