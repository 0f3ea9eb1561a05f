"""Which addresses a sandboxed command may reach, once a host's name is resolved.

A name that is allowed may resolve to anything: to this machine, to the network it stands in, to a cloud's metadata.
Whether an address is the host's own is asked of the kernel, elsewhere. Nothing but the stdlib is imported.
"""

import ipaddress
from collections.abc import Iterable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is routed on the internet (IANA IPv6 Global Unicast Address Assignments)."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: the last four bytes are an IPv4 address."""
_REFUSED: tuple[tuple[str, str], ...] = (
    # What the classification below would let through, or would call by a vaguer name.
    ("0.0.0.0/8", "means this host"),
    ("100.64.0.0/10", "is shared by a provider's customers"),
    ("168.63.129.16/32", "is a cloud's own service"),
    ("192.0.0.0/24", "is set aside for protocols"),
    ("192.88.99.0/24", "leads through a 6to4 relay"),
    ("198.18.0.0/15", "is for benchmarks"),
    ("240.0.0.0/4", "is reserved"),
    ("2001::/23", "is set aside for protocols, such as Teredo"),
    ("2001:db8::/32", "is for documentation"),
    ("2002::/16", "is 6to4, which hides an IPv4 address"),
    ("3fff::/20", "is for documentation"),
)
REFUSED: tuple[tuple[Network, str], ...] = tuple((ipaddress.ip_network(text), why) for text, why in _REFUSED)


def parsed_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks such as `10.1.0.0/16`; a single address is a network of one.

    Raises:
        ValueError: one is none, or has bits set beyond its mask.
    """
    return tuple(ipaddress.ip_network(text.strip()) for text in texts)


def meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it is only another way to write it, or a gateway's way."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(address.packed[-4:])
    return address


def refusal(address: Address, allowed: Sequence[Network], *, is_own: bool = False) -> str:
    """Why an address may not be connected to, such as `is private`; empty when it may.

    `allowed` are networks that a profile spells out, `is_own` says that an interface of this machine has the address.
    An IPv4 address that is written as an IPv6 one is judged as what it is.
    """
    judged = meant(address)
    written = judged if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None else address
    if any(written in network for network in allowed if network.version == written.version):
        return ""
    return "is an address of the runner's own machine" if is_own else _kind(judged)


def _kind(address: Address) -> str:
    kinds = (
        ("is unspecified", address.is_unspecified),
        ("is the machine itself (loopback)", address.is_loopback),
        ("is link-local, where clouds keep their metadata", address.is_link_local),
        ("is multicast", address.is_multicast),
    )
    found = next((kind for kind, applies in kinds if applies), "")
    found = found or next((why for network, why in REFUSED if address in network), "")
    if found:
        return found
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return "is not a public address"
    return "" if address.is_global else "is private"
