"""Names that are compared, addresses that are refused, profiles that are chosen and told of."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.errors import BadInput
from longshift.contracts.network import NetworkAccess, NetworkProfile
from longshift.contracts.task import TaskSpec
from longshift.contracts.workspace import Workspace
from longshift.policy import network
from longshift.policy.addresses import parsed_networks, refusal
from longshift.policy.hosts import NotAHost, comparable, is_allowed, parsed_rule, split_port
from longshift.policy.prompt import opening_messages

PROFILES = {
    "open": NetworkProfile(hosts=("*",)),
    "theirs": NetworkProfile(hosts=("a.example",), tenants=("them",)),
}


def task(**fields: object) -> TaskSpec:
    return TaskSpec.model_validate({"id": "t-1", "title": "t", "instructions": "i", **fields})


@pytest.mark.parametrize(
    ("entry", "host", "port", "allowed"),
    [
        ("a.example", "a.example", 443, True),
        ("a.example", "a.example", 80, True),
        ("a.example", "a.example", 8443, False),
        ("a.example", "b.a.example", 443, False),
        ("a.example:8443", "a.example", 8443, True),
        ("a.example:8443", "a.example", 443, False),
        ("*.a.example", "b.a.example", 443, True),
        ("*.a.example", "c.b.a.example", 443, True),
        ("*.a.example", "a.example", 443, False),
        ("*.a.example", "evila.example", 443, False),
        ("*.a.example:22", "b.a.example", 22, True),
        ("*", "any.example", 443, True),
        ("*", "any.example", 22, False),
        ("*", "192.0.2.1", 443, False),
        ("*", "[2001:db8::1]", 443, False),
        ("*:22", "any.example", 22, True),
        ("A.Example.", "a.example", 443, True),
        ("münchen.example", "xn--mnchen-3ya.example", 443, True),
        ("192.0.2.1:5000", "192.0.2.1", 5000, True),
        ("[2001:DB8:0::1]", "[2001:db8::1]", 443, True),
    ],
)
def test_an_entry_covers_what_it_names_and_nothing_more(entry: str, host: str, port: int, allowed: bool) -> None:
    assert allowed == is_allowed([parsed_rule(entry)], host, port)


@pytest.mark.parametrize(
    "entry",
    [
        *("", "a b", "http://a.example", "a.example/", "a@b.example", "a..example", ".a.example", "a.example:0"),
        *("a.example:65536", "a.example:x", "*a.example", "a.*.example", "*.", "*.*.example", "-a.example"),
        *("127.1", "0x7f.1", "2130706433", "1.2.3.4.5", "*.127.0.0.1", "[::1", "::1", "[fe80::1%eth0]", "a" * 300),
        *("straße.example", "a.exam\nple", "a.example:443:443", "%61.example"),
    ],
)
def test_an_entry_that_names_no_host_is_bad(entry: str) -> None:
    with pytest.raises(NotAHost):
        parsed_rule(entry)


@given(st.text(max_size=40) | st.ip_addresses().map(str))
def test_a_comparable_host_stays_as_it_is(text: str) -> None:
    try:
        host = comparable(text)
    except NotAHost:
        return
    assert host == comparable(host)
    assert host.isascii()
    assert (host, 80) == split_port(f"{host}:80")


@given(st.ip_addresses(v=4))
def test_an_address_in_any_ipv6_form_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    behind_nat = ipaddress.IPv6Address(f"64:ff9b::{address}")
    assert refusal(address, ()) == refusal(mapped, ()) == refusal(behind_nat, ())
    assert "" != refusal(ipaddress.IPv6Address(int(ipaddress.IPv6Address("2002::")) | int(address) << 80), ())


@given(st.ip_addresses())
def test_what_is_not_global_is_refused_unless_it_is_spelled_out(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if not address.is_global and not (address.version == 6 and address.ipv4_mapped):
        assert "" != refusal(address, ())
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert "" == refusal(address, parsed_networks([str(mapped or address)]))
    assert "" != refusal(address, (), is_own=True)


def test_a_network_that_is_spelled_out_opens_nothing_hidden_behind_a_gateway() -> None:
    networks = parsed_networks(["10.0.0.0/8"])
    assert "" == refusal(ipaddress.ip_address("::ffff:10.1.2.3"), networks)
    assert "" != refusal(ipaddress.ip_address("64:ff9b::10.1.2.3"), networks)
    assert "" != refusal(ipaddress.ip_address("2002:a01:203::"), networks)
    assert "" != refusal(ipaddress.ip_address("11.0.0.1"), (), is_own=True)


def test_a_task_says_its_network_or_gets_the_runners() -> None:
    assert ("default_network", "open") == network.agent_profile(task(), "open")
    assert ("network", "none") == network.agent_profile(task(network="none"), "open")
    assert ("setup_network", "theirs") == network.setup_profile(task(setup_network="theirs"), "open")
    assert NetworkAccess(profile="none") == network.access("network", "none", PROFILES)


@pytest.mark.parametrize(
    ("name", "tenant", "complaint"),
    [
        ("else", "us", "network: no network profile is named 'else'; choose one of none, open"),
        ("theirs", "us", "network: tenant 'us' may not use 'theirs'; choose one of none, open"),
        ("else", "them", "network: no network profile is named 'else'; choose one of none, open, theirs"),
    ],
)
def test_a_profile_that_is_not_there_or_not_for_the_tenant_is_refused(name: str, tenant: str, complaint: str) -> None:
    with pytest.raises(BadInput) as refused:
        network.access("network", name, PROFILES, tenant)
    assert complaint == str(refused.value)
    assert "theirs" == network.access("network", "theirs", PROFILES, "them").profile


def test_what_is_told_is_bounded() -> None:
    many = {"many": NetworkProfile(hosts=tuple(f"h{number}.example" for number in range(100)))}
    found = network.access("network", "many", many)
    assert (40, 60) == (len(found.hosts), found.more_hosts)
    assert network.described(found, "bubblewrap").endswith("h39.example, 60 more")


def opening(access: NetworkAccess | None, sandbox: str) -> str:
    workspace = Workspace(workspace_id="t-1", host_id="h", host_queue="q", root="/w", sandbox=sandbox, network=access)
    return "".join(str(block["text"]) for block in opening_messages(task(), workspace, "")[0]["content"])


def test_the_agent_is_told_what_it_reaches() -> None:
    assert "- network: none; no host can be reached" in opening(NetworkAccess(profile="none"), "bubblewrap")
    assert "proxy name: a.example" in opening(NetworkAccess(profile="p", hosts=("a.example",)), "bubblewrap")
    assert "network" not in opening(NetworkAccess(profile="none"), "none")
    assert "network" not in opening(None, "bubblewrap")


def test_a_log_is_summed_up() -> None:
    lines = [
        {"verdict": "allowed", "host": "a.example", "port": 443},
        {"verdict": "ended", "host": "a.example", "port": 443, "sent": 3, "received": 40},
        {"verdict": "refused", "host": "b.example", "port": 443},
        {"verdict": "refused", "host": "b.example", "port": 443},
        {"verdict": "refused"},
    ]
    use = network.use_of(lines)
    assert (4, 3, 3, 40) == (use.requests, use.refused, use.sent_bytes, use.received_bytes)
    assert (("a.example:443",), ("b.example:443",)) == (use.reached_hosts, use.refused_hosts)
