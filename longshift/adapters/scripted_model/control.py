"""Endpoints beside the API: for other processes to see what was asked, and to order faults. They need no key."""

import asyncio
from collections.abc import Awaitable, Callable

import orjson
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from longshift.adapters.scripted_model.chaos import FaultPlan
from longshift.adapters.scripted_model.counting import CountingEndpoint
from longshift.adapters.scripted_model.recording import Recorder
from longshift.adapters.scripted_model.script import Fault
from longshift.adapters.scripted_model.waiting import first_of
from longshift.contracts.wire import UserInput


class QuotaOrder(UserInput):
    """`POST /control/quota`."""

    exhausted: bool
    requests: int | None = Field(default=None, ge=1)
    """How many requests to refuse; all, until it is restored, when empty."""


class FaultOrder(UserInput):
    """`POST /control/faults`."""

    faults: tuple[Fault, ...]
    counting: bool = False
    """For the counting endpoints instead of the messages endpoint."""


class Control:
    """The control endpoints' state is the server's own: its plan of faults and its recordings."""

    def __init__(
        self,
        plan: FaultPlan,
        counting: CountingEndpoint,
        recorder: Recorder,
        counts: Recorder,
        closing: Callable[[], asyncio.Event],
    ) -> None:
        self._plan = plan
        self._counting = counting
        self._recorder = recorder
        self._counts = counts
        self._closing = closing

    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [
            Route("/control/requests", self._requests, methods=["GET"]),
            Route("/control/counts", self._count_requests, methods=["GET"]),
            Route("/control/last-body", self._last_body, methods=["GET"]),
            Route("/control/quota", _checked(self._quota), methods=["POST"]),
            Route("/control/faults", _checked(self._faults), methods=["POST"]),
            Route("/control/reset", self._reset, methods=["POST"]),
        ]

    async def _requests(self, request: Request) -> Response:
        """All records from ordinal `since` on, once at least `wait_for` requests have arrived."""
        since = _number(request, "since")
        wait_for = _number(request, "wait_for")
        if len(self._recorder.records) < wait_for:
            await first_of(self._recorder.wait_for(wait_for), self._closing().wait())
        records = self._recorder.records
        shown = [record.as_json() for record in records if record.ordinal >= since]
        return _json({"count": len(records), "requests": shown})

    async def _count_requests(self, _request: Request) -> Response:
        """All records of the counting endpoints."""
        shown = [record.as_json() for record in self._counts.records]
        return _json({"count": len(shown), "requests": shown})

    async def _last_body(self, _request: Request) -> Response:
        return Response(self._recorder.last_body, media_type="application/json")

    async def _quota(self, body: bytes) -> Response:
        order = QuotaOrder.model_validate_json(body)
        if order.exhausted:
            self._plan.exhaust_quota(order.requests)
        else:
            self._plan.restore_quota()
        return _json({"exhausted": order.exhausted})

    async def _faults(self, body: bytes) -> Response:
        order = FaultOrder.model_validate_json(body)
        (self._counting if order.counting else self._plan).order(order.faults)
        return _json({"ordered": sum(fault.times for fault in order.faults)})

    async def _reset(self, _request: Request) -> Response:
        self._recorder.forget()
        self._counts.forget()
        return _json({"count": 0})


def _checked(handle: Callable[[bytes], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await handle(await request.body())
        except ValidationError as error:
            return Response(error.json(include_url=False), status_code=422, media_type="application/json")

    return endpoint


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() else 0


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
