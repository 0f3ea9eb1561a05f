"""What the proxy lets through, and what it does not: real connections on loopback, names of the test's own."""

import asyncio
import ipaddress
from pathlib import Path

import pytest

from tests.adapters.network.network_rig import LOOPBACK, Names, Recorder, echo, proxy, server


def names() -> Names:
    return Names({"a.example": [("127.0.0.1",)]})


def plain(url: str, *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    lines = [f"{method} {url} HTTP/1.1", "Host: elsewhere.example", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def connect(authority: str) -> bytes:
    return f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()


async def test_an_allowed_host_is_reached_and_logged(tmp_path: Path) -> None:
    recorder = Recorder()
    async with (
        server(recorder) as port,
        proxy(tmp_path, [f"a.example:{port}"], names(), allow_private=LOOPBACK) as running,
    ):
        answer = await running.ask(plain(f"http://A.example.:{port}/x?token=hush", "Proxy-Authorization: hush"))
        log = await running.ended()
    assert b"HTTP/1.1 200 OK" in answer
    assert answer.endswith(b"hello")
    assert ["allowed", "ended"] == [record["verdict"] for record in log]
    assert ("a.example", port, "127.0.0.1") == (log[0]["host"], log[0]["port"], log[0]["address"])
    assert (len(answer), len(recorder.got[0])) == (log[1]["received"], log[1]["sent"])
    assert "hush" not in (tmp_path / "log.jsonl").read_text()


async def test_the_server_sees_the_checked_host_and_no_field_for_the_proxy(tmp_path: Path) -> None:
    recorder = Recorder()
    async with (
        server(recorder) as port,
        proxy(tmp_path, [f"a.example:{port}"], names(), allow_private=LOOPBACK) as running,
    ):
        fields = ("Proxy-Connection: keep-alive", "Connection: keep-alive, X-Hop", "X-Hop: 1", "X-Kept: 1")
        await running.ask(plain(f"http://a.example:{port}?q", *fields, "Upgrade: websocket", "TE: trailers"))
    expected = f"GET /?q HTTP/1.1\r\nHost: a.example:{port}\r\nX-Kept: 1\r\nConnection: close\r\n\r\n"
    assert [expected.encode()] == recorder.got


async def test_the_answer_says_that_the_connection_ends(tmp_path: Path) -> None:
    recorder = Recorder()
    async with (
        server(recorder) as port,
        proxy(tmp_path, [f"a.example:{port}"], names(), allow_private=LOOPBACK) as running,
    ):
        answer = await running.ask(plain(f"http://a.example:{port}/"))
    head = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert [b"HTTP/1.1 200 OK", b"Content-Length: 5", b"X-Kept: 1", b"Connection: close"] == head


@pytest.mark.parametrize(
    ("authority", "why"),
    [
        ("b.example:443", b"does not have it"),
        ("a.example.evil.example:443", b"does not have it"),
        ("evil-a.example:443", b"does not have it"),
        ("below.a.example:443", b"does not have it"),
        ("suffix.example:443", b"does not have it"),
        ("evilsuffix.example:443", b"does not have it"),
        ("a.example:22", b"does not have it"),
        ("a.example:8443", b"does not have it"),
        ("127.0.0.1:443", b"does not have it"),
        ("[::1]:443", b"does not have it"),
        ("127.1:443", b"not an address in its usual form"),
        ("2130706433:443", b"not an address in its usual form"),
        ("0x7f000001:443", b"not an address in its usual form"),
        ("0177.0.0.1:443", b"not an address in its usual form"),
        ("[fe80::1%25eth0]:443", b"not an address in its usual form"),
        ("a.example@b.example:443", b"not"),
        ("a.example:443:443", b"not"),
        ("a.example:0", b"not"),
        ("a.example:99999", b"not"),
        ("a.example", b"needs host:port"),
        ("a..example:443", b"not the name of a host"),
    ],
)
async def test_what_no_rule_names_is_refused_and_never_resolved(tmp_path: Path, authority: str, why: bytes) -> None:
    known = names()
    async with proxy(tmp_path, ["a.example", "*.suffix.example"], known, allow_private=LOOPBACK) as running:
        answer = await running.ask(connect(authority))
    assert answer.startswith((b"HTTP/1.1 403", b"HTTP/1.1 400"))
    assert why in answer
    assert ["refused"] == [record["verdict"] for record in running.log()]
    assert [] == known.asked


ADDRESSES = [
    *("127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200"),
    *("0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.0.192", "198.18.0.1"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "168.63.129.16", "192.88.99.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "3fff::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1"),
    *("2002:7f00:1::1", "2002:a9fe:a9fe::", "64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::10.0.0.1"),
]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_an_allowed_name_with_an_address_that_is_not_public_is_refused(tmp_path: Path, address: str) -> None:
    async with proxy(tmp_path, ["*"], Names({"a.example": [(address,)]})) as running:
        by_name = await running.ask(connect("a.example:443"))
        written = ipaddress.ip_address(address)
        literal = f"[{written}]" if written.version == 6 else address
        by_address = await running.ask(connect(f"{literal}:443"))
    assert by_name.startswith(b"HTTP/1.1 403")
    assert by_address.startswith(b"HTTP/1.1 403")
    assert ["refused", "refused"] == [record["verdict"] for record in running.log()]
    assert address in running.log()[0]["why"] or str(ipaddress.ip_address(address)) in running.log()[0]["why"]


async def test_a_listed_address_is_still_not_connected_to_unless_the_network_is_spelled_out(tmp_path: Path) -> None:
    async with (
        server(Recorder()) as port,
        proxy(tmp_path, [f"127.0.0.1:{port}"], Names()) as closed,
        proxy(tmp_path, [f"127.0.0.1:{port}"], Names(), allow_private=LOOPBACK) as open_,
    ):
        refused = await closed.ask(plain(f"http://127.0.0.1:{port}/"))
        answered = await open_.ask(plain(f"http://127.0.0.1:{port}/"))
    assert refused.startswith(b"HTTP/1.1 403")
    assert answered.startswith(b"HTTP/1.1 200")


async def test_of_several_addresses_only_those_that_pass_are_tried(tmp_path: Path) -> None:
    known = Names({"a.example": [("::1", "10.0.0.1", "127.0.0.1")]})
    async with (
        server(Recorder()) as port,
        proxy(tmp_path, [f"a.example:{port}"], known, allow_private=LOOPBACK) as running,
    ):
        answer = await running.ask(plain(f"http://a.example:{port}/"))
        log = await running.ended()
    assert answer.startswith(b"HTTP/1.1 200")
    assert "127.0.0.1" == log[0]["address"]


async def test_a_name_is_resolved_once_so_that_a_second_answer_changes_nothing(tmp_path: Path) -> None:
    known = Names({"a.example": [("127.0.0.1",), ("169.254.169.254",)]})
    async with (
        server(Recorder()) as port,
        proxy(tmp_path, [f"a.example:{port}"], known, allow_private=LOOPBACK) as running,
    ):
        first = await running.ask(plain(f"http://a.example:{port}/"))
        asked = list(known.asked)
        second = await running.ask(plain(f"http://a.example:{port}/"))
    assert first.startswith(b"HTTP/1.1 200")
    assert ["a.example"] == asked
    assert second.startswith(b"HTTP/1.1 403")


async def test_a_tunnel_passes_bytes_both_ways_and_half_closes(tmp_path: Path) -> None:
    async with (
        server(echo) as port,
        proxy(tmp_path, [f"a.example:{port}"], names(), allow_private=LOOPBACK) as running,
    ):
        sent = b"x" * 3_000_000
        answer = await running.ask(connect(f"a.example:{port}") + sent, ends=True)
        log = await running.ended()
    assert b"HTTP/1.1 200 Connection established\r\n\r\n" + sent == answer
    assert (len(sent), len(sent)) == (log[1]["sent"], log[1]["received"])


async def test_a_server_that_speaks_first_is_heard(tmp_path: Path) -> None:
    async def greeter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.read()

    async with (
        server(greeter) as port,
        proxy(tmp_path, [f"a.example:{port}"], names(), allow_private=LOOPBACK) as running,
    ):
        reader, writer = await running.connect()
        writer.write(connect(f"a.example:{port}"))
        await reader.readuntil(b"\r\n\r\n")
        assert b"220 ready\r\n" == await reader.readline()
        writer.close()
        await running.ended()


async def test_a_server_that_cannot_be_reached_is_said_to_be(tmp_path: Path) -> None:
    async with server(echo) as port:
        pass
    async with proxy(tmp_path, [f"a.example:{port}"], names(), allow_private=LOOPBACK) as running:
        answer = await running.ask(connect(f"a.example:{port}"))
    assert answer.startswith(b"HTTP/1.1 502")
    assert "refused" == running.log()[0]["verdict"]


async def test_more_bytes_than_the_profile_grants_do_not_pass(tmp_path: Path) -> None:
    async with server(echo) as port:
        hosts = [f"a.example:{port}"]
        async with proxy(tmp_path, hosts, names(), allow_private=LOOPBACK, max_bytes=100_000) as running:
            answer = await running.ask(connect(f"a.example:{port}") + b"x" * 300_000, ends=True)
            log = await running.ended()
        async with proxy(tmp_path, hosts, names(), allow_private=LOOPBACK, max_bytes=100_000) as again:
            refused = await again.ask(connect(f"a.example:{port}"))
    assert len(answer) <= 100_100
    assert "used up" in log[1]["why"]
    assert refused.startswith(b"HTTP/1.1 403")
    assert b"used up" in refused


async def test_a_big_answer_is_cut_off_at_the_limit_and_does_not_look_whole(tmp_path: Path) -> None:
    recorder = Recorder(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500_000)
    async with (
        server(recorder) as port,
        proxy(tmp_path, [f"a.example:{port}"], names(), allow_private=LOOPBACK, max_bytes=200_000) as running,
    ):
        answer = await running.ask(plain(f"http://a.example:{port}/"))
        await running.ended()
    assert len(answer) < 200_000


async def test_a_head_that_drips_is_given_up(tmp_path: Path) -> None:
    async with proxy(tmp_path, ["a.example"], names(), head_seconds=0.5) as running:
        reader, writer = await running.connect()

        async def drip() -> None:
            while True:
                writer.write(b"G")
                await asyncio.sleep(0.1)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(10):
            answer = await reader.read()
        dripping.cancel()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408")


async def test_a_silent_tunnel_is_given_up_and_a_busy_one_is_not(tmp_path: Path) -> None:
    async with (
        server(echo) as port,
        proxy(tmp_path, [f"a.example:{port}"], names(), allow_private=LOOPBACK, idle_seconds=0.6) as running,
    ):
        reader, writer = await running.connect()
        writer.write(connect(f"a.example:{port}"))
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(6):
            writer.write(b"tick")
            assert b"tick" == await reader.readexactly(4)
            await asyncio.sleep(0.2)
        log = await running.ended()
        writer.close()
    assert "nothing came for 0.6 s" == log[1]["why"]


async def test_connections_at_a_time_are_limited(tmp_path: Path) -> None:
    async with (
        server(echo) as port,
        proxy(tmp_path, [f"a.example:{port}"], names(), allow_private=LOOPBACK, connections=5) as running,
    ):
        held = [await running.connect() for _ in range(5)]
        for reader, writer in held:
            writer.write(connect(f"a.example:{port}"))
            assert b"200" in await reader.readuntil(b"\r\n\r\n")
        assert (await running.ask(connect(f"a.example:{port}"))).startswith(b"HTTP/1.1 503")
        for _, writer in held:
            writer.close()
        await running.ended(5)
        answer = await running.ask(connect(f"a.example:{port}") + b"again", ends=True)
    assert answer.endswith(b"again")


async def test_two_hundred_tunnels_one_after_the_other_and_at_once_leave_none_behind(tmp_path: Path) -> None:
    async with (
        server(echo) as port,
        proxy(tmp_path, [f"a.example:{port}"], names(), allow_private=LOOPBACK, connections=250) as running,
    ):
        requests = [running.ask(connect(f"a.example:{port}") + b"%d" % number, ends=True) for number in range(200)]
        answers = await asyncio.gather(*requests)
        await running.ended(200)
    assert [b"%d" % number for number in range(200)] == [answer.rpartition(b"\r\n\r\n")[2] for answer in answers]


async def test_nothing_passes_when_the_log_is_full(tmp_path: Path) -> None:
    async with (
        server(echo) as port,
        proxy(tmp_path, [f"a.example:{port}"], names(), allow_private=LOOPBACK, max_log_bytes=10) as running,
    ):
        answer = await running.ask(connect(f"a.example:{port}") + b"hush", ends=True)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"hush" not in answer


async def test_who_connects_and_says_nothing_leaves_no_trace(tmp_path: Path) -> None:
    async with proxy(tmp_path, ["a.example"], names()) as running:
        assert b"" == await running.ask(b"", ends=True)
    assert [] == running.log()
