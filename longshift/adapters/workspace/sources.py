"""Fetching a task's files: one function for every kind of source. How each kind is read is in its own module."""

import asyncio
import errno
import uuid
from pathlib import Path

from longshift.adapters.workspace.archive import unpack_archive
from longshift.adapters.workspace.beneath import removed
from longshift.adapters.workspace.clone import clone, head_commit
from longshift.adapters.workspace.directory import copy_directory
from longshift.adapters.workspace.git import RunGit, run_git
from longshift.adapters.workspace.user_repository import make_independent, refuse_borrowing
from longshift.contracts.errors import BadInput, DiskFull, WorkspaceFailed
from longshift.contracts.task import WorkspaceSource

PART_SUFFIX = ".part"


async def fetch(
    source: WorkspaceSource,
    into: Path,
    *,
    skip: Path | None = None,
    run: RunGit = run_git,
    inside: RunGit | None = None,
    commit: str = "",
) -> str:
    """Make the tree `into` from its source, whole or not at all; `skip` is a folder that is never copied.

    `run` reads what is the operator's, `inside` works on what came from elsewhere.

    A git source is fetched at `commit` if one is given. The answer is the commit that was fetched, if there is one.

    Raises:
        BadInput: the source cannot be used; the text names the field and the remedy.
        DiskFull: there is no space left.
        WorkspaceFailed: it could not be read or written for another reason.
    """
    for name in ("directory", "archive"):
        value = getattr(source, name)
        if value is not None and not value.startswith(("/", "file:") if name == "archive" else "/"):
            raise BadInput(f"workspace.{name}: {value!r} is a relative path; give an absolute one")
    inside = inside or run
    part = into.with_name(f".{into.name}.{uuid.uuid4().hex}{PART_SUFFIX}")
    part.mkdir(parents=True)
    tree = part / "tree"
    try:
        if source.git is not None:
            await clone(source, tree, run=run, inside=inside, commit=commit)
        elif source.directory is not None:
            await copy_directory(source, tree, skip=skip, run=run)
        elif source.archive is not None:
            await unpack_archive(source, tree)
        else:
            tree.mkdir()
        if source.archive is not None:
            await asyncio.to_thread(refuse_borrowing, tree)
        # A copy of the operator's folder may borrow from repositories that the sandbox does not show.
        await make_independent(tree, run=run if source.directory is not None else inside)
        fetched = await head_commit(tree, inside) if source.git is not None else ""
        tree.rename(into)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"the disk is full while the workspace is fetched: {error}") from error
        raise WorkspaceFailed(f"the workspace cannot be fetched: {error}") from error
    else:
        return fetched
    finally:
        await asyncio.to_thread(removed, part)


def remove_parts(folder: Path) -> None:
    """Remove what fetches that were killed have left in `folder`."""
    for part in folder.glob(f".*{PART_SUFFIX}"):
        removed(part)
