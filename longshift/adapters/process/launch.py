"""Starts one supervisor process for a claimed run. Whether that is right, and what came of it, is judged elsewhere."""

import json
import os
import subprocess
from collections.abc import Mapping

from longshift.adapters.process import supervisor
from longshift.adapters.process.isolated import isolated_command
from longshift.adapters.process.run_directory import RunDirectory

ANSWER_TIMEOUT_SECONDS = 60.0


def supervisor_command(python: str, run: RunDirectory) -> tuple[str, ...]:
    """The command line of a supervisor."""
    return isolated_command(supervisor.__name__, str(run.path), python=python)


def launch(python: str, run: RunDirectory, secret_env: Mapping[str, str] | None = None) -> str:
    """Start a supervisor and wait until it has let the command go or has given up; gives its complaint, if any.

    Blocks for about 30 ms. The process started here ends at once; the supervisor proper is its orphan, in a session
    of its own, so that no signal to the worker's process group reaches it. `secret_env` goes through a pipe: command
    lines, environments and files can be read by others.
    """
    secrets = json.dumps(dict(secret_env)).encode() if secret_env else None
    with (
        run.open_log() as log,
        subprocess.Popen(
            supervisor_command(python, run),
            stdin=subprocess.PIPE if secret_env else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            # Its environment is readable for commands of the same user: nothing of the worker's may be in it.
            env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
            start_new_session=True,
        ) as starter,
    ):
        try:
            return starter.communicate(secrets, timeout=ANSWER_TIMEOUT_SECONDS)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            starter.kill()
            return f"no answer in {ANSWER_TIMEOUT_SECONDS:.0f} seconds"
