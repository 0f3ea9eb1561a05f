"""The one way by which file tools turn a path from the model into an open file.

Relative paths resolve beneath the folder; what leads out of it is refused, and what is not an ordinary file is never
opened for reading or writing, so that a pipe or a device cannot block the worker. Reading and writing are elsewhere.
"""

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from longshift.adapters.tools.folder_names import is_there, similar_names
from longshift.adapters.tools.located import Located, Target, failure_of
from longshift.adapters.tools.openers import PathOpener
from longshift.adapters.tools.outcome import ToolRefused


class Tree:
    """A folder that file tools may touch."""

    def __init__(self, root: Path, opener: PathOpener, *, seen: str = "") -> None:
        """`seen` is the folder's path as the model knows it, where that is not its own."""
        self.root = root
        self.shown_root = seen or str(root)
        """The folder's path as the model knows it."""
        self._roots = (seen,) if seen else (str(root), os.path.realpath(root))
        self._opener = opener

    def holds(self, path: str) -> bool:
        """Whether the absolute `path` names something beneath the folder, by its text."""
        return self._beneath(path) is not None

    @contextmanager
    def locate(self, path: str) -> Generator[Located]:
        """Open what `path` names.

        Raises:
            ToolRefused: It leads out, does not exist, or cannot be opened.
        """
        relative = self._relative(path)
        with self._open_root() as root:
            try:
                descriptor = self._opener.open_path(root, relative)
            except FileNotFoundError:
                raise ToolRefused(self._missing(root, path, relative)) from None
            except OSError as error:
                raise failure_of(error, path) from error
            try:
                yield self._located(root, descriptor, path)
            finally:
                os.close(descriptor)

    @contextmanager
    def place(self, path: str) -> Generator[Target]:
        """Open the folder in which the file `path` lies or is to lie; missing folders are created.

        Raises:
            ToolRefused: It leads out, into `.git`, or is something else than an ordinary file.
        """
        relative = self._relative(path)
        with self._open_root() as root:
            try:
                canonical, existing = self._canonical(root, path, relative)
                _refuse_git(path, canonical)
                folder = self._make_folders(root, path, os.path.dirname(canonical))
            except OSError as error:
                raise failure_of(error, path) from error
            try:
                yield Target(folder, os.path.basename(canonical), canonical, existing)
            finally:
                os.close(folder)

    @contextmanager
    def _open_root(self) -> Generator[int]:
        try:
            root = os.open(self.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ToolRefused(f"The folder {self.shown_root} is not there.") from None
        try:
            yield root
        finally:
            os.close(root)

    def _beneath(self, path: str) -> str | None:
        """`path` relative to the folder, when it is absolute and starts with the folder's path."""
        for root in self._roots:
            if path == root:
                return "."
            if path.startswith(root.rstrip("/") + "/"):
                return path[len(root.rstrip("/")) :].lstrip("/") or "."
        return None

    def _relative(self, path: str) -> str:
        if "\x00" in path:
            raise ToolRefused("The path holds a NUL character.")
        try:
            os.fsencode(path)
        except UnicodeEncodeError:
            raise ToolRefused("The path holds a character that no file name can have.") from None
        if not path.startswith("/"):
            return path or "."
        relative = self._beneath(path)
        if relative is None:
            raise ToolRefused(
                f"{path} is outside of the workspace. Use a path relative to its root, {self.shown_root}."
            )
        return relative

    def _located(self, root: int, descriptor: int, path: str) -> Located:
        full = os.readlink(f"/proc/self/fd/{descriptor}")
        status = os.fstat(descriptor)
        base = os.readlink(f"/proc/self/fd/{root}").rstrip("/")
        # A deleted file's link reads "name (deleted)", which would be taken for its name.
        if status.st_nlink == 0 or not (full == base or full.startswith(base + "/")):
            raise ToolRefused(f"{path} was moved or deleted while it was opened; look again.")
        return Located(descriptor, full[len(base) + 1 :] or ".", status)

    def _canonical(self, root: int, path: str, relative: str) -> tuple[str, os.stat_result | None]:
        """The path without links of a file that exists, or of the one to be created."""
        try:
            descriptor = self._opener.open_path(root, relative)
        except FileNotFoundError:
            return self._canonical_new(root, path, relative), None
        try:
            located = self._located(root, descriptor, path)
        finally:
            os.close(descriptor)
        if located.is_folder:
            raise ToolRefused(f"{path} is a folder; give the path of a file.")
        if not stat.S_ISREG(located.status.st_mode):
            raise ToolRefused(f"{path} is not an ordinary file.")
        return located.relative, located.status

    def _canonical_new(self, root: int, path: str, relative: str) -> str:
        parts = [part for part in relative.split("/") if part not in ("", ".")]
        if relative.endswith("/") or not parts or parts[-1] == "..":
            raise ToolRefused(f"{path} names a folder; give the path of a file.")
        for kept in range(len(parts) - 1, -1, -1):
            try:
                descriptor = self._opener.open_path(root, "/".join(parts[:kept]) or ".")
            except FileNotFoundError:
                continue
            try:
                located = self._located(root, descriptor, path)
                if is_there(descriptor, parts[kept]):
                    raise ToolRefused(f"{path} goes through {parts[kept]}, a symbolic link whose target is missing.")
            finally:
                os.close(descriptor)
            if ".." in parts[kept:]:
                raise ToolRefused(f"{path} has .. beneath a folder that does not exist.")
            return os.path.normpath(os.path.join(located.relative, *parts[kept:]))
        raise ToolRefused(f"{path} cannot be created.")

    def _make_folders(self, root: int, path: str, relative: str) -> int:
        """An O_PATH descriptor of the folder `relative`, created with its parents where it is missing."""
        try:
            return self._opener.open_path(root, relative or ".")
        except FileNotFoundError:
            pass
        folder = os.dup(root)
        for part in relative.split("/"):
            try:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=folder)
                # A canonical path has no links; one that is there now was put there meanwhile.
                inner = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            finally:
                os.close(folder)
            folder = inner
        return folder

    def _missing(self, root: int, path: str, relative: str) -> str:
        """Says how far the path exists and which names there are like the missing one."""
        parts = [part for part in relative.split("/") if part not in ("", ".")]
        for kept in range(len(parts) - 1, -1, -1):
            parent = "/".join(parts[:kept]) or "."
            try:
                descriptor = self._opener.open_path(root, parent)
            except OSError:
                continue
            try:
                if is_there(descriptor, parts[kept]):  # and yet it could not be followed
                    return f"{path} does not exist: {parts[kept]} is a symbolic link whose target is missing."
                near = similar_names(descriptor, parts[kept])
            finally:
                os.close(descriptor)
            where = "" if kept == len(parts) - 1 else f" There is no {parts[kept]} in {parent}."
            hint = f" Similar names there: {', '.join(near)}." if near else ""
            return f"{path} does not exist.{where}{hint}"
        return f"{path} does not exist."


def _refuse_git(path: str, canonical: str) -> None:
    if any(part.lower() == ".git" for part in canonical.split("/")):
        raise ToolRefused(f"{path} lies in .git, which file tools do not change; use git through bash.")
