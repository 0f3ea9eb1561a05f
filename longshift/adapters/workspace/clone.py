"""Cloning a repository: the runner's own git set-up, no hooks, no questions, bounded in size."""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from longshift.adapters.workspace.git import GitCall, GitResult, RunGit
from longshift.adapters.workspace.git_environment import fetching_environment, hardened_environment
from longshift.contracts.errors import BadInput, WorkspaceFailed
from longshift.contracts.task import WorkspaceSource

CLONE_TIMEOUT_SECONDS = 7_200.0
WATCH_SECONDS = 0.5
RETRY_PAUSES_SECONDS = (2.0, 10.0, 30.0)
NO_PUSH = "pushing-is-not-possible-from-here"
"""Names no repository: what git says when it is pushed to tells why."""
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
    inside: RunGit | None = None,
    pauses_seconds: Sequence[float] = RETRY_PAUSES_SECONDS,
    commit: str = "",
) -> None:
    """Clone `source.git` to `into` and check out `source.ref`, as it was at `commit`. Submodules are not fetched.

    `run` fetches, with the operator's set-up; `inside` writes the files out, with none.

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
    checkout = _Checkout(source, into, run, inside or run)
    if commit:
        await checkout.make_at(commit)
    else:
        await checkout.make()
    if _is_path(address):
        await checkout.refuse_pushes()


async def head_commit(tree: Path, run: RunGit) -> str:
    """The commit that a fresh clone has checked out; empty without one."""
    environment = {**hardened_environment(), "GIT_DIR": os.fspath(tree / ".git")}
    arguments = ("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    found = await run(GitCall(arguments, tree, environment, writable=(tree,)))
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


def _is_path(address: str) -> bool:
    return address.startswith("/") or address.lower().startswith("file:")


@dataclass(frozen=True)
class _Checkout:
    """Making the files of a fresh clone, in which nobody has worked yet."""

    source: WorkspaceSource
    tree: Path
    run: RunGit
    inside: RunGit

    async def make(self) -> None:
        """Check out the wanted ref, by default the branch that the repository calls its head."""
        ref = self.source.ref
        if ref is None:
            if await self._commit_of("HEAD"):  # Otherwise it is empty: nothing to check out.
                await self._write("checkout", "--quiet", "--force", "HEAD", "--")
        elif await self._commit_of(f"refs/remotes/origin/{ref}"):
            remote = f"refs/remotes/origin/{ref}"
            await self._write("checkout", "--quiet", "--force", "-B", ref, "--track", remote, "--")
        else:
            is_id = re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", ref) is not None
            commit = await (self._fetched(ref) if is_id else self._commit_of(ref))
            if not commit:
                raise BadInput(
                    f"workspace.ref: {ref!r} is not in {without_credentials(self.source.git or '')}; "
                    "give a branch, a tag or a commit that is there"
                )
            await self._write("checkout", "--quiet", "--force", "--detach", commit, "--")

    async def make_at(self, commit: str) -> None:
        """Check out the source's branch as it was at `commit`, or the commit alone where the branch is gone."""
        if not await self._fetched(commit):
            address = without_credentials(self.source.git or "")
            raise BadInput(f"workspace.git: {address} has no commit {commit} any more")
        try:
            await self.make()
            command = ("reset", "--quiet", "--hard", commit, "--")
        except BadInput:
            command = ("checkout", "--quiet", "--force", "--detach", commit, "--")
        if await self._commit_of("HEAD") != commit:
            await self._write(*command)

    async def refuse_pushes(self) -> None:
        """Nobody pushes from the clone to the repository on this host that it was made from."""
        await self._write("config", "remote.origin.pushurl", NO_PUSH)

    async def _commit_of(self, name: str) -> str:
        """The commit that a name stands for; empty if there is none."""
        command = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        found = await _git(self.inside, self.tree, command, hardened_environment())
        return found.text if found.exit_code == 0 else ""

    async def _fetched(self, commit: str) -> str:
        """The commit of this id, fetched where no branch leads to it; empty if it is not to be had."""
        found = await self._commit_of(commit)
        if not found:
            await _git(self.run, self.tree, ("fetch", "--quiet", "origin", commit))
            found = await self._commit_of(commit)
        return found

    async def _write(self, *arguments: str) -> None:
        environment = hardened_environment({"advice.detachedHead": "false"})
        result = await _git(self.inside, self.tree, arguments, environment, watched=self.tree, source=self.source)
        if result.exit_code != 0:
            raise result.failure()


async def _git(
    run: RunGit,
    cwd: Path,
    arguments: tuple[str, ...],
    environment: Mapping[str, str] | None = None,
    *,
    watched: Path | None = None,
    source: WorkspaceSource | None = None,
) -> GitResult:
    """Run git, and end it when the folder `watched` outgrows the source's limit."""
    environment = environment or fetching_environment()
    call = GitCall(arguments, cwd, environment, timeout_seconds=CLONE_TIMEOUT_SECONDS, writable=(cwd,))
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
