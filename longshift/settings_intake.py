"""Settings of the ways by which tasks come in, and of the queue that they go into. Part of `settings.Settings`."""

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from longshift.adapters.secrets import PossiblyReferred, reference_of

ADDRESS = r"^(\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}$"
"""`host:port`."""


def listed_in_text(value: Any) -> Any:
    """A list may be written as text with commas, as JSON or as a TOML list."""
    if not isinstance(value, str):
        return value
    return [part.strip().strip("\"'") for part in value.strip().strip("[]").split(",") if part.strip()]


class IntakeSettings(BaseSettings):
    """Where tasks come from, and in which order they are taken."""

    host_slots: int = Field(default=4, ge=0, le=1_000)
    """Sessions at a time on this host."""
    sub_agent_slots: int = Field(default=8, ge=0, le=1_000)
    """Sub-agents at a time on this host, beside the sessions."""
    swarm_width: int = Field(default=64, ge=1, le=300)
    """Sub-agents at work at a time in one swarm, over all hosts; a task may say less, and a provider that is busy makes
    it less. What starts is another matter: hosts let as many in as they have slots."""
    fairness_by: Literal["tenant", "repository"] = "tenant"
    """Whose turn a task counts as that names no fairness key."""
    cap_by: Literal["repository", "tenant", "fairness_key"] = "repository"
    """What `cap_sessions` counts."""
    cap_sessions: int = Field(default=0, ge=0, le=10_000)
    """Sessions of one repository (or what `cap_by` says) at a time, over all hosts; 0 for no limit."""

    intake_queues: Annotated[tuple[str, ...], NoDecode] = ()
    """URLs of the message queues that tasks are read from; docs/queues.md has their forms."""
    intake_attempts: int = Field(default=5, ge=1, le=100)
    """After so many deliveries a message that cannot be handed over goes to the dead letters."""
    intake_backlog_limit: int = Field(default=10_000, ge=1)
    """Queued sessions beyond which nothing more is taken in until hosts have caught up."""
    intake_local_sources: bool = False
    """Whether tasks from the network may name directories and archives of the hosts as their source."""
    inbox_dir: Path | None = None
    """Task files that are put here are submitted; `inbox` in the data directory when empty."""

    api_address: str | None = Field(default=None, pattern=ADDRESS)
    """`host:port` of the HTTP API; 127.0.0.1:7280, or a free port, when empty."""
    webhook_secrets: Annotated[tuple[PossiblyReferred, ...], NoDecode] = ()
    """`source=whsec_…` or `source=file:/path`, one for each source of signed webhooks; a source with two of them is
    rotating them."""
    github_webhook_secret: PossiblyReferred | None = None
    github_token: PossiblyReferred | None = None
    """For the reconciling poll, which finds what webhooks missed; it needs to read issues."""
    github_api_url: str = Field(default="https://api.github.com", pattern=r"^https?://\S+$")
    github_repositories: Annotated[tuple[str, ...], NoDecode] = ()
    """`owner/name` of the repositories whose issues may become tasks; without any, GitHub is off."""
    github_label: str = "longshift"
    """An issue with this label becomes a task."""
    github_command: str = "/longshift"
    """A comment that begins with this word makes a task of its issue, with the rest as instructions."""
    github_poll_seconds: float = Field(default=300, ge=10, le=86_400)

    @field_validator("intake_queues", "webhook_secrets", "github_repositories", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        return listed_in_text(value)

    def intake_secrets(self) -> dict[str, SecretStr]:
        """The secrets among these settings, by name; passwords of queue URLs included."""
        names = ("github_webhook_secret", "github_token")
        found: dict[str, SecretStr] = {name: secret for name in names if (secret := getattr(self, name)) is not None}
        for number, secret in enumerate(self.webhook_secrets, 1):
            found[f"webhook_secrets, entry {number}"] = secret if reference_of(secret) else _without_source(secret)
        for number, url in enumerate(self.intake_queues, 1):
            if password := urlsplit(url).password:
                found[f"intake_queues, entry {number}"] = SecretStr(password)
        return found


def _without_source(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    return SecretStr(text.partition("=")[2] or text)
