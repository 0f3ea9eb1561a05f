# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""Swarms over HTTP: the table, an item's report, the plan; words for items and those that shall not be."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from temporalio.client import Client

from longshift.contracts import ids
from longshift.contracts.session import AgentStatus
from longshift.contracts.swarm import ItemStatus
from longshift.contracts.swarm_plan import SwarmItem, SwarmPlan
from longshift.contracts.task import TaskSpec
from longshift.intake.http.tokens import Scope
from tests.intake.http.conftest import TASK, Running, lone_worker
from tests.intake.http.test_telling import until
from tests.swarm_store import PLAN_HASH, put, put_ended_swarm
from tests.telling_swarm import at_work, plan_question, telling_swarm
from tests.workflows.scripted import Script, digest_of
from workflows.session import Session

pytestmark = pytest.mark.engine
STATUSES = {"a": ItemStatus.MERGED, "b": ItemStatus.FAILED}


@asynccontextmanager
async def session(api: Running, client: Client, status: AgentStatus) -> AsyncGenerator[httpx.AsyncClient]:
    """A session whose agent tells this of itself."""
    script = Script([digest_of("finish")], hold_model=asyncio.Event())
    task_id = ids.task_of_agent(status.agent)
    async with lone_worker(client, script, task_id), api.http() as http:
        assert 201 == (await http.post("/v1/sessions", json={**TASK, "id": task_id})).status_code
        await script.model_asked.wait()
        handle = client.get_workflow_handle(ids.session_workflow_id(task_id))
        await handle.signal(Session.agent_status, status)
        yield http
        await handle.terminate()


async def test_a_swarm_at_work_is_told_of_and_takes_words(api: Running, client: Client) -> None:
    path = "/v1/sessions/swarming"
    status = at_work("swarming", "swarming.swarm1")
    async with session(api, client, status) as http, telling_swarm(client, "swarming.swarm1"):
        table = await http.get(f"{path}/swarm")
        item = await http.get(f"{path}/swarm/items/b?swarm=1")
        absent = [await http.get(f"{path}/swarm{rest}") for rest in ("?swarm=2", "/items/c", "/plan?swarm=2")]
        steered = await http.post(f"{path}/steer", json={"text": "Hurry.", "item": "a"})
        key = {"idempotency-key": "strike-b"}
        struck = [await http.post(f"{path}/strike", json={"item": "b"}, headers=key) for _ in range(2)]
        refused = await http.post(f"{path}/strike", json={"item": "No Item"})
    assert ["a", "b"] == [each["item"] for each in table.json()["table"]["items"]]
    assert (False, None) == (table.json()["is_over"], table.json()["result"])
    assert ("failed", None, "swarming.swarm1.b/lead") == (
        item.json()["line"]["status"],
        item.json()["report"],
        item.json()["agent"],
    )
    assert [(404, "swarm_missing")] * 3 == [(each.status_code, each.json()["error"]["kind"]) for each in absent]
    assert "passed on to item a" == steered.json()["answer"]
    assert [(200, "passed on to item b")] * 2 == [(each.status_code, each.json()["answer"]) for each in struck]
    assert (409, True) == (refused.status_code, "is no item id" in refused.json()["error"]["message"])


async def test_the_plan_that_waits_for_a_person_is_the_one_that_is_given(api: Running, client: Client) -> None:
    plan = SwarmPlan(goal="Type all", items=(SwarmItem(id="a", goal="Type a"),))
    await put(api.store, ids.plan_key("planned.swarm1", PLAN_HASH), plan)
    ask = plan_question("planned")
    asking = AgentStatus(agent="planned/lead", waiting=True, step=1, ask=ask)
    async with session(api, client, asking) as http:
        await until(http, "planned", lambda found: found["status"]["state"] == "waiting")
        given = (await http.get("/v1/sessions/planned/swarm/plan")).json()
        asked = (await http.get("/v1/sessions/planned")).json()["status"]["reviews"][0]
        body = {"option": "amend", "text": "strike a", "shown_hash": asked["shown_hash"]}
        amended = await http.post(f"/v1/sessions/planned/reviews/{ask.id}", json=body)
    assert "Type all" == given["plan"]["goal"]
    assert (200, True) == (amended.status_code, "is decided: amend (Change the plan)" in amended.json()["answer"])


async def test_a_swarm_of_a_forgotten_session_is_read_from_the_store(api: Running) -> None:
    task = TaskSpec(id="old", title="T", instructions="Do it.", tenant="ours")
    await put(api.store, ids.task_key("old"), task)
    await put_ended_swarm(api.store, "old.swarm1", STATUSES)
    async with api.http() as http:
        table = (await http.get("/v1/sessions/old/swarm")).json()
        item = (await http.get("/v1/sessions/old/swarm/items/b")).json()
        theirs = api.token(Scope.READ, name="theirs", tenant="theirs")
        hidden = await http.get("/v1/sessions/old/swarm", headers=theirs)
    assert (True, "mend/swarm1", 1) == (
        table["is_over"],
        table["result"]["branch"],
        table["table"]["items"][0]["files"],
    )
    assert ("stuck", "it went round in circles") == (item["report"]["failure"], item["line"]["reason"])
    assert (404, "session_missing") == (hidden.status_code, hidden.json()["error"]["kind"])
