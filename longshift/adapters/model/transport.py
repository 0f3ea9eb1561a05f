"""The network settings of model calls: dead connections are noticed within about twenty seconds.

Read and pool time-outs are off because `exchange.py` keeps its own deadlines, which pings cannot stretch.
"""

import socket
import ssl
import urllib.request

import httpx

from longshift.adapters.model.lanes import IDLE_SECONDS, Lanes

CONNECT_TIMEOUT_SECONDS = 20.0
_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20_000),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)
# As many as an account's limits allow: how long idle ones are kept, `lanes` says.
_LIMITS = httpx.Limits(max_connections=None, keepalive_expiry=IDLE_SECONDS)


def http_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client over `transport`, or over the network and the proxies that the environment names."""
    trusted = httpx.create_ssl_context()
    return httpx.AsyncClient(
        transport=transport or _direct(trusted),
        mounts={} if transport else _proxied(trusted),
        timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_SECONDS),
        follow_redirects=False,
    )


def _direct(trusted: ssl.SSLContext, proxy: str | None = None) -> Lanes:
    return Lanes(
        lambda: httpx.AsyncHTTPTransport(verify=trusted, limits=_LIMITS, socket_options=_KEEP_ALIVE, proxy=proxy)
    )


def _proxied(trusted: ssl.SSLContext) -> dict[str, httpx.AsyncBaseTransport | None]:
    """Routes in httpx's patterns, from `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, as curl reads them."""
    named = urllib.request.getproxies()
    exempt = [host.strip() for host in named.get("no", "").split(",") if host.strip()]
    if "*" in exempt:
        return {}
    routes: dict[str, httpx.AsyncBaseTransport | None] = {}
    for scheme in ("http", "https", "all"):
        if address := named.get(scheme):
            routes[f"{scheme}://"] = _direct(trusted, address if "://" in address else f"http://{address}")
    if routes:
        for host in exempt:
            is_literal = host.lower() == "localhost" or host.replace(".", "").isdigit()
            pattern = f"[{host}]" if host.count(":") > 1 and "[" not in host else (host if is_literal else f"*{host}")
            routes[host if "://" in host else f"all://{pattern}"] = None
    return routes
