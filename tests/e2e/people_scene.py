"""An imitated Slack beside a whole Longshift: settings for worker and intake, and a session that is shown there."""

from longshift.adapters.fake_slack import ADA, APP_TOKEN, BOT_TOKEN, CHANNEL, FakeSlack, Posted
from longshift.contracts.people import PeopleChannels

CHANNELS = PeopleChannels(slack_channel=CHANNEL)


def variables(slack: FakeSlack) -> dict[str, str]:
    """What the processes are told of it."""
    return {
        "LONGSHIFT_SLACK_API_URL": slack.api_url,
        "LONGSHIFT_SLACK_BOT_TOKEN": BOT_TOKEN,
        "LONGSHIFT_SLACK_APP_TOKEN": APP_TOKEN,
        "LONGSHIFT_SLACK_CHANNEL": CHANNEL,
        "LONGSHIFT_SLACK_APPROVERS": ADA,
    }


def with_key(slack: FakeSlack, prefix: str) -> list[Posted]:
    """The messages whose key begins so, oldest first."""
    return [
        each
        for each in slack.workspace.messages
        if str(each.metadata.get("event_payload", {}).get("key", "")).startswith(prefix)
    ]
