"""The contract on nats, and what only it can do."""

import pytest
from brokers_contract import BrokerContract, one
from brokers_drivers import Driver, NatsDriver
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from longshift.adapters.brokers import Depth, open_source
from longshift.contracts.errors import BrokerUnavailable


class TestNats(BrokerContract):
    @pytest.fixture
    def driver(self, nats: Driver) -> Driver:
        return nats

    async def test_a_stream_of_the_users_is_used_as_it_is(self, driver: Driver, queue: str) -> None:
        assert isinstance(driver, NatsDriver)
        client = await driver.client()
        jetstream = JetStreamContext(client)
        await jetstream.add_stream(StreamConfig(name=f"all-{queue}", subjects=[f"{queue}.>"]))  # pyright: ignore[reportUnknownMemberType]  # untyped
        async with open_source(driver.url(f"{queue}.new")) as source:
            await driver.send(f"{queue}.new", b"{}", b"{}", key="k{}")
            await (await one(source)).ack()
            await (await one(source)).dead_letter("no")
            assert Depth(pending=0, dead=1) == await source.depth()
            assert ["k1"] == [dead.key for dead in await source.list_dead(10)]
        assert 3 == (await jetstream.stream_info(f"all-{queue}")).state.messages
        await client.close()

    @pytest.mark.slow
    async def test_a_consumer_that_was_deleted_is_made_again(self, driver: Driver, queue: str) -> None:
        assert isinstance(driver, NatsDriver)
        client = await driver.client()
        async with open_source(driver.url(queue)) as source:
            await source.depth()
            await JetStreamContext(client).delete_consumer(queue, "longshift")
            await driver.send(queue, b"{}", key="k")
            with pytest.raises(BrokerUnavailable, match=queue):
                await source.receive(1, 0)
            assert "k" == (await one(source)).key
        await client.close()
