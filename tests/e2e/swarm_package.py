"""A real package of more than 300 modules, its tests, and the annotation that each of its modules is to get.

Fetched by pip when a test first needs it: Pygments, whose tests need nothing but pytest, and take some 15 s.
"""

import ast
import os
import re
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from longshift.demo.pip import pip

NAME = "pygments-2.21.0"
SOURCE = "pygments==2.21.0"
TOOLS = ("pytest==8.4.2",)
PYTHON = os.path.realpath(sys.executable)
"""Not the one of this environment, of which a sandbox shows nothing."""
ALL = "__all__ = ["
ALIASES = re.compile(r"^    aliases = \[.*\]$", re.MULTILINE)
TYPES: dict[type[ast.expr], str] = {ast.List: "list", ast.Tuple: "tuple", ast.Dict: "dict", ast.Set: "set"}


@dataclass(frozen=True)
class Edit:
    """One replacement in one file; `old` is there exactly once."""

    path: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        """The file after it."""
        return text.replace(self.old, self.new)

    @property
    def undone(self) -> "Edit":
        """The way back."""
        return Edit(self.path, self.new, self.old)


@dataclass(frozen=True)
class Package:
    """The unpacked source, and what its tests need, in a folder that commands may read."""

    source: Path
    tools: Path

    def annotations(self) -> list[Edit]:
        """One for each module that can get one, in the order of their paths."""
        paths = sorted(path.relative_to(self.source) for path in (self.source / "pygments").rglob("*.py"))
        found = (_annotation(str(path), (self.source / path).read_text()) for path in paths)
        return [edit for edit in found if edit is not None]

    def damage(self, path: str) -> Edit | None:
        """What makes a lexer's module fail the package's tests, where it can be done in one place."""
        text = (self.source / path).read_text()
        lines = ALIASES.findall(text)
        if not path.startswith("pygments/lexers/") or len(lines) != 1:
            return None
        return Edit(path, lines[0], lines[0].replace("[", "(", 1)[:-1].rstrip(",") + ",)")

    def command(self, *arguments: str) -> str:
        """A shell command that runs the package's own tests in the current folder."""
        options = "-q -p no:cacheprovider -o addopts= -W ignore"
        environment = f'PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="{self.tools}"'
        return f'{environment} "{PYTHON}" -m pytest {options} {" ".join(arguments)}'

    def readable(self) -> tuple[str, ...]:
        """What a sandbox has to show for it."""
        places = (str(self.tools), sys.base_prefix)
        return tuple(path for path in places if not Path(path).is_relative_to("/usr"))


def fetched(folder: Path) -> Package:
    """The package below `folder`; a second time it is all there.

    Raises: BadInput, where pip cannot fetch it.
    """
    whole = folder / NAME
    if not whole.exists():
        with tempfile.TemporaryDirectory(dir=folder) as name:
            place = Path(name)
            pip(SOURCE, "download", "--no-deps", "--no-binary", ":all:", "--dest", str(place), SOURCE)
            pip(SOURCE, "install", "--target", str(place / "tools"), *TOOLS)
            with tarfile.open(next(place.glob("*.tar.gz"))) as archive:
                archive.extractall(place / "unpacked", filter="data")
            ready = place / "ready"
            ready.mkdir()
            next((place / "unpacked").iterdir()).rename(ready / "source")
            (place / "tools").rename(ready / "tools")
            if not whole.exists():
                ready.rename(whole)
    return Package(whole / "source", whole / "tools")


def _annotation(path: str, text: str) -> Edit | None:
    tree = ast.parse(text)
    if any(isinstance(node, ast.AnnAssign) for node in tree.body):
        return None
    if text.count(ALL) == 1:
        return Edit(path, ALL, "__all__: list[str] = [")
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if type(value) in TYPES:
                old = f"\n{name} = "
                if text.count(old) == 1:
                    return Edit(path, old, f"\n{name}: {TYPES[type(value)]} = ")
            case _:
                continue
    return None
