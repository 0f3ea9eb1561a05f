"""Network profiles: which one a task gets, who may use it, what people are told of it and of its use."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from longshift.contracts.errors import BadInput
from longshift.contracts.network import NetworkAccess, NetworkProfile, NetworkUse
from longshift.contracts.task import NETWORK_PATTERN, TaskSpec
from longshift.policy.addresses import parsed_networks
from longshift.policy.hosts import NotAHost, parsed_rule

NO_NETWORK = "none"
"""The profile that is always there: nothing is reached."""
SHOWN_HOSTS = 40


def refuse_bad_names(profiles: Iterable[str]) -> None:
    """Make sure that a task can name each profile.

    Raises:
        ValueError: one is not a name, or is the built-in one's.
    """
    for name in profiles:
        if name == NO_NETWORK or not re.fullmatch(NETWORK_PATTERN, name):
            what = "is built in" if name == NO_NETWORK else "is not a name of letters, digits, dots, dashes"
            raise ValueError(f"{name!r} {what}; give the profile another name")


def well_formed(name: str, profile: NetworkProfile) -> NetworkProfile:
    """The profile, once everything in it is understood.

    Raises:
        ValueError: an entry is not; names the field.
    """
    for entry in profile.hosts:
        try:
            parsed_rule(entry)
        except NotAHost as error:
            raise ValueError(f"{name}.hosts: {error}") from None
    try:
        parsed_networks(profile.allow_private)
    except ValueError as error:
        raise ValueError(f"{name}.allow_private: {error}; write a network as 10.1.0.0/16") from None
    return profile


def known_profile(field: str, name: str, profiles: Mapping[str, NetworkProfile], tenant: str = "") -> NetworkProfile:
    """The profile of this name, which is not `none`; with a tenant, only one that it may use.

    Raises:
        BadInput: there is none; names those that there are.
    """
    usable = {each: profile for each, profile in profiles.items() if may_use(profile, tenant)}
    if name not in usable:
        why = f"tenant {tenant!r} may not use {name!r}" if name in profiles else f"no network profile is named {name!r}"
        raise BadInput(f"{field}: {why}; choose one of {', '.join([NO_NETWORK, *sorted(usable)])}")
    return usable[name]


def may_use(profile: NetworkProfile, tenant: str) -> bool:
    """Whether tasks of a tenant may use the profile; no tenant means that this is not asked."""
    return not tenant or not profile.tenants or tenant in profile.tenants


def access(
    field: str, name: str, profiles: Mapping[str, NetworkProfile], tenant: str = "", *, shown: int = SHOWN_HOSTS
) -> NetworkAccess:
    """What a task of the tenant may reach under the name of a profile; `field` is who names it.

    Raises:
        BadInput: the profile is unknown, or not for this tenant.
    """
    if name == NO_NETWORK:
        return NetworkAccess(profile=name)
    hosts = known_profile(field, name, profiles, tenant).hosts
    return NetworkAccess(profile=name, hosts=hosts[:shown], more_hosts=max(0, len(hosts) - shown))


def agent_profile(task: TaskSpec, default: str) -> tuple[str, str]:
    """The field that names the profile of the agent phase, and the name."""
    return ("network", task.network) if task.network is not None else ("default_network", default)


def setup_profile(task: TaskSpec, default: str) -> tuple[str, str]:
    """The field that names the profile of the setup phase, and the name."""
    if task.setup_network is not None:
        return "setup_network", task.setup_network
    return "default_setup_network", default


def described(access: NetworkAccess, sandbox: str) -> str:
    """What can be reached, in a line for people. Without a sandbox nothing stops a command from reaching more."""
    hosts = ", ".join([*access.hosts, *([f"{access.more_hosts} more"] if access.more_hosts else [])])
    text = access.profile if access.profile == NO_NETWORK else f"{access.profile}: {hosts}"
    return f"{text} (not enforced: no sandbox)" if sandbox == "none" else text


def for_prompt(access: NetworkAccess, sandbox: str) -> str:
    """What an agent is told of its network; empty where it has no profile and no sandbox keeps it from reaching it."""
    if access.profile == NO_NETWORK:
        return "" if sandbox == "none" else "network: none; no host can be reached from a command"
    hosts = ", ".join(access.hosts) + (f" and {access.more_hosts} more" if access.more_hosts else "")
    return (
        f"network: only these hosts, by HTTP and HTTPS through the proxy that http_proxy and https_proxy name: {hosts}"
    )


def use_of(records: Iterable[Mapping[str, Any]]) -> NetworkUse:
    """The sums of a proxy's log; `records` are its lines, see `adapters.network.request_log`."""
    counts: Counter[str] = Counter()
    reached: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for record in records:
        verdict = str(record.get("verdict", ""))
        counts[verdict] += 1
        if verdict == "ended":
            counts["sent"] += int(record.get("sent", 0))
            counts["received"] += int(record.get("received", 0))
        elif "host" in record:
            of = reached if verdict == "allowed" else refused
            of[f"{record['host']}:{record.get('port', '')}"] += 1
    return NetworkUse(
        requests=counts["allowed"] + counts["refused"],
        refused=counts["refused"],
        sent_bytes=counts["sent"],
        received_bytes=counts["received"],
        reached_hosts=tuple(host for host, _ in reached.most_common(SHOWN_HOSTS)),
        refused_hosts=tuple(host for host, _ in refused.most_common(SHOWN_HOSTS)),
    )
