# The types of schemathesis are partial.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
"""Whatever is sent, the API answers as its document says, and never with a failure of its own.

Requests are made from /openapi.json of the running server (schemathesis), valid and broken ones.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from temporalio.client import Client

from longshift.intake.http.routes import ENDPOINTS
from tests.cli.test_store_commands import put_session
from tests.intake.http.conftest import TASK, Running, lone_worker
from tests.workflows.scripted import Script, digest_of

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(180)]

EXAMPLES = 25
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def fuzz(url: str, headers: dict[str, str], name: str, task_ids: list[str]) -> set[int]:
    """Send requests of one operation; the statuses that came back."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations: list[Any] = [each.ok() for each in cast("list[Any]", list(schema.get_all_operations()))]
    operation = next(each for each in operations if each.definition.raw["operationId"] == name)
    statuses: set[int] = set()
    modes = [
        operation.as_strategy(generation_mode=mode)
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    ]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(st.one_of(modes), st.sampled_from(["", *task_ids]))
    def send(case: Any, task_id: str) -> None:
        if task_id and "task_id" in (case.path_parameters or {}):
            case.path_parameters["task_id"] = task_id
        response = case.call(base_url=url, headers=headers, timeout=30)
        statuses.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    send()
    return statuses


@pytest.mark.parametrize("name", [endpoint.name for endpoint in ENDPOINTS])
async def test_every_operation_keeps_to_its_document(api: Running, client: Client, name: str) -> None:
    headers = api.token(name="fuzz")
    if "{task_id}" not in next(endpoint.path for endpoint in ENDPOINTS if endpoint.name == name):
        statuses = await asyncio.to_thread(fuzz, api.url, headers, name, [])
    else:
        await put_session(api.store)
        async with sessions(api, client, name) as task_ids:
            statuses = await asyncio.to_thread(fuzz, api.url, headers, name, task_ids)
    assert (True, []) == (len(statuses) > 0, [status for status in statuses if status >= 500])


@asynccontextmanager
async def sessions(api: Running, client: Client, name: str) -> AsyncGenerator[list[str]]:
    """One that is done, one that works, and one that only the store has."""
    done, live = f"fuzz-{name}-done", f"fuzz-{name}-live"
    async with api.http() as http:
        async with lone_worker(client, Script([digest_of("finish")]), done):
            await http.post("/v1/sessions", json={**TASK, "id": done})
            await client.get_workflow_handle(f"session/{done}").result()
        if name == "events":  # the stream of one that works would not end
            yield [done, "mend"]
            return
        async with lone_worker(client, Script([digest_of("bash")], hold_tools=asyncio.Event()), live):
            await http.post("/v1/sessions", json={**TASK, "id": live})
            yield [done, live, "mend"]
            session = client.get_workflow_handle(f"session/{live}")
            await session.cancel()
            await session.result()
