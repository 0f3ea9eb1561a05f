"""Which way requests go: proxies that the environment names, and exceptions from them."""

import pytest
from model_wire import KEY, Wire, hello, ignore, loopback, profile_of, request_of

from longshift.adapters.model.client import ModelClient
from longshift.adapters.model.limiter import LimiterPool


async def answer(wire: Wire) -> None:
    await wire.head(chunked=True)
    await wire.chunk(hello())
    await wire.chunk(b"")


async def ask(address: str) -> str:
    client = ModelClient(key_of=lambda _name: KEY, limiters=LimiterPool())
    try:
        return (await client.complete(profile_of(base_url=address), request_of(), ignore)).stop_reason
    finally:
        await client.aclose()


def set_proxy(monkeypatch: pytest.MonkeyPatch, name: str, proxy: str, exempt: str) -> None:
    for other in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.setenv(other, "")
        monkeypatch.setenv(other.upper(), "")
    monkeypatch.setenv(name, proxy)
    monkeypatch.setenv("no_proxy", exempt)


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
async def test_request_goes_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async with loopback(answer) as proxy:
        set_proxy(monkeypatch, name, proxy.removeprefix("http://"), "localhost,.internal")
        assert "end_turn" == await ask("http://model.invalid")


@pytest.mark.parametrize("exempt", ["127.0.0.1", "*", "a.example, 127.0.0.1,::1"])
async def test_exempt_host_is_reached_directly(monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    async with loopback(answer) as server:
        set_proxy(monkeypatch, "http_proxy", "http://127.0.0.1:9", exempt)
        assert "end_turn" == await ask(server)
