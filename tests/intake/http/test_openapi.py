"""The OpenAPI document is published as it is served. Run as a program it prints it."""

import json
import sys
from pathlib import Path

import httpx
import pytest
from openapi_spec_validator import validate

from longshift.intake.http.openapi import openapi
from longshift.intake.http.routes import ENDPOINTS
from tests.intake.http.conftest import Running

PUBLISHED = Path(__file__).parents[3] / "docs" / "openapi.json"
HINT = "write it anew: .venv/bin/python -m tests.intake.http.test_openapi > docs/openapi.json"


def printed() -> str:
    """The document as it is published."""
    return json.dumps(openapi(ENDPOINTS), indent=2, ensure_ascii=False) + "\n"


def test_the_published_document_is_that_of_the_routes() -> None:
    assert printed() == PUBLISHED.read_text(encoding="utf-8"), HINT


def test_the_document_is_valid() -> None:
    validate(openapi(ENDPOINTS))


def test_every_operation_has_a_name_of_its_own() -> None:
    assert len(ENDPOINTS) == len({endpoint.name for endpoint in ENDPOINTS})


@pytest.mark.engine
async def test_the_server_gives_it_to_everybody(api: Running) -> None:
    async with httpx.AsyncClient(base_url=api.url) as http:
        answer = await http.get("/openapi.json")
    assert openapi(ENDPOINTS) == answer.json()


if __name__ == "__main__":
    sys.stdout.write(printed())
