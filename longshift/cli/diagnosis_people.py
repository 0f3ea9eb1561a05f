"""What `doctor` looks at in how people are told and asked: Slack's token, channel and approvers."""

import asyncio

from longshift.adapters.slack import web_client
from longshift.cli.diagnosis import Finding, Level
from longshift.cli.invocation import Invocation
from longshift.contracts.errors import BadInput, PeopleError
from longshift.intake.slack.gateway import NOBODY, asked
from longshift.settings import Settings

NAME = "people"


async def people(run: Invocation) -> Finding:
    """Whether sessions are shown anywhere, and whether Slack takes the token."""
    settings = run.settings
    if settings.slack_bot_token is None:
        return _without_token(settings)
    try:
        token = await asyncio.to_thread(settings.slack_bot_token.get_secret_value)
        me = await asked(web_client(token, settings.slack_api_url), "auth.test")
    except (BadInput, PeopleError) as error:
        return Finding(NAME, Level.FAIL, str(error), "mend what it names; docs/slack.md has the set-up")
    detail = f"Slack: {me.get('user')} in {me.get('team')}"
    if not settings.slack_channel:
        remedy = "set LONGSHIFT_SLACK_CHANNEL where tasks are submitted, to the id of a channel"
        return Finding(NAME, Level.WARN, f"{detail}; no channel is set, so no session is shown", remedy)
    if settings.slack_app_token is None:
        remedy = "set LONGSHIFT_SLACK_APP_TOKEN, for buttons and replies to be heard"
        return Finding(NAME, Level.WARN, f"{detail}; nobody listens", remedy)
    if not settings.slack_approvers:
        return Finding(NAME, Level.WARN, f"{detail}; nobody may decide there", NOBODY)
    return Finding(
        NAME, Level.OK, f"{detail}, channel {settings.slack_channel}, {len(settings.slack_approvers)} may decide"
    )


def _without_token(settings: Settings) -> Finding:
    if settings.slack_channel or settings.slack_app_token is not None:
        remedy = "set LONGSHIFT_SLACK_BOT_TOKEN here, unless the workers that post have it"
        return Finding(NAME, Level.WARN, "Slack is named, and there is no token to post with", remedy)
    if settings.webhook_url is not None:
        return Finding(NAME, Level.OK, "a webhook is told")
    return Finding(NAME, Level.OK, "nobody is told; docs/slack.md says how to have sessions shown in Slack")
