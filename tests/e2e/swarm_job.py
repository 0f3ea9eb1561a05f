"""A real job for a swarm: many modules of a package get an annotation each; some items are planted to go wrong.

The items and what is to come of them are here; how the scripted sub-agents go about it is in `swarm_model`.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from longshift.contracts.swarm import ItemStatus
from tests.e2e.swarm_package import PYTHON, Edit, Package

TASK = "job"
SWARM = "job.swarm1"
SHARED = "AUTHORS"
"""Where items with an order collide."""
OUTSIDE = "README.rst"
"""In nobody's write scope."""
QUICK = {
    "repeats": 2,
    "cycle_repeats": 2,
    "refused_finishes": 2,
    "errors": 3,
    "plateau": 3,
    "stale_steps": 4,
    "grace_steps": 1,
}
"""Thresholds of being stuck, so that a loop costs a dozen steps."""
COSTLY_SHARE = 0.0005
"""Of the swarm's 30,000 steps, less the lead's reserve: about 14."""
IS_ANNOTATED = (
    "import ast, sys; sys.exit(not any(isinstance(n, ast.AnnAssign) for n in ast.parse(open(sys.argv[1]).read()).body))"
)


class Role(StrEnum):
    """What a sub-agent does beside annotating its module."""

    PLAIN = "annotate"
    COLLIDES = "collides"
    """Adds a line at the end of the shared file, as others do."""
    RED = "red"
    """Its own check can never be green."""
    OUTSIDE = "outside"
    """Writes a file outside of its scope, and insists on it."""
    LEAKS = "leaks"
    """Green, but its module holds a secret of the runner's: its work is refused at the seal."""
    BREAKS = "breaks"
    """Green by itself, but the package's tests fail; whoever is to mend it does nothing."""
    MENDED = "mended"
    """The same, and its resolver mends it."""
    LOOPS = "loops"
    """Makes the same call again and again."""
    COSTLY = "costly"
    """Works on and on, each step something new."""


OUTCOMES = {
    Role.PLAIN: ItemStatus.MERGED,
    Role.COLLIDES: ItemStatus.MERGED,
    Role.MENDED: ItemStatus.MERGED,
    Role.BREAKS: ItemStatus.DROPPED,
    Role.RED: ItemStatus.FAILED,
    Role.OUTSIDE: ItemStatus.FAILED,
    Role.LEAKS: ItemStatus.FAILED,
    Role.LOOPS: ItemStatus.FAILED,
    Role.COSTLY: ItemStatus.FAILED,
}
PLANTED = (
    Role.COLLIDES,
    Role.COLLIDES,
    Role.COLLIDES,
    Role.RED,
    Role.OUTSIDE,
    Role.BREAKS,
    Role.MENDED,
    Role.LOOPS,
    Role.LEAKS,
)


@dataclass(frozen=True)
class JobItem:
    """One item: its name in the plan, what it does, its module."""

    id: str
    role: Role
    edit: Edit
    damage: Edit | None = None

    @property
    def line(self) -> str:
        """What it adds to the shared file."""
        return f"* {self.id} -- an annotation"


@dataclass(frozen=True)
class Job:
    """All items, in the order of the plan."""

    package: Package
    items: tuple[JobItem, ...]

    @classmethod
    def planned(cls, package: Package, size: int, planted: tuple[Role, ...] = PLANTED) -> "Job":
        """A job of `size` modules, spread over the package, `planted` among them."""
        annotations = package.annotations()
        chosen = [annotations[number * len(annotations) // size] for number in range(size)]
        damages = {edit.path: package.damage(edit.path) for edit in chosen}
        taken: list[JobItem] = []
        for number, role in enumerate(planted, 1):
            edit = next(each for each in chosen if role not in (Role.BREAKS, Role.MENDED) or damages[each.path])
            chosen.remove(edit)
            taken.append(JobItem(f"{role.value}-{number}", role, edit, damages[edit.path]))
        digits = len(str(len(chosen)))
        plain = (JobItem(f"annotate-{number:0{digits}}", Role.PLAIN, edit) for number, edit in enumerate(chosen, 1))
        return cls(package, (*taken, *plain))

    @property
    def by_id(self) -> dict[str, JobItem]:
        """Items by their name."""
        return {item.id: item for item in self.items}

    def arguments(self) -> dict[str, Any]:
        """Of the `delegate` call: one template, and the planted items by themselves."""
        plain = [item.edit.path for item in self.items if item.role is Role.PLAIN]
        template = {
            "id": "annotate-{{number}}",
            "goal": "Annotate the first assignment of {{input}} with its type.",
            "inputs": ["{{input}}"],
            "write_scope": ["{{input}}"],
            "checks": [{"name": "annotated", "run": _check("{{input}}")}],
            "over": plain,
        }
        return {
            "goal": "Every module says the type of what it exports.",
            "items": [self._planted(item) for item in self.items if item.role is not Role.PLAIN],
            "templates": [template] if plain else [],
        }

    def _planted(self, item: JobItem) -> dict[str, Any]:
        colliding = [each.id for each in self.items if each.role is Role.COLLIDES]
        path = item.edit.path
        run = "false" if item.role is Role.RED else _check(path)
        shared = item.role is Role.COLLIDES
        return {
            "id": item.id,
            "goal": f"Annotate the first assignment of {path} with its type.",
            "inputs": [path],
            "write_scope": [path, SHARED] if shared else [path],
            "merge_after": colliding[: colliding.index(item.id)] if shared else [],
            "checks": [{"name": "annotated", "run": run}],
            **({"budget_share": COSTLY_SHARE} if item.role is Role.COSTLY else {}),
        }

    def outcomes(self) -> dict[str, ItemStatus]:
        """What is to come of each item."""
        return {item.id: OUTCOMES[item.role] for item in self.items}

    def task(self, source: Path, **fields: object) -> dict[str, Any]:
        """Fields of the task, for `Rig.submit`; `source` is the repository."""
        tests = self.package.command("tests/test_basic_api.py", "-k", "lexer_classes", "-x")
        given: dict[str, Any] = {
            "instructions": "Annotate the modules, a sub-agent for each.",
            "workspace": {"git": str(source)},
            "checks": [{"name": "lexers", "run": tests, "timeout_seconds": 300}],
            "stuck": QUICK,
            "budget": {"steps": 30_000},
            "swarm": {"width": 8},
        }
        return {**given, **fields}

    def files(self) -> dict[str, str]:
        """What the tree has to be in the end, where it differs from the source: path → text."""
        merged = [item for item in self.items if OUTCOMES[item.role] is ItemStatus.MERGED]
        found = {
            item.edit.path: item.edit.applied((self.package.source / item.edit.path).read_text()) for item in merged
        }
        lines = "".join(f"{item.line}\n" for item in merged if item.role is Role.COLLIDES)
        if lines:
            found[SHARED] = (self.package.source / SHARED).read_text() + lines
        return found


def lay_out(package: Package, folder: Path) -> None:
    """The source as a repository with one commit, in a folder that is there and empty."""
    shutil.copytree(package.source, folder, dirs_exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "As released")


def git(folder: Path, *arguments: str) -> str:
    """What git says, as a user of its own."""
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "safe.directory=*"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def changed(source: Path, tree: Path) -> dict[str, str | None]:
    """Path → text of all files of `tree` that differ from `source`; None: it is gone."""
    before, after = _texts(source), _texts(tree)
    return {path: after.get(path) for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def _texts(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text(errors="replace")
        for path in root.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(root).parts and not re.search("__pycache__", str(path))
    }


def _check(path: str) -> str:
    return f"\"{PYTHON}\" -c '{IS_ANNOTATED}' {path}"
