"""What an error of Slack means: whether to try again, what to mend, or that the message is gone."""

from enum import Enum, auto
from typing import Any, cast

from slack_sdk.errors import SlackApiError

from longshift.contracts.errors import PeopleRefused, PeopleUnavailable

SERVER_ERRORS_FROM = 500


class Verdict(Enum):
    """What follows from an error."""

    AGAIN = auto()
    """It passes by itself."""
    GONE = auto()
    """What was to be edited is not there, or not ours to edit any more."""
    SHAPE = auto()
    """The blocks are refused: ours to mend; until then the plain text is posted."""
    REFUSED = auto()
    """A person has to mend something."""


VERDICTS = {
    **dict.fromkeys(
        (
            "ratelimited",
            "rate_limited",
            "internal_error",
            "fatal_error",
            "service_unavailable",
            "request_timeout",
            "accesslimited",
            "team_added_to_org",
        ),
        Verdict.AGAIN,
    ),
    **dict.fromkeys(("message_not_found", "cant_update_message", "edit_window_closed"), Verdict.GONE),
    **dict.fromkeys(
        (
            "invalid_blocks",
            "invalid_blocks_format",
            "msg_blocks_too_long",
            "msg_too_long",
            "block_mismatch",
            "slack_connect_blocked_file_type",
        ),
        Verdict.SHAPE,
    ),
}
"""Slack's names of errors; every other one is refused."""
REMEDIES = {
    "invalid_auth": "LONGSHIFT_SLACK_BOT_TOKEN is no valid token (xoxb-…)",
    "not_authed": "LONGSHIFT_SLACK_BOT_TOKEN is empty",
    "token_revoked": "the app was removed from the workspace; install it again and set LONGSHIFT_SLACK_BOT_TOKEN",
    "account_inactive": "the app's user was switched off; install it again and set LONGSHIFT_SLACK_BOT_TOKEN",
    "channel_not_found": "LONGSHIFT_SLACK_CHANNEL names no channel that the app can see; invite it, or mend the id",
    "not_in_channel": "the app is not in the channel; write `/invite @Longshift` there",
    "is_archived": "the channel is archived; name another one in LONGSHIFT_SLACK_CHANNEL",
    "missing_scope": "the app lacks a scope; apply deploy/slack-manifest.yaml anew and reinstall it",
}


def name_of(error: SlackApiError) -> str:
    """Slack's name of an error; empty where the answer was none of Slack's."""
    return str(_answer(error).get("error") or "")


def verdict_of(error: SlackApiError) -> Verdict:
    """What follows from it."""
    response: Any = error.response
    status: Any = getattr(response, "status_code", 200)
    if not name_of(error) or (isinstance(status, int) and status >= SERVER_ERRORS_FROM):
        return Verdict.AGAIN
    return VERDICTS.get(name_of(error), Verdict.REFUSED)


def failure_of(error: SlackApiError) -> PeopleUnavailable | PeopleRefused:
    """As a failure of ours, with its remedy."""
    name = name_of(error)
    if verdict_of(error) is Verdict.AGAIN:
        return PeopleUnavailable(f"Slack: {name or 'an answer that is none'}")
    needed = f" (needs {_answer(error)['needed']})" if _answer(error).get("needed") else ""
    remedy = f": {REMEDIES[name]}" if name in REMEDIES else ""
    return PeopleRefused(f"Slack: {name}{remedy}{needed}")


def _answer(error: SlackApiError) -> dict[str, Any]:
    response: Any = error.response
    data: Any = getattr(response, "data", response)
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}
