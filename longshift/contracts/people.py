"""Where people are told of sessions. What they are told is in `cards`."""

from enum import StrEnum

from longshift.contracts.wire import Wire


class Face(StrEnum):
    """A place where people are told."""

    SLACK = "slack"
    WEBHOOK = "webhook"


class PeopleChannels(Wire):
    """Where people are told of a session; resolved when its task was submitted. Nothing named: nobody is told."""

    slack_channel: str = ""
    """Id or name of a channel."""
    webhook: bool = False
    """Whether an incoming webhook is told; its URL is a secret of those who post."""
    ui_url: str = ""
    """Base URL of the Web UI with its namespace, for links."""

    @property
    def faces(self) -> tuple[Face, ...]:
        """The places that are named."""
        named = {Face.SLACK: bool(self.slack_channel), Face.WEBHOOK: self.webhook}
        return tuple(face for face, is_named in named.items() if is_named)
