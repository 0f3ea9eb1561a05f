"""Questions to a server through its HTTP interface: is it ready, and how long does it keep finished workflows.

HTTP, as a gRPC client would bring the whole SDK, and starting the command line tool costs ten times as much.
"""

from typing import Any, Self

import httpx

from longshift.adapters.engine.command import HOST
from longshift.contracts.errors import EngineError

ANSWER_TIMEOUT_SECONDS = 5.0


class Frontend:
    """One server's HTTP interface."""

    def __init__(self, http_port: int, namespace: str) -> None:
        self._namespace = namespace
        self._path = f"/api/v1/namespaces/{namespace}"
        # No proxy from the environment: this never leaves the host.
        self._http = httpx.AsyncClient(
            base_url=f"http://{HOST}:{http_port}",
            timeout=ANSWER_TIMEOUT_SECONDS,
            trust_env=False,
        )

    async def search_attributes(self) -> frozenset[str] | None:
        """The namespace's own search attributes; None until the frontend answers for the namespace."""
        try:
            namespace = await self._http.get(self._path)
            known = await self._http.get(f"{self._path}/search-attributes")
            if not (namespace.is_success and known.is_success):
                return None
            custom: dict[str, Any] = known.json().get("customAttributes", {})
        except (httpx.HTTPError, ValueError):
            return None
        return frozenset(custom)

    async def keep_finished_for(self, seconds: int) -> None:
        """Set the namespace's retention; what finished before keeps the one it had then.

        Raises:
            EngineError: the server refused.
        """
        wanted = f"{seconds}s"
        try:
            answer = await self._http.get(self._path)
            if answer.json()["config"]["workflowExecutionRetentionTtl"] == wanted:
                return
            body = {"namespace": self._namespace, "config": {"workflowExecutionRetentionTtl": wanted}}
            answer = await self._http.post(f"{self._path}/update", json=body)
            answer.raise_for_status()
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise EngineError(f"the embedded engine did not take its retention: {error}") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()
