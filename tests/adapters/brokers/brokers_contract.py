"""What every broker keeps to, proved against a real server; a new adapter inherits the contract."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
import pytest_asyncio
from brokers_drivers import Driver

from longshift.adapters.brokers import Depth, Lease, TaskSource, open_source
from longshift.contracts.errors import BadInput, BrokerUnavailable
from tests.ports import free_port

WAIT_SECONDS = 20.0
"""Longer than anything takes here; nothing is asserted about it."""
CONSUMER = str(Path(__file__).with_name("brokers_consumer.py"))


async def one(source: TaskSource) -> Lease:
    """The next message."""
    leases = await source.receive(1, WAIT_SECONDS)
    assert 1 == len(leases)
    return leases[0]


async def until_gone(source: TaskSource) -> None:
    """Return when nothing is pending: some brokers count behind, and tell nobody when they are done."""
    while (await source.depth()).pending:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def again(source: TaskSource, count: int) -> list[Lease]:
    """Leases from a server that is coming back."""
    leases: list[Lease] = []
    while len(leases) < count:
        try:
            leases += await source.receive(count, WAIT_SECONDS)
        except BrokerUnavailable:
            await asyncio.sleep(0.05)
    return leases


async def keys_of_a_killed_consumer(url: str, count: int) -> set[str]:
    """The keys that a consumer has taken over that is killed at once when it has said `count` of them."""
    process = await asyncio.create_subprocess_exec(sys.executable, CONSUMER, url, stdout=subprocess.PIPE)
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(count)]
    process.kill()
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    return {line.decode().strip() for line in lines if line.endswith(b"\n")}


def keys(leases: Iterable[Lease]) -> set[str]:
    return {lease.key for lease in leases}


class BrokerContract:
    """Inherited by the test class of each broker."""

    @pytest.fixture
    def driver(self) -> Driver:
        raise NotImplementedError

    @pytest_asyncio.fixture
    async def source(self, driver: Driver, queue: str) -> AsyncIterator[TaskSource]:
        await driver.prepare(queue)
        async with open_source(driver.url(queue)) as source:
            yield source

    async def test_ack_removes_a_message(self, driver: Driver, source: TaskSource, queue: str) -> None:
        await driver.send(queue, b"{}", key="k")
        lease = await one(source)
        assert (b"{}", "k", 1, "application/json") == (lease.body, lease.key, lease.attempt, lease.media_type)
        await lease.ack()
        await until_gone(source)
        assert Depth(pending=0, dead=0) == await source.depth()

    async def test_a_message_without_a_key_has_a_name_that_stays(self, driver: Driver, queue: str) -> None:
        await driver.prepare(queue)
        await driver.send(queue, b"{}", b"{}")
        async with open_source(driver.url(queue, lease_seconds=2)) as source:
            first = [await one(source), await one(source)]
        async with open_source(driver.url(queue, lease_seconds=2)) as source:
            second = [await one(source), await one(source)]
        assert {""} == keys(first + second)
        assert 2 == len({lease.message_id for lease in first})
        assert {lease.message_id for lease in first} == {lease.message_id for lease in second}
        assert [1, 1, 2, 2] == [lease.attempt for lease in first + second]

    async def test_what_a_dead_consumer_held_comes_to_another_as_the_next_attempt(
        self, driver: Driver, queue: str
    ) -> None:
        await driver.prepare(queue)
        await driver.send(queue, b"{}", key="k")
        async with open_source(driver.url(queue, lease_seconds=1)) as dying:
            first = await one(dying)
        async with open_source(driver.url(queue, lease_seconds=1)) as source:
            second = await one(source)
            assert (1, 2) == (first.attempt, second.attempt)
            assert (b"{}", "k", first.message_id) == (second.body, second.key, second.message_id)
            await second.ack()
            await until_gone(source)

    async def test_a_retry_waits_its_delay_even_if_its_consumer_dies(self, driver: Driver, queue: str) -> None:
        await driver.prepare(queue)
        await driver.send(queue, b"{}", key="late")
        async with open_source(driver.url(queue, lease_seconds=1)) as source:
            await source.depth()  # it is connected before the delay begins
            async with open_source(driver.url(queue, lease_seconds=1)) as dying:
                await (await one(dying)).retry(2)
            await driver.send(queue, b"{}", key="early")
            early = await one(source)
            await early.ack()
            late = await one(source)
            assert [("early", 1), ("late", 2)] == [(each.key, each.attempt) for each in (early, late)]
            await late.retry(0)
            assert 3 == (await one(source)).attempt

    async def test_a_dead_letter_keeps_all_and_can_be_put_back(
        self, driver: Driver, source: TaskSource, queue: str
    ) -> None:
        await driver.send(queue, "{ö}".encode(), key="k", media_type="application/yaml")
        await (await one(source)).dead_letter("it is no task:\n  “{ö}”\x00")
        await until_gone(source)
        assert Depth(pending=0, dead=1) == await source.depth()
        [dead] = await source.list_dead(10)
        assert ("{ö}".encode(), "k", "application/yaml") == (dead.body, dead.key, dead.media_type)
        assert ("it is no task: “{ö}”", 1, source.name) == (dead.reason, dead.attempts, dead.source)
        assert dead.time.endswith("+00:00")
        assert [dead] == await source.list_dead(1)

        assert 0 == await source.requeue_dead("1-1")
        assert 1 == await source.requeue_dead(dead.message_id)
        lease = await one(source)
        assert ("{ö}".encode(), "k", "application/yaml", 1) == (lease.body, lease.key, lease.media_type, lease.attempt)
        assert 0 == (await source.depth()).dead

    async def test_all_dead_letters_are_put_back_at_once(self, driver: Driver, source: TaskSource, queue: str) -> None:
        await driver.send(queue, *[b"{}"] * 12, key="k{}")
        for _ in range(12):
            await (await one(source)).dead_letter("no")
        assert 5 == len(await source.list_dead(5))
        assert 12 == len({dead.message_id for dead in await source.list_dead(100)})
        assert 12 == await source.requeue_dead()
        assert [] == await source.list_dead(100)
        assert {f"k{number}" for number in range(12)} == keys([await one(source) for _ in range(12)])

    async def test_only_the_first_settlement_counts(self, driver: Driver, source: TaskSource, queue: str) -> None:
        await driver.send(queue, b"{}", key="k")
        lease = await one(source)
        await lease.ack()
        await lease.ack()
        await lease.dead_letter("no")
        await lease.retry(0)
        await until_gone(source)
        assert Depth(pending=0, dead=0) == await source.depth()

    @pytest.mark.parametrize(
        "body",
        [bytes(range(256)), "Grüße, 世界, \U0001f916\r\n\t".encode(), b'{"task": "' + b"x" * 200_000 + b'"}'],
        ids=["binary", "utf-8", "200-KB"],
    )
    async def test_bodies_survive(self, driver: Driver, source: TaskSource, queue: str, body: bytes) -> None:
        await driver.send(queue, body, key="schlüssel/1", media_type="text/plain; charset=utf-8")
        lease = await one(source)
        assert (body, "schlüssel/1", "text/plain; charset=utf-8") == (lease.body, lease.key, lease.media_type)
        await lease.dead_letter("no")
        [dead] = await source.list_dead(1)
        assert (body, "schlüssel/1", "text/plain; charset=utf-8") == (dead.body, dead.key, dead.media_type)

    async def test_what_is_no_task_becomes_a_dead_letter(self, driver: Driver, source: TaskSource, queue: str) -> None:
        await driver.send_foreign(queue)
        await driver.send(queue, b"{}", key="after")
        assert "after" == (await one(source)).key
        [dead] = await source.list_dead(10)
        assert ("k", 1) == (dead.key, dead.attempts)
        assert "body" in dead.reason

    async def test_two_consumers_never_hold_the_same_message(self, driver: Driver, queue: str) -> None:
        await driver.prepare(queue)
        await driver.send(queue, *[b"{}"] * 20, key="k{}")
        async with open_source(driver.url(queue)) as left, open_source(driver.url(queue)) as right:
            held: list[Lease] = []
            while len(held) < 20:
                for leases in await asyncio.gather(left.receive(3, 0.5), right.receive(3, 0.5)):
                    held += leases
            assert [[], []] == await asyncio.gather(left.receive(3, 0.5), right.receive(3, 0.5))
            assert sorted(f"k{number}" for number in range(20)) == sorted(lease.key for lease in held)

    async def test_a_cancelled_receive_loses_nothing(self, driver: Driver, queue: str) -> None:
        await driver.prepare(queue)
        async with open_source(driver.url(queue, lease_seconds=1)) as source:
            for number in range(5):
                receiving = asyncio.create_task(source.receive(5, WAIT_SECONDS))
                await driver.send(queue, b"{}", key=f"k{number}")
                receiving.cancel()
                [outcome] = await asyncio.gather(receiving, return_exceptions=True)
                for lease in outcome if isinstance(outcome, list) else []:
                    await lease.retry(0)
            found: set[str] = set()
            while len(found) < 5:
                found |= keys(await source.receive(5, WAIT_SECONDS))

    @pytest.mark.slow
    async def test_a_restarted_server_has_lost_nothing(self, driver: Driver, queue: str) -> None:
        await driver.prepare(queue)
        async with open_source(driver.url(queue, lease_seconds=1)) as source:
            await driver.send(queue, b"{}", key="held")
            held = await one(source)
            receiving = asyncio.create_task(self.receive_until_lost(source))
            await driver.crash()
            try:
                with pytest.raises(BrokerUnavailable, match=queue):
                    await receiving
                with pytest.raises(BrokerUnavailable, match=queue):
                    await held.ack()
            finally:
                await driver.recover()
            [back] = await again(source, 1)
            assert "held" == back.key
            assert back.attempt > held.attempt
            await back.ack()
            await driver.send(queue, b"{}", key="new")
            assert "new" == (await one(source)).key

    async def receive_until_lost(self, source: TaskSource) -> None:
        """A pump that retries what it gets until the broker is gone."""
        while True:
            for lease in await source.receive(1, WAIT_SECONDS):
                await lease.retry(0)

    @pytest.mark.slow
    async def test_of_200_messages_none_is_lost_when_consumers_are_killed(self, driver: Driver, queue: str) -> None:
        lots = random.Random(0)
        sent = {f"k{number}" for number in range(200)}
        await driver.prepare(queue)
        await driver.send(queue, *[b"{}"] * 200, key="k{}")
        url = driver.url(queue, lease_seconds=1)
        handed_over: set[str] = set()
        for _ in range(3):
            handed_over |= await keys_of_a_killed_consumer(url, lots.randint(1, 40))
        async with open_source(url) as source:
            while sent != handed_over or (await source.depth()).pending:
                for lease in await source.receive(50, 1.0):
                    handed_over.add(lease.key)
                    await lease.ack()
            assert Depth(pending=0, dead=0) == await source.depth()

    @pytest.fixture
    def refused(self, driver: Driver, queue: str) -> str:
        return driver.refused_url(queue)

    async def test_refused_credentials_are_bad_input_that_names_the_field(self, refused: str) -> None:
        async with open_source(refused) as source:
            with pytest.raises(BadInput, match=r"^intake_queues: .*; ") as failure:
                await source.receive(1, 0)
        assert "hush" not in f"{failure.value}{source.name}"

    async def test_a_server_that_is_not_there_is_unavailable(self, driver: Driver, queue: str) -> None:
        await driver.prepare(queue)
        async with open_source(driver.url(queue).replace(str(driver.servers[-1].port), str(free_port()))) as source:
            for call in (source.receive(1, 0), source.depth(), source.list_dead(1), source.requeue_dead()):
                with pytest.raises(BrokerUnavailable, match=queue):
                    await call
