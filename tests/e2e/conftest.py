"""What end-to-end tests of swarms share: a real package, fetched once."""

import pytest

from tests.e2e.swarm_package import Package, Unavailable, fetched


@pytest.fixture(scope="session")
def package(request: pytest.FixtureRequest) -> Package:
    """The package, or a skipped test where it cannot be fetched."""
    cache = request.config.cache
    assert cache is not None
    try:
        return fetched(cache.mkdir("swarm-package"))
    except Unavailable as error:
        pytest.skip(str(error))
