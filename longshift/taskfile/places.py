"""Paths of a task's workspace: made absolute against the task file's folder, and looked at before anything starts."""

import re
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from longshift.contracts.errors import BadInput
from longshift.taskfile.document import Document

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".zip")
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(://|::)|[^/:]+:(?!//)")
"""A URL, or the `host:path` of scp; anything else that git is given is a path."""


def resolved_workspace(document: Document, values: dict[str, Any]) -> dict[str, Any]:
    """`values` with the workspace's paths absolute. What is not text is left to validation."""
    workspace = values.get("workspace")
    if not isinstance(workspace, dict):
        return values
    folder = document.path.absolute().parent
    found = {**cast("dict[str, Any]", workspace)}
    for name in ("git", "directory", "archive"):
        address = found.get(name)
        if isinstance(address, str) and address.strip() and not _is_remote(name, address):
            found[name] = str(_absolute(folder, address))
    return {**values, "workspace": found}


def refuse_missing_places(document: Document, values: dict[str, Any]) -> None:
    """Look whether the workspace's source is there.

    Raises:
        BadInput: it is not, or is of the wrong kind.
    """
    workspace: dict[str, Any] = values.get("workspace") or {}
    for name in ("git", "directory", "archive"):
        address = workspace.get(name)
        if address is None:
            continue
        complaint = _complaint(name, str(address))
        if complaint:
            place = document.place(("workspace", name))
            raise BadInput(f"{place}: workspace.{name}: {complaint}")


def refuse_local_sources(document: Document, values: dict[str, Any], *, allowed: bool) -> None:
    """A source from over a wire has to be a URL, or with `allowed` an absolute path.

    Raises:
        BadInput: it is not.
    """
    workspace = values.get("workspace")
    if not isinstance(workspace, dict):
        return
    for name, address in cast("dict[str, Any]", workspace).items():
        if name not in {"git", "directory", "archive"} or not isinstance(address, str):
            continue
        field = f"{document.place(('workspace', name))}: workspace.{name}: {address!r}"
        if allowed and not _is_remote(name, address) and not address.startswith("/"):
            raise BadInput(f"{field} is a relative path; give an absolute one")
        if not allowed and (not _is_remote(name, address) or address.lower().startswith("file:")):
            raise BadInput(
                f"{field} is a path on the hosts, which tasks from the network may not name; use a git URL, "
                "or let the operator set LONGSHIFT_INTAKE_LOCAL_SOURCES=true"
            )


def _complaint(name: str, address: str) -> str:
    path = Path(unquote(urlsplit(address).path)) if address.startswith("file:") else Path(address)
    if _is_remote(name, address) and not address.startswith("file:"):
        return ""
    relative = "relative paths start at the task file's folder"
    if not path.exists():
        return f"{path} does not exist; give an existing path ({relative})"
    if name == "directory" and not path.is_dir():
        return f"{path} is not a directory; use workspace.archive for an archive file"
    if name == "archive" and not path.is_file():
        return f"{path} is not a file; use workspace.directory for a directory"
    if name == "archive" and not path.name.lower().endswith(ARCHIVES):
        return f"{path.name} is no archive that can be unpacked; use one of {', '.join(ARCHIVES)}"
    if name == "git" and path.is_dir() and not any((path / mark).exists() for mark in (".git", "HEAD")):
        return f"{path} is not a git repository; use workspace.directory for plain files"
    return ""


def _is_remote(name: str, address: str) -> bool:
    if name == "directory":
        return False
    return address.startswith("file:") if name == "archive" else _REMOTE.match(address) is not None


def _absolute(folder: Path, address: str) -> Path:
    path = Path(address)
    try:
        path = path.expanduser()
    except RuntimeError:
        return folder / path  # ~name of a person who does not exist here
    # Not resolved through links: people want to recognise what they wrote.
    return Path(_normalised(folder / path))


def _normalised(path: Path) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and len(parts) > 1 and not Path(*parts).is_symlink():
            parts.pop()
        elif part != ".":
            parts.append(part)
    return str(Path(*parts))
