"""The HTTP client that the tests of this folder share."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from scripted_model_client import Client

from longshift.adapters.scripted_model import ScriptedModel

Connect = Callable[[ScriptedModel], Client]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    async with httpx.AsyncClient(timeout=20) as http:
        yield lambda model: Client(http, model.base_url)
