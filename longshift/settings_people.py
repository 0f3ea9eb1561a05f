"""Settings of the places where people are told of sessions and asked. Part of `settings.Settings`."""

from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from longshift.adapters.secrets import PossiblyReferred
from longshift.settings_intake import listed_in_text

USER_PATTERN = r"^[UW][A-Z0-9]{5,}$"


class PeopleSettings(BaseSettings):
    """Slack and the plain webhook."""

    slack_bot_token: PossiblyReferred | None = None
    """`xoxb-…`, for those who post: workers that run workflows, and the gateway."""
    slack_app_token: PossiblyReferred | None = None
    """`xapp-…`, for the gateway: with it the intake process listens to what people do in Slack."""
    slack_channel: str = Field(default="", pattern=r"^([CG][A-Z0-9]{5,})?$")
    """The id of the channel that sessions are shown in, such as `C0123ABCD`; empty: none."""
    slack_approvers: Annotated[tuple[Annotated[str, Field(pattern=USER_PATTERN)], ...], NoDecode] = ()
    """Ids of the users who may decide and steer, such as `U0123ABCD`; empty: nobody in Slack may."""
    slack_api_url: str = Field(default="https://slack.com/api/", pattern=r"^https?://\S+$")
    webhook_url: PossiblyReferred | None = None
    """An incoming webhook that is told, where Slack's app is too much."""
    ui_url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """The Web UI with its namespace, for links in messages, such as `https://temporal.example/namespaces/default`."""

    @field_validator("slack_approvers", mode="before")
    @classmethod
    def _approvers(cls, value: Any) -> Any:
        return listed_in_text(value)

    def people_secrets(self) -> dict[str, SecretStr]:
        """The secrets among these settings, by name."""
        names = ("slack_bot_token", "slack_app_token", "webhook_url")
        return {name: secret for name in names if (secret := getattr(self, name)) is not None}
