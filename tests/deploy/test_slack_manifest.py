"""The manifest asks for what the app does, and for nothing else."""

from typing import Any

import yaml

from longshift.adapters.fake_slack.web_api import SCOPES
from tests.deploy.files import DEPLOY

MANIFEST: dict[str, Any] = yaml.safe_load((DEPLOY / "slack-manifest.yaml").read_text(encoding="utf-8"))
PRIVATE = {"groups:history"}
"""What private channels need instead of `channels:history`."""
OF_THE_APP_TOKEN = {"connections:write"}


def test_the_scopes_are_those_of_the_methods_that_are_called() -> None:
    needed = set(SCOPES.values()) - OF_THE_APP_TOKEN | PRIVATE
    assert needed == set(MANIFEST["oauth_config"]["scopes"]["bot"])


def test_it_needs_no_public_address() -> None:
    settings = MANIFEST["settings"]
    assert (True, True) == (settings["socket_mode_enabled"], settings["interactivity"]["is_enabled"])
    assert {"message.channels", "message.groups"} == set(settings["event_subscriptions"]["bot_events"])
    assert "request_url" not in str(MANIFEST)
