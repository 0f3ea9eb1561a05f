"""The contract on sqs, and what only it can do."""

import pytest
from brokers_contract import BrokerContract, one
from brokers_drivers import Driver, SqsDriver

from longshift.adapters.brokers import open_source
from longshift.contracts.errors import BadInput


class TestSqs(BrokerContract):
    @pytest.fixture
    def driver(self, sqs: Driver) -> Driver:
        return sqs

    @pytest.fixture
    def refused(self, driver: Driver, queue: str, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
        return driver.refused_url(queue)

    async def test_a_fifo_queues_deduplication_id_is_the_key_and_survives_its_death(
        self, driver: Driver, queue: str
    ) -> None:
        assert isinstance(driver, SqsDriver)
        name = f"{queue}.fifo"
        await driver.prepare(name)
        async with driver.client() as client, open_source(driver.url(name)) as source:
            url = (await client.get_queue_url(QueueName=name))["QueueUrl"]
            await client.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="g", MessageDeduplicationId="k")
            await (await one(source)).dead_letter("no")
            assert ["k"] == [dead.key for dead in await source.list_dead(1)]
            assert 1 == await source.requeue_dead()
            assert "k" == (await one(source)).key

    async def test_a_queue_that_does_not_exist_is_bad_input(self, driver: Driver, queue: str) -> None:
        async with open_source(driver.url(queue)) as source:
            with pytest.raises(BadInput, match=r"intake_queues: .*there is no such queue; create it"):
                await source.receive(1, 0)
