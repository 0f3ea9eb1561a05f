"""A tunnel's TLS has to ask for the host of the tunnel: real `ClientHello`s, cut and bent."""

import asyncio
import ssl
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshift.adapters.network.client_hello import NotReadable, server_names
from tests.adapters.network.network_rig import LOOPBACK, Names, echo, proxy, server


def hello(name: str | None) -> bytes:
    """What a TLS client sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name).do_handshake()
    return sent.read()


def in_records(data: bytes, size: int) -> bytes:
    """The same handshake in records of `size` bytes."""
    message = data[5:]
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)


@pytest.mark.parametrize("size", [1, 7, 100, 16_384])
def test_the_name_is_read_however_it_is_cut_into_records(size: int) -> None:
    data = in_records(hello("a.example"), size)
    assert ("a.example",) == server_names(data)
    assert None is server_names(data[:-1])


def test_a_client_that_asks_for_no_name_is_read() -> None:
    assert () == server_names(hello(None))


@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
@settings(max_examples=1_000, deadline=None)
def test_whatever_begins_like_tls_is_read_or_refused(at: int, bent: bytes) -> None:
    data = hello("a.example")
    try:
        found = server_names(data[:at] + bent + data[at + len(bent) :])
    except NotReadable:
        return
    assert found is None or isinstance(found, tuple)


@pytest.mark.parametrize(
    ("asked", "passes"),
    [
        (hello("a.example"), True),
        (hello("A.Example"), True),
        (in_records(hello("a.example"), 3), True),
        (hello(None), True),
        (b"SSH-2.0-x\r\n", True),
        (hello("evil.example"), False),
        (in_records(hello("evil.example"), 3), False),
        (hello("a.example.evil.example"), False),
        (b"\x16\x03\x01\x00\x05hello", False),
        (b"\x16\x02\x01\x00\x05hello", False),
        (b"\x16", False),
    ],
)
async def test_a_tunnel_to_one_host_carries_no_tls_for_another(tmp_path: Path, asked: bytes, passes: bool) -> None:
    names = Names({"a.example": [("127.0.0.1",)]})
    async with (
        server(echo) as port,
        proxy(tmp_path, [f"a.example:{port}"], names, allow_private=LOOPBACK) as running,
    ):
        connect = f"CONNECT a.example:{port} HTTP/1.1\r\n\r\n".encode()
        answer = await running.ask(connect + asked, ends=True)
        log = await running.ended()
    assert passes == answer.endswith(asked)
    assert passes == ("why" not in log[1])
    assert (len(asked) if passes else 0) == log[1]["sent"]


async def test_a_hello_that_comes_in_drops_is_waited_for(tmp_path: Path) -> None:
    names, asked = Names({"a.example": [("127.0.0.1",)]}), hello("evil.example")
    async with (
        server(echo) as port,
        proxy(tmp_path, [f"a.example:{port}"], names, allow_private=LOOPBACK) as running,
    ):
        reader, writer = await running.connect()
        writer.write(f"CONNECT a.example:{port} HTTP/1.1\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        for at in range(0, len(asked), 100):
            writer.write(asked[at : at + 100])
            await asyncio.sleep(0.01)
        log = await running.ended()
        writer.close()
    assert 0 == log[1]["sent"]
    assert "evil.example" in log[1]["why"]
