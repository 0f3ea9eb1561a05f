"""The contract on valkey, and what only it can do."""

import asyncio

import pytest
from brokers_contract import WAIT_SECONDS, BrokerContract, one
from brokers_drivers import Driver
from redis.asyncio import Redis

from longshift.adapters.brokers import Depth, TaskSource, open_source
from longshift.contracts.errors import BadInput


class TestValkey(BrokerContract):
    @pytest.fixture
    def driver(self, valkey: Driver) -> Driver:
        return valkey

    async def test_a_stream_that_was_deleted_is_made_again(
        self, driver: Driver, source: TaskSource, queue: str
    ) -> None:
        await driver.send(queue, b"{}", key="lost")
        assert "lost" == (await one(source)).key
        async with Redis(port=valkey_port(driver)) as client:
            await client.delete(queue)
        receiving = asyncio.create_task(source.receive(1, WAIT_SECONDS))
        await driver.send(queue, b"{}", key="new")
        assert ["new"] == [lease.key for lease in await receiving]

    async def test_an_entry_that_was_deleted_is_not_handed_over_again(self, driver: Driver, queue: str) -> None:
        async with (
            open_source(driver.url(queue, lease_seconds=1)) as source,
            Redis(port=valkey_port(driver)) as client,
        ):
            await driver.prepare(queue)
            await driver.send(queue, b"{}", b"{}", key="k{}")
            deleted, kept = await source.receive(2, WAIT_SECONDS)
            await client.xdel(queue, deleted.message_id)
            assert [("k1", 2)] == [(lease.key, lease.attempt) for lease in await source.receive(2, WAIT_SECONDS)]
            await deleted.dead_letter("no")
            await kept.ack()
            assert 0 == (await client.xpending(queue, "longshift"))["pending"]
            assert Depth(pending=0, dead=0) == await source.depth()

    async def test_what_another_has_settled_does_not_become_a_dead_letter(self, driver: Driver, queue: str) -> None:
        await driver.send(queue, b"{}", key="k")
        async with open_source(driver.url(queue, lease_seconds=1)) as source:
            slow, quick = await one(source), await one(source)
            await quick.ack()
            await slow.retry(0)
            await slow.dead_letter("too late")
            assert Depth(pending=0, dead=0) == await source.depth()
            assert [] == await source.receive(1, 0)

    async def test_a_key_of_another_type_is_bad_input(self, driver: Driver, queue: str) -> None:
        async with Redis(port=valkey_port(driver)) as client, open_source(driver.url(queue)) as source:
            await client.set(queue, "text")
            with pytest.raises(BadInput, match=r"intake_queues: .*the key is no stream"):
                await source.receive(1, 0)

    async def test_the_rights_that_the_manual_names_are_enough(self, driver: Driver, queue: str) -> None:
        rights = ["+@stream", "+@sortedset", "+@scripting", "+time"]
        port = valkey_port(driver)
        async with Redis(port=port) as client:
            await client.execute_command("ACL", "SETUSER", queue, "on", ">secret", f"~{queue}*", *rights)  # pyright: ignore[reportUnknownMemberType]  # untyped
        async with open_source(f"valkey://{queue}:secret@127.0.0.1:{port}?queue={queue}") as source:
            await driver.send(queue, b"{}", b"{}", key="k{}")
            await (await one(source)).dead_letter("no")
            await (await one(source)).retry(0)
            assert 1 == await source.requeue_dead()
            for _ in range(2):
                await (await one(source)).ack()
            assert Depth(pending=0, dead=0) == await source.depth()


def valkey_port(driver: Driver) -> int:
    return driver.servers[-1].port
