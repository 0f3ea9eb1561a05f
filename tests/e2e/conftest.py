"""What end-to-end tests of swarms share: a real package, fetched once."""

import pytest

from longshift.contracts.errors import BadInput
from tests.e2e.swarm_package import Package, fetched

FOR_TESTS = ("LONGSHIFT_SWARM_ITEMS", "LONGSHIFT_KILL_SEED")
"""Tests read them; a worker would refuse them as settings that it does not know."""


@pytest.fixture(autouse=True)
def _own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FOR_TESTS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def package(request: pytest.FixtureRequest) -> Package:
    """The package, or a skipped test where it cannot be fetched."""
    cache = request.config.cache
    assert cache is not None
    try:
        return fetched(cache.mkdir("swarm-package"))
    except BadInput as error:
        pytest.skip(str(error))
