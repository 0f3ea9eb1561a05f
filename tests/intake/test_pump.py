"""The pump between a real broker and a real engine: nothing is lost, nothing is doubled, nothing good is buried."""

import json
from pathlib import Path

import pytest

from longshift.adapters.brokers import open_source
from longshift.contracts import ids
from longshift.intake.standing import Outcome, State
from longshift.intake.suspects import Suspects
from tests.intake.intake_rig import Broker, EngineServer, RunningEngine, pumping

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session")]

Message = dict[str, str | bytes]


def task(title: str, **fields: object) -> Message:
    return {"task": json.dumps({"title": title, "instructions": "Do it.", **fields}).encode()}


def keyed(key: str) -> Message:
    return {**task(key), "key": key}


def session(broker: Broker, queue: str, key: str) -> str:
    return ids.session_workflow_id(ids.keyed_task_id(open_source(broker.url(queue)).name, key))


async def test_every_message_becomes_one_session_and_is_acknowledged(
    server: RunningEngine, broker: Broker, tmp_path: Path
) -> None:
    keys = [f"all-{n}" for n in range(100)]
    await broker.put("all", *(keyed(key) for key in keys))
    async with pumping(server, broker.url("all"), tmp_path) as pump:
        await pump.until_counted(accepted=100)
    assert State.WORKING is pump.standing.state
    assert (0, []) == (await broker.left("all"), await broker.dead("all"))
    assert sorted(session(broker, "all", key) for key in keys) == await server.sessions("all-")


async def test_a_repetition_finds_the_session_and_is_acknowledged(
    server: RunningEngine, broker: Broker, tmp_path: Path
) -> None:
    await broker.put("twice", keyed("twice"), keyed("twice"), keyed("twice"))
    async with pumping(server, broker.url("twice"), tmp_path) as pump:
        await pump.until_counted(accepted=1, known=2)
    assert (0, 1) == (await broker.left("twice"), len(await server.sessions("twice-")))


async def test_what_can_be_no_task_is_buried_at_once_with_the_reason(
    server: RunningEngine, broker: Broker, tmp_path: Path
) -> None:
    taken = {**task("Another"), "key": "taken"}
    local = task("Local", workspace={"directory": "/etc"})
    await broker.put("bad", keyed("taken"))
    async with pumping(server, broker.url("bad"), tmp_path) as pump:
        await pump.until_counted(accepted=1)
        await broker.put("bad", {"task": b"{"}, task("", id="Not An Id"), taken, local)
        await pump.until_counted(refused=4)
    reasons = [letter.reason for letter in await broker.dead("bad")]
    assert 4 == len(reasons)
    for told in ("is not valid JSON", "title: ", "belongs to another task", "is a path on the hosts"):
        assert 1 == sum(told in reason for reason in reasons), reasons
    assert 0 == await broker.left("bad")


async def test_nothing_is_read_while_the_backlog_is_full(server: RunningEngine, broker: Broker, tmp_path: Path) -> None:
    await broker.put("full", *(keyed(f"full-{n}") for n in range(10)))
    async with pumping(server, broker.url("full"), tmp_path, attempts=1, limit=100, waiting=100) as pump:
        await pump.until_state(State.FULL)
        assert (10, 0) == (await broker.left("full"), pump.standing.counts.total())
        pump.backlog.sessions = 0
        await pump.until_counted(accepted=10)
    assert (0, []) == (await broker.left("full"), await broker.dead("full"))


async def test_what_is_in_hand_when_the_backlog_fills_up_is_given_back(
    server: RunningEngine, broker: Broker, tmp_path: Path
) -> None:
    await broker.put("fills", *(keyed(f"fills-{n}") for n in range(10)))
    async with pumping(server, broker.url("fills"), tmp_path, attempts=1, limit=3, fresh_seconds=600) as pump:
        await pump.until_counted(accepted=3, returned=7)
        await pump.until_state(State.FULL)
    assert (7, []) == (await broker.left("fills"), await broker.dead("fills"))


@pytest.mark.slow
async def test_outages_of_the_engine_bury_nothing_however_often_a_message_comes(broker: Broker, tmp_path: Path) -> None:
    engine = await EngineServer.started(tmp_path / "engine")
    try:
        await broker.put("outage", keyed("before"))
        async with pumping(engine, broker.url("outage"), tmp_path, attempts=1) as pump:
            await pump.until_counted(accepted=1)
            await engine.stop()
            await broker.put("outage", *(keyed(f"outage-{n}") for n in range(5)))
            await pump.until_state(State.ENGINE_AWAY)
            await engine.start_again()
            await pump.until_counted(accepted=6)
        assert (0, []) == (await broker.left("outage"), await broker.dead("outage"))
        assert 5 == len(await engine.sessions("outage-"))
    finally:
        await engine.stop()


async def test_a_stop_gives_back_what_the_engine_does_not_answer_for(broker: Broker, tmp_path: Path) -> None:
    engine = await EngineServer.started(tmp_path / "engine")
    try:
        await broker.put("drain", keyed("drain-0"))
        async with pumping(engine, broker.url("drain"), tmp_path) as pump:
            await pump.until_counted(accepted=1)
            engine.freeze()
            await broker.put("drain", *(keyed(f"drain-{n}") for n in range(1, 6)))
            await pump.until(lambda it: it.standing.pending is not None)
            async with open_source(broker.url("drain")) as looking:
                while (await looking.depth()).pending < 5:
                    pass
        engine.thaw()
        assert {"accepted": 1} == {
            each.value: n for each, n in pump.standing.counts.items() if n and each != "returned"
        }
        async with pumping(engine, broker.url("drain"), tmp_path) as pump:
            await pump.until(lambda it: it.standing.counts[Outcome.ACCEPTED] + it.standing.counts[Outcome.KNOWN] == 5)
        assert (0, 6) == (await broker.left("drain"), len(await engine.sessions("drain-")))
    finally:
        await engine.stop()


async def test_a_broker_that_is_away_is_waited_for(server: RunningEngine, tmp_path: Path) -> None:
    broker = Broker(tmp_path / "own")
    async with pumping(server, broker.url("back"), tmp_path) as pump:
        await pump.until_state(State.WORKING)
        broker.stop()
        await pump.until_state(State.SOURCE_AWAY)
        broker.start_again()
        await broker.put("back", *(keyed(f"back-{n}") for n in range(5)))
        await pump.until_counted(accepted=5)
        assert State.WORKING is pump.standing.state
    broker.stop()


async def handed_over_before(broker: Broker, queue: str, times: int) -> str:
    """Have the message delivered so often, without an outcome; gives its id."""
    async with open_source(broker.url(queue)) as source:
        message_id = ""
        for _ in range(times):
            while not (leases := await source.receive(1, 1)):
                pass
            message_id = leases[0].message_id
            await leases[0].retry(0)
    return message_id


async def test_a_message_that_came_often_through_no_fault_of_its_own_is_accepted(
    server: RunningEngine, broker: Broker, tmp_path: Path
) -> None:
    await broker.put("often", keyed("often"))
    await handed_over_before(broker, "often", 5)
    async with pumping(server, broker.url("often"), tmp_path, attempts=2) as pump:
        await pump.until_counted(accepted=1)
    assert ([], []) == (await broker.dead("often"), list((tmp_path / "suspects").iterdir()))


async def test_a_message_whose_tries_end_the_process_is_buried(
    server: RunningEngine, broker: Broker, tmp_path: Path
) -> None:
    await broker.put("poison", keyed("poison"))
    message_id = await handed_over_before(broker, "poison", 5)
    source = open_source(broker.url("poison")).name
    for _ in range(2):  # what is left of two processes that ended while they had it in hand
        await Suspects(tmp_path / "suspects").begin(source, message_id)
    async with pumping(server, broker.url("poison"), tmp_path, attempts=2) as pump:
        await pump.until_counted(refused=1)
    (letter,) = await broker.dead("poison")
    assert (True, 6) == (
        "2 times the intake process ended while it had the message in hand" in letter.reason,
        letter.attempts,
    )
    assert [] == await server.sessions("poison-")
    assert [] == list((tmp_path / "suspects").iterdir())
