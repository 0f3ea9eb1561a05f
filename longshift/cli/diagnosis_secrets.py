"""What `doctor` looks at in secrets: whether each can be found where the configuration says, and who can read it."""

from longshift.adapters.secrets import readable_by_others, reference_of
from longshift.cli.diagnosis import Finding, Level
from longshift.cli.invocation import Invocation

NAME = "secrets"


def secrets(run: Invocation) -> Finding:
    """Every reference is looked up once; no value is shown. Blocks."""
    settings = run.settings
    given = settings.secrets_given()
    complaints = settings.resolve_secrets()
    if complaints:
        detail = "; ".join(
            complaint if name in complaint else f"{name}: {complaint}" for name, complaint in complaints.items()
        )
        return Finding(NAME, Level.FAIL, detail, "mend what it names; docs/secrets.md says what can be written")
    files = {name: reference.path for name, secret in given.items() if (reference := reference_of(secret))}
    open_files = [f"{name} ({path})" for name, path in files.items() if path is not None and readable_by_others(path)]
    if open_files:
        detail = f"other users of this machine can read or write: {', '.join(open_files)}"
        return Finding(NAME, Level.WARN, detail, "chmod 600 the file, owned by the worker's user")
    nobodys = [name for name, each in settings.secrets.items() if not each.tenants or not each.phases]
    if nobodys:
        detail = f"no task may use: {', '.join(nobodys)}"
        return Finding(NAME, Level.WARN, detail, 'name tenants, or "*" for all; without them a secret is nobody\'s')
    count = len(settings.secrets)
    return Finding(NAME, Level.OK, f"{len(given)} found, {count} of them for the setup of tasks" if given else "none")
