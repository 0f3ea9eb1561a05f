"""Published packages, fetched by pip; from where, its own configuration says."""

import subprocess
import sys

from longshift.contracts.errors import BadInput

TIMEOUT_SECONDS = 600


def pip(what: str, *arguments: str) -> None:
    """Run pip for `what`, which is named where it fails.

    Raises:
        BadInput: it did not end well, or not in time.
    """
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BadInput(f"pip did not fetch {what} within {TIMEOUT_SECONDS} s; check the network") from error
    if done.returncode != 0:
        raise BadInput(f"pip could not fetch {what}: {done.stderr.strip()[-1_000:]}")
