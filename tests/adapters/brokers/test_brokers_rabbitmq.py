"""The contract on rabbitmq, and what only it can do."""

import pytest
from brokers_contract import BrokerContract, one
from brokers_drivers import Driver, RabbitDriver

from longshift.adapters.brokers import open_source
from longshift.contracts.errors import BrokerUnavailable


class TestRabbitmq(BrokerContract):
    @pytest.fixture
    def driver(self, rabbitmq: Driver) -> Driver:
        return rabbitmq

    async def test_a_classic_queue_of_the_users_is_used_as_it_is(self, driver: Driver, queue: str) -> None:
        assert isinstance(driver, RabbitDriver)
        async with await driver.connection() as connection, connection.channel() as channel:
            await channel.declare_queue(queue, durable=True)
        await driver.send(queue, b"{}", key="k")
        async with open_source(driver.url(queue)) as dying:
            assert 1 == (await one(dying)).attempt
        async with open_source(driver.url(queue)) as source:
            lease = await one(source)
            assert ("k", 2) == (lease.key, lease.attempt)
            await lease.retry(1)
            lease = await one(source)
            assert ("k", 3) == (lease.key, lease.attempt)

    async def test_what_the_server_gives_up_by_itself_is_kept_with_its_reason(self, driver: Driver, queue: str) -> None:
        assert isinstance(driver, RabbitDriver)
        async with open_source(driver.url(queue)) as source:
            await source.depth()
            await driver.send(queue, b"{}", key="k")
            async with await driver.connection() as connection, connection.channel() as channel:
                message = await (await channel.get_queue(queue)).get(timeout=20)
                await message.reject(requeue=False)
            while not (dead := await source.list_dead(1)):
                await source.receive(1, 0.1)
            assert ("k", "given up by the broker: rejected", queue) == (dead[0].key, dead[0].reason, dead[0].source)
            assert 1 == await source.requeue_dead("k")
            assert 1 == (await one(source)).attempt

    async def test_a_virtual_host_that_does_not_exist_is_asked_about(self, driver: Driver, queue: str) -> None:
        async with open_source(driver.url(queue).replace("/?", "/nowhere?")) as source:
            with pytest.raises(BrokerUnavailable, match=f"nowhere/{queue}: .*is there such a virtual host"):
                await source.depth()
