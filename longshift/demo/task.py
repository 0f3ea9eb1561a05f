"""The demo's task: where the package comes from, how it is set up, and what proves that the bug is gone."""

import os
import sys
from pathlib import Path

from longshift.contracts.task import Check, TaskSpec, WorkspaceSource
from longshift.demo.pip import pip

PACKAGE = "marshmallow==3.12.1"
SUITE_NEEDS = ("pytest==8.4.2", "pytz==2025.2", "simplejson==3.20.2", "setuptools==80.9.0")

INSTRUCTIONS = """\
`fields.TimeDelta` loses a unit: with precision "milliseconds" it serialises `timedelta(milliseconds=345)` as 344.

Find the cause, mend it for every precision without changing how values between two units are truncated, and add a
regression test beside the existing tests of the field. The whole test suite has to stay green.
"""

REGRESSION = """\
PYTHONPATH=src "$HOME/venv/bin/python" -W ignore - <<'EOF'
import datetime as dt
from marshmallow import fields
field = fields.TimeDelta("milliseconds")
values = [*range(-2000, 2000), 86400345]
wrong = [n for n in values if field.serialize("d", {"d": dt.timedelta(milliseconds=n)}) != n]
assert fields.TimeDelta("seconds").serialize("d", {"d": dt.timedelta(milliseconds=1999)}) == 1
print(f"{len(values) - len(wrong)} of {len(values)} values serialise exactly")
raise SystemExit(bool(wrong))
EOF"""


def download(folder: Path) -> Path:
    """Fetch the package's source archive and the wheels of its suite into `folder`; a second time it is all there.

    Raises:
        BadInput: pip could not fetch them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "marshmallow-3.12.1.tar.gz"
    marker = folder / "complete"
    if not (archive.exists() and marker.exists()):
        pip(PACKAGE, "download", "--no-deps", "--no-binary", ":all:", "--dest", str(folder), PACKAGE)
        pip(PACKAGE, "download", "--only-binary", ":all:", "--dest", str(folder), *SUITE_NEEDS)
        marker.touch()
    return archive


def demo_task(task_id: str, archive: Path) -> TaskSpec:
    """The task, on the files that `download` fetched."""
    wheels = archive.parent
    needs = " ".join(SUITE_NEEDS)
    return TaskSpec(
        id=task_id,
        title="TimeDelta serialises 345 milliseconds as 344",
        instructions=INSTRUCTIONS,
        workspace=WorkspaceSource(archive=str(archive)),
        setup=(
            # Not the one of this environment, of which a sandbox shows nothing.
            f'"{os.path.realpath(sys.executable)}" -m venv "$HOME/venv"',
            f'"$HOME/venv/bin/pip" install --quiet --no-index --find-links "{wheels}" {needs}',
        ),
        checks=(
            Check(name="regression", run=REGRESSION, timeout_seconds=60),
            Check(
                name="suite",
                run='PYTHONPATH=src "$HOME/venv/bin/python" -m pytest -q -W ignore -o addopts= tests',
                timeout_seconds=600,
            ),
        ),
    )
