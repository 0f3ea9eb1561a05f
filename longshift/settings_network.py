"""Settings of what commands may reach on the network. Part of `settings.Settings`."""

from collections.abc import Mapping

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from longshift.contracts.network import NetworkProfile
from longshift.contracts.task import NETWORK_PATTERN, TaskSpec
from longshift.policy import network
from longshift.policy.network import NO_NETWORK


class NetworkSettings(BaseSettings):
    """Profiles, and which one a task gets that names none."""

    network_profiles: Mapping[str, NetworkProfile] = {}
    """Allow-lists by name: tables `[network_profiles.NAME]`; docs/network.md has their fields. `none` is built in."""
    default_network: str = Field(default=NO_NETWORK, pattern=NETWORK_PATTERN)
    """The profile of agents' commands and checks, for tasks that name none."""
    default_setup_network: str = Field(default=NO_NETWORK, pattern=NETWORK_PATTERN)
    """The profile of setup commands, for tasks that name none."""

    @field_validator("network_profiles")
    @classmethod
    def _well_formed(cls, profiles: Mapping[str, NetworkProfile]) -> Mapping[str, NetworkProfile]:
        network.refuse_bad_names(profiles)
        return {name: network.well_formed(name, profile) for name, profile in profiles.items()}

    @field_validator("default_network", "default_setup_network")
    @classmethod
    def _known(cls, name: str, info: ValidationInfo) -> str:
        profiles = info.data.get("network_profiles", {})
        if name != NO_NETWORK and name not in profiles:
            raise ValueError(f"no network profile is named so; choose one of {', '.join([NO_NETWORK, *profiles])}")
        return name

    def refuse_network(self, task: TaskSpec) -> None:
        """Make sure that the task's network profiles are there and for its tenant.

        Raises:
            BadInput: one is not; the message names the field and what there is.
        """
        for field, name in (
            network.agent_profile(task, self.default_network),
            network.setup_profile(task, self.default_setup_network),
        ):
            network.access(field, name, self.network_profiles, task.tenant)
