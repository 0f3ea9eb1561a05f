"""`doctor` about the places where people are told."""

import pytest

from longshift.adapters.fake_slack import ADA, APP_TOKEN, BOT_TOKEN, CHANNEL, FakeSlack
from longshift.cli.diagnosis_people import people
from longshift.cli.invocation import Invocation

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
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], level: str, words: str
) -> None:
    async with FakeSlack() as slack:
        for name, value in {**FULL, "LONGSHIFT_SLACK_API_URL": slack.api_url, **changed}.items():
            monkeypatch.setenv(name, value)
        found = await people(Invocation(json=True, data_dir=None, log=None))
    assert (level, True) == (found.level.value, words in found.detail)
