"""Signed webhooks: whoever has the secret hands in tasks; a repetition, honest or not, is the same session."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook
from temporalio.client import Client

from longshift.contracts.errors import BadInput
from longshift.intake.http.signers import signers
from tests.intake.http.conftest import TASK, WEBHOOK_SECRET, Running, running

OTHER_SECRET = "whsec_" + "YW5vdGhlci1zZWNyZXQtb2YtYS10ZXN0IQ=="
BODY = json.dumps(TASK)


def signed(body: str = BODY, *, key: str, secret: str = WEBHOOK_SECRET, at: float | None = None) -> dict[str, str]:
    """The headers of a message."""
    moment = datetime.fromtimestamp(int(at or time.time()), tz=UTC)
    return {
        "content-type": "application/json",
        "webhook-id": key,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(key, moment, body),
    }


async def sent(url: str, headers: dict[str, str], content: str | bytes = BODY, source: str = "ci") -> httpx.Response:
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        return await http.post(f"/webhooks/tasks/{source}", content=content, headers=headers)


@pytest.mark.engine
async def test_a_replayed_message_is_the_session_that_exists(api: Running) -> None:
    headers = signed(key="msg_1")
    answers = [await sent(api.url, headers) for _ in range(3)]
    assert [201, 200, 200] == [answer.status_code for answer in answers]
    assert 1 == len({answer.json()["task_id"] for answer in answers})


@pytest.mark.engine
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"webhook-signature": "v1,AAAA"}, "no matching signature"),
        ({"webhook-signature": "v1"}, "invalid signature headers"),
        ({"webhook-signature": "v1,A"}, "invalid signature headers"),
        ({"webhook-signature": ""}, "missing required headers"),
        ({"webhook-id": "msg_other"}, "no matching signature"),
        ({"webhook-timestamp": "nan"}, "invalid signature headers"),
        ({"webhook-timestamp": "1e400"}, "invalid signature headers"),
        (lambda: signed(key="msg_2", at=time.time() - 301), "too old"),
        (lambda: signed(key="msg_2", at=time.time() + 86_400), "too new"),
        (lambda: signed(key="msg_2", secret=OTHER_SECRET), "no matching signature"),
    ],
)
async def test_what_is_not_signed_as_it_must_be_is_refused(
    api: Running, change: dict[str, str] | Callable[[], dict[str, str]], words: str
) -> None:
    changed = change() if callable(change) else change
    answer = await sent(api.url, {**signed(key="msg_2"), **changed})
    assert (401, "unauthorized", True) == (
        answer.status_code,
        answer.json()["error"]["kind"],
        words in answer.json()["error"]["message"],
    )


@pytest.mark.engine
async def test_a_changed_body_an_unknown_source_and_no_text_are_refused(api: Running) -> None:
    headers = signed(key="msg_3")
    answers = [
        await sent(api.url, headers, BODY + " "),
        await sent(api.url, headers, b"\xff"),
        await sent(api.url, headers, source="nobody"),
    ]
    assert [401] * 3 == [answer.status_code for answer in answers]
    assert "no secret" in answers[2].json()["error"]["message"]


@pytest.mark.engine
async def test_a_signed_message_that_is_no_task_names_the_field(api: Running) -> None:
    body = json.dumps({"title": "x", "instructions": "y", "priority": 9})
    answer = await sent(api.url, signed(body, key="msg_4"), body)
    assert (422, "priority") == (answer.status_code, answer.json()["error"]["field"])


@pytest.mark.engine
async def test_a_source_that_rotates_its_secret_has_two(client: Client, tmp_path: Path) -> None:
    secrets: Any = (f"ci={WEBHOOK_SECRET}", f"ci={OTHER_SECRET}")
    async with running(client, tmp_path, webhook_secrets=secrets) as api:
        answers = [
            await sent(api.url, signed(key=f"rotated-{number}", secret=secret))
            for number, secret in enumerate((WEBHOOK_SECRET, OTHER_SECRET))
        ]
    assert [201, 201] == [answer.status_code for answer in answers]


@pytest.mark.parametrize("text", ["whsec_AAAA", "ci=", "ci=whsec_", "ci=whsec_ä", "a b=whsec_AAAA", "=whsec_AAAA"])
def test_a_secret_without_its_form_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(BadInput, match="source=whsec_") as caught:
        signers([SecretStr(text)])
    assert "AAAA" not in str(caught.value)
