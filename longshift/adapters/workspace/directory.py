"""Copying a directory, the original untouched: its files, hidden ones too, and a repository that stands on its own.

A `.git` that is only a pointer (a linked work tree, a submodule) becomes a real repository in the copy, because
otherwise a commit in the workspace would be one in the original. So do pointers in the folders below, unless what they
point to is copied too. For the same reason links that lead out of a repository are replaced by what they lead to.
"""

import os
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

from longshift.adapters.workspace.chunks import copied_chunk, copy_attributes
from longshift.adapters.workspace.git import GitCall, RunGit
from longshift.adapters.workspace.git_environment import hardened_environment
from longshift.adapters.workspace.quota import Quota, in_thread
from longshift.adapters.workspace.user_repository import make_independent
from longshift.contracts.errors import BadInput
from longshift.contracts.task import WorkspaceSource

SHOWN_CHANGES = 5
POINTER_LIMIT_CHARACTERS = 4_000
_KINDS = {
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}
_NOT_COPIED = frozenset({"worktrees", "index.lock", "HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock"})
"""At the top of a git directory: what belongs to other work trees, or to a git that runs at this moment."""


@dataclass(frozen=True)
class _Copying:
    """One copy on its way."""

    origin: Path
    skip: Path | None
    quota: Quota
    made: list[Path] = field(default_factory=list[Path])
    """Folders of the copy, below its top, whose pointer has become a repository."""


async def copy_directory(source: WorkspaceSource, into: Path, *, skip: Path | None, run: RunGit) -> None:
    """Copy `source.directory` to `into`, without the folder `skip` inside of it.

    Raises:
        BadInput: it is missing, too large, has uncommitted changes, or holds something that is not a file.
    """
    origin, skip = _resolved(Path(source.directory or ""), skip)
    if not source.allow_dirty and (origin / ".git").exists():
        await _refuse_uncommitted(origin, skip, run)
    copying = _Copying(origin, skip, Quota("directory", source.max_bytes))
    await in_thread(lambda: _copy(into, copying), copying.quota)
    for folder in copying.made:
        await make_independent(folder, run=run)


def _resolved(origin: Path, skip: Path | None) -> tuple[Path, Path | None]:
    if not origin.is_dir():
        raise BadInput(f"workspace.directory: {origin} is not a directory on this host; give an existing one")
    origin, skip = origin.resolve(), skip.resolve() if skip is not None else None
    if origin == skip:
        raise BadInput(f"workspace.directory: {origin} is the runner's own data directory; give another one")
    return origin, skip


async def _refuse_uncommitted(origin: Path, skip: Path | None, run: RunGit) -> None:
    """Look for uncommitted changes without running anything that the repository names, or writing to it."""
    listed = await run(
        GitCall(
            ("config", "--null", "--name-only", "--get-regexp", r"^filter\."),
            origin,
            hardened_environment(),
        )
    )
    drivers = {name.rpartition(".")[0] for name in listed.names}
    silenced = {f"{driver}.{key}": "" for driver in sorted(drivers) for key in ("clean", "smudge", "process")}
    silenced |= {f"{driver}.required": "false" for driver in drivers}
    paths = ["."]
    if skip is not None and skip.is_relative_to(origin):
        paths.append(f":(exclude,literal){skip.relative_to(origin)}")
    command = ("status", "--porcelain", "-z", "--untracked-files=normal", "--no-renames", "--ignore-submodules=all")
    result = await run(GitCall((*command, "--", *paths), origin, hardened_environment(silenced), timeout_seconds=600))
    if result.exit_code != 0:
        raise BadInput(
            f"workspace.directory: git cannot read the repository in {origin} ({result.stderr.strip()[-500:]}); "
            "repair it, or set workspace.allow_dirty to take the files as they are"
        )
    changes = [name[3:] for name in result.names]
    if changes:
        more = f" and {len(changes) - SHOWN_CHANGES} more" if len(changes) > SHOWN_CHANGES else ""
        raise BadInput(
            f"workspace.directory: {origin} has uncommitted changes ({', '.join(changes[:SHOWN_CHANGES])}{more}); "
            "commit or stash them, or set workspace.allow_dirty to take the files as they are"
        )


def _copy(into: Path, copying: _Copying) -> None:
    into.mkdir(parents=True)
    for entry in _entries(copying.origin, copying.quota):
        if Path(entry.path) == copying.skip:
            continue
        if entry.name == ".git":
            _copy_repository(Path(entry.path), into / ".git", copying)
        else:
            _copy_entry(entry, into / entry.name, copying)
    _copy_attributes(copying.origin, into)


def _copy_repository(origin: Path, into: Path, copying: _Copying) -> None:
    """Copy a git directory, or the one that a `.git` file or link points to, as one that stands on its own."""
    git_dir = _pointed_to(origin)
    common = _common(git_dir)
    if not (common / "objects").is_dir():
        raise BadInput(
            f"workspace.directory: {origin} points to {git_dir}, which is not a repository; repair it or remove it"
        )
    into.mkdir()
    for entry in _entries(common, copying.quota):
        if entry.name not in _NOT_COPIED:
            _copy_entry(entry, into / entry.name, copying, repository=common)
    if common != git_dir:
        for name in ("HEAD", "index"):
            if (git_dir / name).is_file():
                shutil.copyfile(git_dir / name, into / name)
    alternates = common / "objects" / "info" / "alternates"
    if alternates.is_file():
        lines = [line for line in alternates.read_text().splitlines() if line and not line.startswith("#")]
        absolute = (os.path.normpath(common / "objects" / line) for line in lines)
        (into / "objects" / "info" / "alternates").write_text("".join(f"{line}\n" for line in absolute))


def _pointed_to(origin: Path) -> Path:
    if origin.is_dir():
        return origin.resolve()
    text = origin.read_text(errors="replace").strip() if origin.is_file() else ""
    if not text.startswith("gitdir:"):
        raise BadInput(f"workspace.directory: {origin} is neither a repository nor points to one; remove it")
    return (origin.parent / text.removeprefix("gitdir:").strip()).resolve()


def _common(git_dir: Path) -> Path:
    """The repository proper of a git directory, which for a linked work tree is another one."""
    common_file = git_dir / "commondir"
    return (git_dir / common_file.read_text().strip()).resolve() if common_file.is_file() else git_dir


def _is_borrowed(pointer: Path, origin: Path) -> bool:
    """Whether a `.git` that is no folder would lead from the copy to a repository that is not in it."""
    if pointer.is_symlink():
        target = os.readlink(pointer)
    elif pointer.is_file():
        with pointer.open(errors="replace") as file:
            keyword, _, target = file.read(POINTER_LIMIT_CHARACTERS).strip().partition(":")
        target = target.strip()
        if keyword != "gitdir" or "\0" in target:
            return False
    else:
        return False
    git_dir = Path(os.path.realpath(pointer.parent / target))
    is_copied = git_dir.is_relative_to(origin) and not git_dir.is_relative_to(origin / ".git" / "worktrees")
    is_elsewhere = target.startswith("/") or not is_copied
    return is_elsewhere and git_dir.is_dir() and (_common(git_dir) / "objects").is_dir()


def _leads_out(link: Path, repository: Path) -> bool:
    return os.readlink(link).startswith("/") or not Path(os.path.realpath(link)).is_relative_to(repository)


def _is_followable(link: Path) -> bool:
    """Whether a link leads somewhere, and not to a folder around it, which would be copied without end."""
    return link.exists() and not Path(os.path.realpath(link.parent)).is_relative_to(os.path.realpath(link))


def _entries(folder: Path, quota: Quota) -> list[os.DirEntry[str]]:
    quota.take(0)
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _copy_entry(entry: os.DirEntry[str], into: Path, copying: _Copying, *, repository: Path | None = None) -> None:
    """Copy one entry; `repository` is the folder that links have to stay in when it is part of a git directory."""
    path = Path(entry.path)
    if repository is None and entry.name == ".git":
        if entry.is_dir(follow_symlinks=False):
            repository = copying.origin
        elif path.exists() and _is_borrowed(path, copying.origin):
            _copy_repository(path, into, copying)
            copying.made.append(into.parent)
            return
    follows = repository is not None and entry.is_symlink() and _leads_out(path, repository)
    if follows and not _is_followable(path):
        return
    status = entry.stat(follow_symlinks=follows)
    if entry.is_symlink() and not follows:
        copying.quota.take(0, members=1)
        into.symlink_to(os.readlink(entry.path))
    elif stat.S_ISDIR(status.st_mode):
        if path == copying.skip:
            return
        copying.quota.take(0, members=1)
        into.mkdir()
        for child in _entries(path, copying.quota):
            _copy_entry(child, into / child.name, copying, repository=repository)
        _copy_attributes(path, into)
    elif stat.S_ISREG(status.st_mode):
        copying.quota.take(status.st_size, members=1)
        _copy_file(entry.path, into, follows=follows)
    elif repository is None:
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "not a file")
        raise BadInput(f"workspace.directory: {entry.path} is {kind}; remove it or give another directory")


def _copy_file(origin: str, into: Path, *, follows: bool) -> None:
    """Copy a file with its times, and with permissions as for folders."""
    reading = os.open(origin, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follows else os.O_NOFOLLOW))
    try:
        writing = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while copied_chunk(reading, writing):
                pass
            copy_attributes(os.fstat(reading), writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _copy_attributes(origin: Path, into: Path) -> None:
    """A folder's times and permissions, but always enough of them for its owner to work with it, and no set-uid bit."""
    status = origin.stat()
    into.chmod(stat.S_IMODE(status.st_mode) & 0o777 | 0o700)
    os.utime(into, ns=(status.st_atime_ns, status.st_mtime_ns))
