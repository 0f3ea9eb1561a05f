"""What `doctor` looks at in what commands may reach: the profiles, and whether anything enforces them."""

from longshift.cli.diagnosis import Finding, Level
from longshift.cli.invocation import Invocation
from longshift.policy.hosts import ANY_HOST
from longshift.policy.network import NO_NETWORK

NAME = "network"


def network(run: Invocation) -> Finding:
    """Which hosts commands may reach here."""
    settings = run.settings
    named = ", ".join(sorted(settings.network_profiles)) or "no profiles"
    detail = f"{named}; agents get {settings.default_network}, setups {settings.default_setup_network}"
    if settings.sandbox == "none":
        detail = f"{detail}; not enforced: without a sandbox commands have this machine's network"
        if not settings.network_profiles:
            return Finding(NAME, Level.OK, detail)
        remedy = "set a sandbox; without one the profiles only log what the programs that obey them ask for"
        return Finding(NAME, Level.WARN, detail, remedy)
    default = settings.network_profiles.get(settings.default_network)
    if settings.default_network != NO_NETWORK and default is not None and ANY_HOST in default.hosts:
        remedy = "name the hosts that agents need, or let the tasks that need more name such a profile themselves"
        return Finding(NAME, Level.WARN, f"{detail}; agents may reach, and send to, every public host", remedy)
    return Finding(NAME, Level.OK, detail)
