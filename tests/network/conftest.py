"""The engine and the HTTP API that the tests of its own folder have."""

from tests.intake.http.conftest import api, client, engine

__all__ = ["api", "client", "engine"]
