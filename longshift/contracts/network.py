"""What a session may reach on the network, and what it did reach."""

from enum import StrEnum

from pydantic import Field

from longshift.contracts.wire import UserInput, Wire


class NetworkPhase(StrEnum):
    """When something is reached; each phase has a profile and a proxy of its own."""

    SETUP = "setup"
    AGENT = "agent"
    """The agent's commands, and the checks."""


class NetworkProfile(UserInput):
    """An allow-list that an operator writes: a table `[network_profiles.NAME]` of the configuration."""

    hosts: tuple[str, ...] = Field(min_length=1, max_length=500)
    """`example.org`, `*.example.org` (all names below it), `git.example.org:2222`, an address, or `*` for every host;
    without a port 443 and 80 are meant."""
    allow_private: tuple[str, ...] = ()
    """Networks, such as `10.1.0.0/16`, whose addresses may be connected to although they are not public."""
    max_bytes: int = Field(default=2_000_000_000, gt=0, lt=2**63)
    """Each way, for one session on one host in one phase."""
    tenants: tuple[str, ...] = ()
    """Whose tasks may use it; empty: all."""


class NetworkAccess(Wire):
    """What the commands of a workspace may reach."""

    profile: str
    """`none`: nothing."""
    hosts: tuple[str, ...] = ()
    """The entries of its allow-list, at most 40, for people and for the prompt."""
    more_hosts: int = 0
    """How many are left out."""


class NetworkUse(Wire):
    """What a session asked of the network; hosts by number of requests, the most first, at most 40 of each."""

    requests: int = 0
    refused: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    reached_hosts: tuple[str, ...] = ()
    refused_hosts: tuple[str, ...] = ()
