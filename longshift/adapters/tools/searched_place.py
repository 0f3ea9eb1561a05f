"""What `glob` and `grep` look at: a file or folder, and which ignore files and globs apply to it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from longshift.adapters.tools.outcome import ToolContext
from longshift.adapters.tools.paths import Tree

_EVERYTHING: Final = frozenset({"*", "**", "**/*", "/**", "/**/*"})


@dataclass(frozen=True)
class SearchedPlace:
    """What a search looks at."""

    root: Path
    shown_root: str
    """The root as the model knows it."""
    relative: str
    """Beneath the root, without links; `.` for the root itself."""
    is_folder: bool
    is_repository: bool
    has_ignore_file: bool
    context: ToolContext

    @classmethod
    def find(cls, tree: Tree, path: str, context: ToolContext) -> "SearchedPlace":
        """Locate `path`.

        Raises:
            ToolRefused: It leads out, does not exist, or is no ordinary file, such as a pipe that rg would wait at.
        """
        with tree.locate(path) as located:
            if not located.is_folder:
                os.close(located.open_file())
            return cls(
                tree.root,
                tree.shown_root,
                located.relative,
                located.is_folder,
                is_repository=(tree.root / ".git").exists(),
                has_ignore_file=(tree.root / ".gitignore").is_file(),
                context=context,
            )

    def options(self) -> tuple[str, ...]:
        """Options that keep rg to the ignore files of this tree."""
        require = () if self.is_repository else ("--no-require-git",)
        if self.relative == ".":
            # Else rg would look up to `/`, and a workspace that lies in an ignored folder would seem empty.
            return (*require, "--no-ignore-parent")
        if self.is_repository:
            return ()  # of the folders above, rg itself takes .gitignore files up to the repository's root
        own = ("--ignore-file=.gitignore",) if self.has_ignore_file else ()
        return (*require, "--no-ignore-parent", *own)

    def anchored(self, pattern: str) -> str | None:
        """A glob that is meant relative to this place, as rg needs it: relative to the root; None for every file."""
        negation = "!" if pattern.startswith("!") else ""
        bare = pattern.removeprefix("!").removeprefix(self.shown_root).removeprefix("./")
        if not negation and bare in _EVERYTHING:
            return None
        if "/" not in bare:
            return negation + bare
        here = "" if self.relative == "." else "/" + "".join(f"\\{c}" if c in "*?[]{}\\!" else c for c in self.relative)
        return f"{negation}{here}/{bare.lstrip('/')}"
