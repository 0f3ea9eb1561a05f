"""The contract on sqs, and what only it can do."""

import pytest
from brokers_contract import BrokerContract
from brokers_drivers import Driver


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
