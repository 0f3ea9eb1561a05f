"""A git that says it is of Ubuntu 22.04, and is otherwise the one that is installed."""

import os
import shutil
from pathlib import Path

import pytest


def put_old_git_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write it to `folder`, which becomes the first of the PATH."""
    real = shutil.which("git")
    folder.mkdir()
    program = folder / "git"
    program.write_text(
        f"""#!/bin/sh
for word in "$@"; do
    case $word in version|--version) echo "git version 2.34.1"; exit 0;; esac
done
exec {real} "$@"
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
