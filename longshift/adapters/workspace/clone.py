"""Cloning a repository: the runner's own git set-up, no hooks, no questions, bounded in size."""

import asyncio
import os
import re
from collections.abc import Sequence
from pathlib import Path

from longshift.adapters.workspace.git import GitCall, GitResult, RunGit
from longshift.adapters.workspace.git_environment import fetching_environment, hardened_environment
from longshift.contracts.errors import BadInput, WorkspaceFailed
from longshift.contracts.task import WorkspaceSource

CLONE_TIMEOUT_SECONDS = 7_200.0
WATCH_SECONDS = 0.5
RETRY_PAUSES_SECONDS = (2.0, 10.0, 30.0)
_SCHEMES = ("file", "git", "http", "https", "ssh")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)(://|::)")
_SCP = re.compile(r"[^/:]+:(?!/{2})")
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")
_TRANSIENT = re.compile(
    r"could not resolve host|connection (?:refused|reset|timed out)|timed out|early eof|rpc failed|hung up"
    r"|network is unreachable|requested url returned error: (?:429|5\d\d)|operation too slow|tls|ssl",
    re.IGNORECASE,
)


def without_credentials(text: str) -> str:
    """`text` with the user part of every URL removed."""
    return _USER_INFO.sub("", text)


async def clone(
    source: WorkspaceSource,
    into: Path,
    *,
    run: RunGit,
    pauses_seconds: Sequence[float] = RETRY_PAUSES_SECONDS,
    commit: str = "",
) -> None:
    """Clone `source.git` to `into` and check out `source.ref`, as it was at `commit`. Submodules are not fetched.

    Raises:
        BadInput: the repository, the ref or the commit is not there, may not be read, or is too large.
        WorkspaceFailed: the network or the server failed, again and again.
    """
    address = _checked_address(source)
    command = ("clone", "--quiet", "--no-checkout", "--no-hardlinks", "--dissociate", "--template=", "--")
    for pause in (*pauses_seconds, None):
        result = await _git(run, into.parent, (*command, address, os.fspath(into)), watched=into, source=source)
        if result.exit_code == 0:
            break
        complaint = without_credentials(result.stderr.strip())[-1_000:]
        if result.is_disk_full:
            raise result.failure()
        if not result.timed_out and _TRANSIENT.search(complaint) is None:
            raise BadInput(
                f"workspace.git: {without_credentials(address)} cannot be cloned ({complaint}); "
                "check the address and the access rights of this host"
            )
        if pause is None or result.timed_out:
            raise WorkspaceFailed(f"workspace.git: {without_credentials(address)} cannot be reached: {complaint}")
        await asyncio.sleep(pause)
    if commit:
        await _check_out_commit(source, into, run, commit)
    else:
        await _check_out(source, into, run)


async def head_commit(tree: Path, run: RunGit) -> str:
    """The commit that a fresh clone has checked out; empty without one."""
    environment = {**hardened_environment(), "GIT_DIR": os.fspath(tree / ".git")}
    found = await run(GitCall(("rev-parse", "--verify", "--quiet", "HEAD^{commit}"), tree, environment))
    return found.text if found.exit_code == 0 else ""


def _checked_address(source: WorkspaceSource) -> str:
    address = source.git or ""
    scheme = _SCHEME.match(address)
    if address.startswith("-") or (scheme is not None and (scheme[2] == "::" or scheme[1].lower() not in _SCHEMES)):
        raise BadInput(
            f"workspace.git: {without_credentials(address)!r} is not an address that is cloned; "
            f"use an absolute path, host:path, or a URL of {', '.join(_SCHEMES)}"
        )
    if scheme is None and _SCP.match(address) is None:
        if not Path(address).is_absolute():
            raise BadInput(f"workspace.git: {address!r} is a relative path; give an absolute one, or a URL")
        if not Path(address).exists():
            raise BadInput(f"workspace.git: {address} does not exist on this host; give an existing repository")
    if source.ref is not None and (not source.ref.strip() or source.ref.startswith("-")):
        raise BadInput(f"workspace.ref: {source.ref!r} is not a ref; give a branch, a tag or a commit")
    return address


async def _commit_of(name: str, tree: Path, run: RunGit) -> str:
    """The commit that a name stands for; empty if there is none."""
    found = await _git(run, tree, ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"))
    return found.text if found.exit_code == 0 else ""


async def _check_out(source: WorkspaceSource, tree: Path, run: RunGit) -> None:
    ref = source.ref
    if ref is None:
        if not await _commit_of("HEAD", tree, run):
            return  # An empty repository: nothing to check out.
        command = ("checkout", "--quiet", "--force", "HEAD", "--")
    elif await _commit_of(f"refs/remotes/origin/{ref}", tree, run):
        command = ("checkout", "--quiet", "--force", "-B", ref, "--track", f"refs/remotes/origin/{ref}", "--")
    else:
        commit = await _commit_of(ref, tree, run)
        if not commit and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", ref):
            await _git(run, tree, ("fetch", "--quiet", "origin", ref))
            commit = await _commit_of(ref, tree, run)
        if not commit:
            raise BadInput(
                f"workspace.ref: {ref!r} is not in {without_credentials(source.git or '')}; "
                "give a branch, a tag or a commit that is there"
            )
        command = ("checkout", "--quiet", "--force", "--detach", commit, "--")
    result = await _git(run, tree, command, watched=tree, source=source)
    if result.exit_code != 0:
        raise result.failure()


async def _check_out_commit(source: WorkspaceSource, tree: Path, run: RunGit, commit: str) -> None:
    """Check out the source's branch as it was at `commit`, or the commit alone where the branch is gone."""
    if not await _commit_of(commit, tree, run):
        await _git(run, tree, ("fetch", "--quiet", "origin", commit))
    if not await _commit_of(commit, tree, run):
        raise BadInput(f"workspace.git: {without_credentials(source.git or '')} has no commit {commit} any more")
    try:
        await _check_out(source, tree, run)
        command = ("reset", "--quiet", "--hard", commit, "--")
    except BadInput:
        command = ("checkout", "--quiet", "--force", "--detach", commit, "--")
    if await _commit_of("HEAD", tree, run) == commit:
        return
    result = await _git(run, tree, command, watched=tree, source=source)
    if result.exit_code != 0:
        raise result.failure()


async def _git(
    run: RunGit,
    cwd: Path,
    arguments: tuple[str, ...],
    *,
    watched: Path | None = None,
    source: WorkspaceSource | None = None,
) -> GitResult:
    """Run git, and end it when the folder `watched` outgrows the source's limit."""
    call = GitCall(arguments, cwd, fetching_environment(), timeout_seconds=CLONE_TIMEOUT_SECONDS)
    task = asyncio.ensure_future(run(call))
    try:
        while not (await asyncio.wait({task}, timeout=WATCH_SECONDS))[0]:
            await _refuse_large(watched, source)
        await _refuse_large(watched, source)
        return await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


async def _refuse_large(watched: Path | None, source: WorkspaceSource | None) -> None:
    if watched is None or source is None:
        return
    if await asyncio.to_thread(_size_bytes, watched, source.max_bytes) > source.max_bytes:
        raise BadInput(
            f"workspace.git: the repository is larger than workspace.max_bytes ({source.max_bytes:,}); "
            "raise workspace.max_bytes or give a smaller repository"
        )


def _size_bytes(folder: Path, enough_bytes: int) -> int:
    """The size of all files below `folder`, counted until it is more than `enough_bytes`."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(f"{place}/{name}").st_size
            except FileNotFoundError:
                continue
        if total > enough_bytes:
            break
    return total
