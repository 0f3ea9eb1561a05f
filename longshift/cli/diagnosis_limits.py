"""What `doctor` says of the limits of sessions: what they are, and who enforces them on this host."""

from longshift.adapters.limits.choice import REMEDY, choose
from longshift.adapters.limits.host_size import host_size
from longshift.adapters.limits.sizes import size_text
from longshift.cli.diagnosis import Finding, Level
from longshift.cli.invocation import Invocation
from longshift.contracts.errors import HostError


def limits(run: Invocation) -> Finding:
    """Who keeps a session to which limits. It looks, and makes no group."""
    try:
        enforcement = choose(run.settings.session_limits)
    except HostError as error:
        return Finding("limits", Level.FAIL, str(error), "or set LONGSHIFT_SESSION_LIMITS=auto")
    values = run.settings.limits_of_session(host_size(run.settings.data_dir))
    detail = (
        f"{enforcement.name}; a session: {values.processes} processes, {size_text(values.memory_bytes)} of memory,"
        f" {values.processors:g} processors, {size_text(values.disk_bytes)} of files"
    )
    if not enforcement.gap:
        return Finding("limits", Level.OK, detail)
    return Finding("limits", Level.WARN, f"{detail}; {enforcement.gap} ({enforcement.why})", REMEDY)
