"""Writing an untrusted archive's members to disk, whatever its format.

Files and folders are written while no link exists yet, so nothing can be written through one. Links come last,
and each has to point inside.
"""

import os
from pathlib import Path, PurePosixPath
from typing import IO

from longshift.adapters.workspace.quota import Quota
from longshift.contracts.errors import BadInput

CHUNK_BYTES = 1_048_576
DEPTH_LIMIT = 200
LATEST_TIME = 2**32
"""Later times do not fit every file system."""


class Unpacking:
    """Writes members below `root`, an empty folder.

    Its methods raise BadInput for a member that leads outside, contradicts another one, or is too much.
    """

    def __init__(self, root: Path, archive: Path, quota: Quota) -> None:
        self.root = root
        self.archive = archive
        self.quota = quota
        self._links: dict[str, str] = {}

    def refusal(self, name: str, why: str) -> BadInput:
        """The error that names a member."""
        return BadInput(f"workspace.archive: {self.archive}: member {name!r} {why}; pack the archive without it")

    def _clean(self, name: str) -> str:
        """The member's name as a clean relative path; empty for the top itself."""
        if name.startswith("/") or "\0" in name:
            raise self.refusal(name, "has an absolute name")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise self.refusal(name, "leads outside")
        if len(parts) > DEPTH_LIMIT:
            raise self.refusal(name, f"lies more than {DEPTH_LIMIT} folders deep")
        return "/".join(parts)

    def folder(self, name: str) -> None:
        """Make a folder."""
        self.quota.take(0, members=1)
        self._parent_made(self.root / self._clean(name), name)

    def file(self, name: str, content: IO[bytes], *, mode: int, mtime: float | None) -> None:
        """Write a file; a later member of the same name replaces an earlier one."""
        clean = self._clean(name)
        path = self.root / clean
        self.quota.take(0, members=1)
        self._parent_made(path.parent, name)
        if path.is_dir():
            raise self.refusal(name, "is a file and a folder")
        path.unlink(missing_ok=True)
        self._links.pop(clean, None)
        with path.open("xb") as out:
            while chunk := content.read(CHUNK_BYTES):
                self.quota.take(len(chunk))
                out.write(chunk)
        path.chmod(mode & 0o777 | 0o600)
        if mtime is not None and 0 <= mtime < LATEST_TIME:
            os.utime(path, (mtime, mtime))

    def hard_link(self, name: str, target: str) -> None:
        """Write a hard link as a file of its own."""
        origin = self.root / self._clean(target)
        if not origin.is_file():
            raise self.refusal(name, f"is a link to {target!r}, which the archive does not hold")
        with origin.open("rb") as content:
            status = origin.stat()
            self.file(name, content, mode=status.st_mode, mtime=status.st_mtime)

    def link(self, name: str, target: str) -> None:
        """Announce a symbolic link."""
        self.quota.take(0, members=1)
        if target.startswith("/") or not target or "\0" in target:
            raise self.refusal(name, f"is a link to {target!r}, outside of the archive")
        self._links[self._clean(name)] = target

    def make_links(self) -> None:
        """Make the links that were announced, now that nothing is written any more."""
        for name, target in self._links.items():
            path = self.root / name
            if any(parent.as_posix() in self._links for parent in PurePosixPath(name).parents):
                raise self.refusal(name, "lies below a link")
            self._parent_made(path.parent, name)
            if os.path.lexists(path):
                raise self.refusal(name, "is a link and something else")
            path.symlink_to(target)

    def refuse_links_outside(self, root: Path, stripped: str) -> None:
        """Check where the links really lead, when the tree is at `root`, its top folder `stripped` gone."""
        real_root = os.path.realpath(root)
        for name in self._links:
            path = root / (name if stripped == "." else name.removeprefix(f"{stripped}/"))
            if not Path(os.path.realpath(path)).is_relative_to(real_root):
                raise self.refusal(name, f"is a link to {self._links[name]!r}, outside of the archive")

    def _parent_made(self, folder: Path, name: str) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise self.refusal(name, "lies below a file") from error
