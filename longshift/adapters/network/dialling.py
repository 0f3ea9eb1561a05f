"""Connects to a host by an address that was looked at: the name is resolved once, and never again."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

from longshift.adapters.network.relay import End
from longshift.policy.addresses import Address, Network, meant, refusal
from longshift.policy.hosts import address_text, is_address

READ_LIMIT_BYTES = 65_536
ADDRESSES_LIMIT = 4
"""How many of a host's addresses are tried."""
RESOLVE_SECONDS = 10.0

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Gives a name's addresses. Raises: OSError."""


class Refused(Exception):
    """The host has no address that may be connected to."""


async def system_addresses(name: str) -> Sequence[str]:
    """A name's addresses as the system resolves it, in its order."""
    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_own(address: Address) -> bool:
    """Whether an interface of this machine has the address: then packets to it would come from it. None is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return ipaddress.ip_address(probe.getsockname()[0].partition("%")[0]) == address
    except OSError:
        return False  # no way leads there: then nobody is connected to either


async def checked_addresses(host: str, allowed: Sequence[Network], resolve: Resolve) -> list[Address]:
    """The addresses of a comparable host that may be connected to.

    Raises:
        Refused: there is none; says why.
    """
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            texts = [address_text(host)] if is_address(host) else await resolve(host)
    except (OSError, TimeoutError) as error:
        raise Refused(f"its name cannot be resolved ({error or 'time-out'})") from None
    addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in texts]
    reasons = {
        address: refusal(address, allowed, is_own=is_own(address) or is_own(meant(address))) for address in addresses
    }
    good = [address for address, reason in reasons.items() if not reason]
    if not good:
        told = "; ".join(f"{address} {reason}" for address, reason in list(reasons.items())[:ADDRESSES_LIMIT])
        raise Refused(told or "its name has no address")
    return good[:ADDRESSES_LIMIT]


async def connected(addresses: Sequence[Address], port: int, timeout_seconds: float) -> tuple[End, Address]:
    """A connection to the first address that answers.

    Raises:
        OSError: none does.
    """
    complaints: list[str] = []
    for address in addresses:
        try:
            async with asyncio.timeout(timeout_seconds):
                reader, writer = await asyncio.open_connection(str(address), port, limit=READ_LIMIT_BYTES)
        except (OSError, TimeoutError) as error:
            complaints.append(f"{address}: {error or 'time-out'}")
        else:
            return End(reader, writer), address
    raise OSError("; ".join(complaints))
