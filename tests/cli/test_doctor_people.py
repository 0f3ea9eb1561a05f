"""`doctor` about the places where people are told."""

import asyncio
from typing import Any

import pytest

from longshift.adapters.fake_slack import ADA, APP_TOKEN, BOT_TOKEN, CHANNEL, FakeSlack
from tests.cli.conftest import Command

FULL = {
    "LONGSHIFT_SLACK_BOT_TOKEN": BOT_TOKEN,
    "LONGSHIFT_SLACK_APP_TOKEN": APP_TOKEN,
    "LONGSHIFT_SLACK_CHANNEL": CHANNEL,
    "LONGSHIFT_SLACK_APPROVERS": ADA,
}


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        ({}, "ok", "Slack: longshift in Fake, channel C0FAKE001, 1 may decide"),
        ({"LONGSHIFT_SLACK_BOT_TOKEN": "xoxb-other"}, "fail", "invalid_auth"),
        ({"LONGSHIFT_SLACK_APPROVERS": ""}, "warn", "nobody may decide"),
        ({"LONGSHIFT_SLACK_CHANNEL": ""}, "warn", "no session is shown"),
        ({"LONGSHIFT_SLACK_APP_TOKEN": ""}, "warn", "nobody listens"),
        ({"LONGSHIFT_SLACK_BOT_TOKEN": ""}, "warn", "no token to post with"),
    ],
)
async def test_what_is_missing_in_slack_is_said(
    longshift: Command, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], level: str, words: str
) -> None:
    async with FakeSlack() as slack:
        for name, value in {**FULL, "LONGSHIFT_SLACK_API_URL": slack.api_url, **changed}.items():
            monkeypatch.setenv(name, value)
        outcome = await asyncio.to_thread(longshift, "doctor", "--json")
    found: dict[str, Any] = next(each for each in outcome.document["findings"] if each["name"] == "people")
    assert (level, True) == (found["level"], words in found["detail"])
