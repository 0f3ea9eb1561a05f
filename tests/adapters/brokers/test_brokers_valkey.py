"""The contract on valkey, and what only it can do."""

import pytest
from brokers_contract import BrokerContract
from brokers_drivers import Driver


class TestValkey(BrokerContract):
    @pytest.fixture
    def driver(self, valkey: Driver) -> Driver:
        return valkey
