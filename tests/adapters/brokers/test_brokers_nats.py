"""The contract on nats, and what only it can do."""

import pytest
from brokers_contract import BrokerContract
from brokers_drivers import Driver


class TestNats(BrokerContract):
    @pytest.fixture
    def driver(self, nats: Driver) -> Driver:
        return nats
