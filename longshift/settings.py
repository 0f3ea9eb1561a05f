"""All configuration, read once at the entry point into one frozen value and handed down.

Layers, the later wins: defaults, `~/.config/longshift/config.toml`, `./longshift.toml`, `LONGSHIFT_*`, command line.
The connection to an external engine is not here: the SDK reads its own `TEMPORAL_*` and `temporal.toml` (`connect`).
"""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, StringConstraints, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from longshift import settings_layers
from longshift.adapters.model.profiles import load_profiles, override
from longshift.adapters.secrets import PossiblyReferred
from longshift.contracts.agent import AgentLimits
from longshift.contracts.errors import BadInput
from longshift.contracts.model import Limits, ModelProfile
from longshift.contracts.task import Budget
from longshift.host_identity import PATTERN as HOST_PATTERN
from longshift.host_identity import persisted_host_id
from longshift.settings_budget import BudgetSettings
from longshift.settings_codec import CodecSettings
from longshift.settings_delivery import DeliverySettings
from longshift.settings_intake import ADDRESS, IntakeSettings, listed_in_text
from longshift.settings_limits import LimitSettings
from longshift.settings_network import NetworkSettings
from longshift.settings_people import PeopleSettings
from longshift.settings_sandbox import SandboxSettings
from longshift.settings_secrets import SecretsSettings, resolve_all, seen

MODEL_API_KEY = "LONGSHIFT_MODEL_API_KEY"
OTLP_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
EXTERNAL_ENGINE_VARIABLES = ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE")
"""Any of these says that a server runs already. A `temporal.toml` in its default place alone does not: it may be there
for other work, and sessions must not land in somebody's cluster unasked."""


def _default_data_dir() -> Path:
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "longshift"


def _store_in(values: dict[str, Any]) -> str:
    return (values["data_dir"] / "store").as_uri()


class Settings(
    BudgetSettings,
    CodecSettings,
    DeliverySettings,
    IntakeSettings,
    LimitSettings,
    NetworkSettings,
    PeopleSettings,
    SandboxSettings,
    SecretsSettings,
):
    """The configuration of one process."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True)

    data_dir: Path = Field(default_factory=_default_data_dir)
    """The engine's database, workspaces, runs and, by default, the store."""
    store_url: str = Field(default_factory=_store_in, min_length=1)
    """`file:///…` in the data directory by default; `s3://…`, `gs://…`, `az://…`."""
    host: Annotated[str, StringConstraints(pattern=HOST_PATTERN)] | None = None
    """This host's name in queue names; a random one, kept in the data directory, when empty."""

    engine_port: int | None = Field(default=None, ge=1, le=65_535)
    """Of the embedded engine; 7233 or a free one when empty."""
    engine_ui: bool = True

    model_profile: str = "kimi-k2.6"
    """The profile of tasks that name none."""
    model_profiles: Annotated[tuple[Path, ...], NoDecode] = ()
    """TOML files with further profiles."""
    model_fallback: Annotated[tuple[str, ...], NoDecode] = ()
    """Profiles that take over, in this order, when a provider stays down; for tasks that name none."""
    fallback_after_seconds: float = Field(default=1_800, ge=1, le=86_400)
    """How long a provider is waited for before the next profile takes over."""
    model_base_url: str | None = None
    """Instead of the default profile's own."""
    model_name: str | None = None
    """Instead of the default profile's own `model`."""
    model_api_key: PossiblyReferred | None = None
    """For the default profile, instead of the variable that it names."""
    provider_share: float = Field(default=1.0, gt=0, le=1)
    """The part of every provider account's limits that this worker keeps to."""
    model_slots: int = Field(default=64, ge=1, le=10_000)
    """Model calls at a time."""
    tool_slots: int = Field(default=32, ge=1, le=10_000)
    """Tool calls at a time on this host."""

    compact_at_share: float = Field(default=0.85, gt=0.1, le=0.98)
    """Of the window, when the context is compressed."""
    wrap_up_seconds: float = Field(default=900, ge=0, le=86_400)
    """How long before the deadline the agent is told to wrap up."""
    remind_after_seconds: float = Field(default=14_400, ge=0, le=2_592_000)
    """How long after a question people are reminded of it first, and then every 12 hours; 0: never."""

    disk_floor_bytes: int = Field(default=1_000_000_000, ge=0)
    """Nothing new is started with less free space than this."""
    graceful_shutdown_seconds: float = Field(default=30, ge=0, le=3_600)
    """How long a stopping worker lets calls end and sessions let go of their slots."""

    host_patience_seconds: float = Field(default=45, ge=1, le=86_400)
    """How long the host of a session is waited for when it falls silent, before another one takes the session over."""

    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    otlp_endpoint: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """Base URL of an OTLP/HTTP collector; also from `OTEL_EXPORTER_OTLP_ENDPOINT`."""
    metrics_address: str | None = Field(default=None, pattern=ADDRESS)
    """`host:port` where Prometheus scrapes."""
    health_address: str | None = Field(default=None, pattern=ADDRESS)
    """`host:port` of the worker's /healthz and /readyz."""

    uses_external_engine: bool = False
    """The environment names a Temporal server; derived, not a setting."""
    provider_keys: Mapping[str, PossiblyReferred] = {}
    """The keys that profiles name, by variable; derived, not a setting."""
    profile_files: tuple[Path, ...] = ()
    """Configuration files that hold profiles; derived, not a setting."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what it is given: `load_settings` is the one place that looks elsewhere."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings  # never read behind anybody's back
        return (init_settings,)

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("model_profiles", "model_fallback", mode="before")
    @classmethod
    def _list_in_text(cls, value: Any) -> Any:
        return listed_in_text(value)

    @field_validator("model_profiles")
    @classmethod
    def _expanded(cls, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(path.expanduser() for path in paths)

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @cached_property
    def host_id(self) -> str:
        """This host's name in queue names; made and kept at the first use.

        Raises:
            BadInput: the data directory cannot be written.
        """
        return self.host or persisted_host_id(self.data_dir)

    @property
    def has_model(self) -> bool:
        """Whether a live model can be asked: an address or the key of the default profile is configured."""
        profile = self.profiles()[self.model_profile]
        return self.model_base_url is not None or self.has_key(profile.api_key_env)

    def profiles(self) -> dict[str, ModelProfile]:
        """All provider profiles by name, the default one with this process's changes; files are read once.

        Raises:
            BadInput: a file is wrong, or the default profile does not exist.
        """
        return dict(self._profiles)

    @cached_property
    def _profiles(self) -> dict[str, ModelProfile]:
        found = load_profiles(*self.profile_files, *self.model_profiles)
        if self.model_profile not in found:
            raise BadInput(f"model_profile: no profile {self.model_profile!r}; there are: {', '.join(sorted(found))}")
        shared = {name: self._shared(profile) for name, profile in found.items()}
        shared[self.model_profile] = override(
            shared[self.model_profile],
            base_url=self.model_base_url,
            model=self.model_name,
            api_key_env=MODEL_API_KEY if self.model_api_key else None,
            # What an account may do is known for the profile's own endpoint only.
            limits=Limits(share=self.provider_share) if self.model_base_url else None,
        )
        return shared

    def _shared(self, profile: ModelProfile) -> ModelProfile:
        if self.provider_share == 1:
            return profile
        limits = profile.limits.model_copy(update={"share": profile.limits.share * self.provider_share})
        return profile.model_copy(update={"limits": limits})

    def has_key(self, variable: str) -> bool:
        """Whether the key that a profile names by its variable is configured; it is not looked up."""
        return self._secret_of(variable) is not None

    def _secret_of(self, variable: str) -> SecretStr | None:
        return self.model_api_key if variable == MODEL_API_KEY else self.provider_keys.get(variable)

    def key_of(self, variable: str) -> str | None:
        """The key that a profile names by its variable. Blocks, where that says where the key is.

        Raises:
            BadInput: it cannot be found there.
        """
        key = self._secret_of(variable)
        return key.get_secret_value() if key else None

    def secrets_given(self) -> dict[str, SecretStr]:
        """Every secret of this configuration, by the name that messages call it."""
        return dict(self._secrets_given)

    @cached_property
    def _secrets_given(self) -> dict[str, SecretStr]:
        own = {"model_api_key": self.model_api_key} if self.model_api_key else {}
        named = {f"secrets.{name}": secret for name, secret in self.secret_book.secrets.items()}
        faces = {**self.intake_secrets(), **self.people_secrets(), **self.codec_secrets(), **self.delivery_secrets()}
        return {**own, **self.provider_keys, **faces, **named}

    def resolve_secrets(self, *, run_commands: bool = True) -> dict[str, str]:
        """Look up every secret that is elsewhere, so that redaction knows it. Blocks; gives complaints by name."""
        return resolve_all(self.secrets_given().items(), run_commands=run_commands)

    def secret_values(self) -> frozenset[str]:
        """Every secret value that this process knows by now, for redaction."""
        return seen(self._secrets_given.items())

    def agent_limits(self, budget: Budget) -> AgentLimits:
        """What an agent keeps to: the task's budget and this configuration."""
        return AgentLimits(
            steps=budget.steps,
            tokens=budget.tokens,
            usd=budget.usd,
            warn_at_share=budget.warn_at_share or self.budget_warn_at_share,
            on_limit=budget.on_limit,
            compact_at_share=self.compact_at_share,
            fallback_after_seconds=self.fallback_after_seconds,
            swarm_width=self.swarm_width,
        )


DERIVED = frozenset({"uses_external_engine", "provider_keys", "profile_files"})
KNOWN = frozenset(Settings.model_fields) - DERIVED


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read all layers. `overrides` come from the command line; those that are None were not given.

    Raises:
        BadInput: a value or a key is wrong; the message names layer, field and remedy.
    """
    layers = settings_layers.Layers()
    settings_layers.add_file(layers, settings_layers.user_file(), KNOWN)
    settings_layers.add_file(layers, Path.cwd() / settings_layers.PROJECT_FILE, KNOWN)
    if os.environ.get(OTLP_VARIABLE) and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true":
        layers.add("environment", {"otlp_endpoint": os.environ[OTLP_VARIABLE]})
    settings_layers.add_environment(layers, Settings, KNOWN)
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    settings_layers.refuse_unknown("command line", given, KNOWN)
    layers.add("command line", given)
    settings = _validated(layers, {})
    named = {profile.api_key_env for profile in settings.profiles().values()} - {MODEL_API_KEY}
    settings_layers.refuse_unknown_variables(KNOWN, named)
    keys = {name: os.environ[name] for name in named if os.environ.get(name, "").strip()}
    return _validated(layers, {"provider_keys": keys})


def _validated(layers: settings_layers.Layers, derived: Mapping[str, Any]) -> Settings:
    external = any(os.environ.get(name) for name in EXTERNAL_ENGINE_VARIABLES)
    found: dict[str, Any] = {"uses_external_engine": external, "profile_files": tuple(layers.profile_files)}
    try:
        return Settings(**layers.values, **found, **derived)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        is_secret = name in settings_layers.SECRET_FIELDS or name in ("secrets", "provider_keys")
        field = ".".join(map(str, first["loc"]))
        got = "" if is_secret else f"; got {first['input']!r}"
        raise BadInput(f"{layers.name_of(name)}: {field}: {first['msg']}{got}") from None
