"""A Slack on loopback for tests and the demo: Web API, Socket Mode, and what people do there.

It refuses what Slack refuses (tokens, scopes, channels, shapes and lengths of blocks and views), fails by order (rate
limit, 5xx, an answer or a request lost, Slack's own errors), and can be stopped and started with all its messages. Its
page shows the channel, with buttons that work. What it does not have: files, users, other channels, rate limits of its
own.
"""

from longshift.adapters.fake_slack.faults import Fault, FaultKind
from longshift.adapters.fake_slack.server import APP_TOKEN, BOT_TOKEN, FakeSlack
from longshift.adapters.fake_slack.workspace import ADA, BOB, CHANNEL, EVE, TEAM, Posted, Whisper, Workspace

__all__ = [
    "ADA",
    "APP_TOKEN",
    "BOB",
    "BOT_TOKEN",
    "CHANNEL",
    "EVE",
    "TEAM",
    "FakeSlack",
    "Fault",
    "FaultKind",
    "Posted",
    "Whisper",
    "Workspace",
]
