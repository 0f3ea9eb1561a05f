"""What `doctor` finds about the sandbox: it is attacked as it is when a host starts."""

from longshift.cli.diagnosis import Finding, Level
from longshift.cli.invocation import Invocation
from longshift.contracts.errors import BadInput, HostError
from longshift.sandboxes import tried_sandbox


async def sandbox(run: Invocation) -> Finding:
    """What stands between the model's commands and this machine."""
    name = run.settings.sandbox
    if name == "none":
        detail = "none – commands run unsandboxed, with this user's rights and network"
        return Finding("sandbox", Level.WARN, detail, "run in a virtual machine or a container that you can lose")
    try:
        _, report = await tried_sandbox(run.settings)
    except (BadInput, HostError) as error:
        detail, _, remedy = str(error).removeprefix("sandbox: ").partition("; ")
        return Finding("sandbox", Level.FAIL, f"{detail}: no host starts", remedy or "mend the setting")
    return Finding("sandbox", Level.OK, f"{name} stopped {report.stopped} of {len(report.tried)} attacks")
