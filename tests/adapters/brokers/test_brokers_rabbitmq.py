"""The contract on rabbitmq, and what only it can do."""

import pytest
from brokers_contract import BrokerContract
from brokers_drivers import Driver


class TestRabbitmq(BrokerContract):
    @pytest.fixture
    def driver(self, rabbitmq: Driver) -> Driver:
        return rabbitmq
