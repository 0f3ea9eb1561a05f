"""A fresh bare repository outside of every sandbox: fetched from the source, fed by a bundle, pushed from.

Nothing is checked out in it, and nothing of the workspace is read but the objects of the bundle, each of them checked.
"""

import base64
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from longshift.adapters.delivery.remotes import Remote
from longshift.adapters.workspace.change_bundle import CHANGES_FILE, CHANGES_REF, Change, changes_of
from longshift.adapters.workspace.clone import without_credentials
from longshift.adapters.workspace.git import GitCall, GitResult, RunGit, run_git
from longshift.adapters.workspace.git_environment import (
    fetching_environment,
    hardened_environment,
    isolated_environment,
)
from longshift.contracts.errors import DeliveryError, DeliveryRefused, DeliveryUnavailable, DiskFull

NETWORK_TIMEOUT_SECONDS = 3_600.0
INCOMING = "refs/incoming/changes"
BASE = "refs/incoming/base"
_TRANSIENT = re.compile(
    r"could not resolve host|connection (?:refused|reset|timed out)|timed out|early eof|rpc failed|hung up"
    r"|network is unreachable|requested url returned error: (?:429|5\d\d)|operation too slow|couldn't connect"
    r"|failed to connect|cannot lock ref|unable to create.*\.lock",
    re.IGNORECASE,
)
_NO_ACCESS = re.compile(
    r"authentication failed|could not read username|invalid credentials|requested url returned error: 40[13]"
    r"|permission (?:to .* )?denied|access denied",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Identity:
    """Who a commit is by."""

    name: str
    email: str


@dataclass(frozen=True)
class CleanRepository:
    """One repository, for one delivery."""

    folder: Path
    remote: Remote
    user: str = "x-access-token"
    """The name that goes with the token."""
    run: RunGit = run_git
    secrets: list[str] = field(default_factory=list[str])

    async def create(self) -> None:
        """Make it, without any template."""
        await self._git("init", "--quiet", "--bare", "--template=", "--object-format=sha1", ".")

    async def fetch_base(self, commit: str) -> None:
        """Fetch the commit that work began from, and nothing before it."""
        wanted = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", "--")
        result = await self._reach(*wanted, self.remote.address, f"{commit}:{BASE}", check=False)
        if result.exit_code != 0:
            # A server may refuse a commit that no branch ends with.
            await self._reach(*wanted[:4], "--", self.remote.address, "+refs/heads/*:refs/incoming/heads/*")
            await self._git("update-ref", BASE, commit)

    async def fetch_changes(self, bundle: Path) -> list[Change]:
        """Take the bundle in, each object checked, and give its list of changes."""
        strict = {"fetch.fsckObjects": "true", "transfer.fsckObjects": "true"}
        environment = {**hardened_environment(strict), "GIT_ALLOW_PROTOCOL": "file"}
        command = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", os.fspath(bundle))
        call = GitCall((*command, f"{CHANGES_REF}:{INCOMING}"), self.folder, self._at_home(environment))
        result = await self.run(call)
        if result.exit_code != 0:
            raise self._unchecked(result)
        listed = await self._git("cat-file", "blob", f"{INCOMING}:{CHANGES_FILE}")
        return changes_of(listed.stdout)

    async def files_of_base(self, commit: str) -> dict[bytes, tuple[str, str]]:
        """Mode and object of every file that work began from."""
        if not commit:
            return {}
        rows = (await self._git("ls-tree", "-r", "-z", "--full-tree", commit)).stdout.split(b"\0")
        parts = [row.split(b"\t", 1) for row in rows if row]
        return {path: (head.split()[0].decode(), head.split()[2].decode()) for head, path in parts}

    async def commit(self, base: str, changes: Sequence[Change], message: str, who: Identity, at: int) -> str:
        """One commit on top of `base` with these changes; the same arguments give the same commit.

        Empty where they change nothing.
        """
        await self._git("read-tree", *([base] if base else ["--empty"]))
        gone = [b"0 " + b"0" * 40 + b"\t" + change.path for change in changes if change.is_deleted]
        here = [f"{each.mode} {each.blob}\t".encode() + each.path for each in changes if not each.is_deleted]
        lines = b"".join(line + b"\0" for line in (*gone, *here))
        await self._git("update-index", "-z", "--add", "--replace", "--index-info", stdin=lines)
        tree = (await self._git("write-tree")).text
        if base and tree == (await self._git("rev-parse", f"{base}^{{tree}}")).text:
            return ""
        stamp = f"{at} +0000"
        by = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _parts(who, stamp)}
        parent = ("-p", base) if base else ()
        command = ("commit-tree", tree, *parent, "-F", "-")
        made = (await self._git(*command, stdin=message.encode("utf-8", "replace"), environment=by)).text
        await self._check(made, base)
        return made

    async def _check(self, commit: str, base: str) -> None:
        """Have git judge all that is new, names and `.gitmodules` included, as a careful server would."""
        revisions = f"{commit}\n" + (f"^{base}\n" if base else "")
        packed = await self._git("pack-objects", "--quiet", "--revs", "--stdout", stdin=revisions.encode())
        command = ("index-pack", "--strict", "--stdin")
        given = self._at_home(hardened_environment())
        result = await self.run(GitCall(command, self.folder, given, packed.stdout, NETWORK_TIMEOUT_SECONDS))
        if result.exit_code != 0:
            raise self._unchecked(result)

    def _unchecked(self, result: GitResult) -> DeliveryRefused:
        return DeliveryRefused(f"deliver: the changes do not pass git's checks: {self.clean(result.stderr)}")

    async def numbers(self, base: str, commit: str) -> tuple[int, int, list[str]]:
        """Insertions, deletions and the names of the changed files, as people read them."""
        since = base or "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        command = (
            "diff-tree",
            "-r",
            "-z",
            "--numstat",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            since,
            commit,
        )
        rows = [row.split(b"\t", 2) for row in (await self._git(*command)).stdout.split(b"\0") if row]
        counts = [(int(row[0]), int(row[1])) for row in rows if row[0].isdigit()]
        names = [row[2].decode("utf-8", "backslashreplace") for row in rows]
        return sum(more for more, _ in counts), sum(fewer for _, fewer in counts), names

    async def look(self, *refs: str) -> tuple[dict[str, str], str]:
        """The commits of these refs of the remote, and the name of its default branch (empty: unknown)."""
        result = await self._reach("ls-remote", "--quiet", "--symref", "--", self.remote.address, "HEAD", *refs)
        found: dict[str, str] = {}
        default = ""
        for row in result.stdout.decode(errors="replace").splitlines():
            value, _, name = row.partition("\t")
            if value.startswith("ref: ") and name == "HEAD":
                default = value.removeprefix("ref: ").removeprefix("refs/heads/")
            elif name != "HEAD":
                found[name] = value
        return found, default

    async def push(self, commit: str, branch: str) -> None:
        """Make a new branch of the remote; one that exists is never changed.

        Raises:
            DeliveryRefused: it exists, or the remote refuses it; the text says which.
            DeliveryUnavailable: the remote cannot be reached.
        """
        ref = f"refs/heads/{branch}"
        options = ("--quiet", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no")
        # An empty lease says that the ref must not exist: it can make a branch and never move one.
        lease = f"--force-with-lease={ref}:"
        result = await self._reach("push", *options, lease, "--", self.remote.address, f"{commit}:{ref}", check=False)
        if result.exit_code == 0:
            return
        found, _ = await self.look(ref)
        if found.get(ref) == commit:
            return
        if ref in found:
            raise already_there(branch, found[ref])
        raise self._failure("push", result)

    def clean(self, text: str) -> str:
        """Git's words without a secret in them."""
        for secret in self.secrets:
            text = text.replace(secret, "[redacted]")
        return without_credentials(text.strip())[-1_000:]

    async def _git(
        self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> GitResult:
        """Git on the repository alone: no network, no configuration."""
        given = self._at_home({**hardened_environment(), **(environment or {})})
        result = await self.run(GitCall(arguments, self.folder, given, stdin, NETWORK_TIMEOUT_SECONDS))
        if result.exit_code != 0 or result.is_cut:
            raise self._failure(arguments[0], result)
        return result

    async def _reach(self, *arguments: str, check: bool = True) -> GitResult:
        """Git with the remote: with the token and nothing of the operator's set-up, or with that set-up."""
        if self.remote.token:
            pair = f"{self.user}:{self.remote.token}".encode()
            encoded = base64.b64encode(pair).decode()
            self.secrets[:] = [self.remote.token, encoded]
            header = {f"http.{self.remote.server}.extraHeader": f"Authorization: Basic {encoded}"}
            environment = isolated_environment(header)
        else:
            environment = fetching_environment()
        call = GitCall(arguments, self.folder, self._at_home(environment), b"", NETWORK_TIMEOUT_SECONDS)
        result = await self.run(call)
        if check and result.exit_code != 0:
            raise self._failure(arguments[0], result)
        return result

    def _at_home(self, environment: Mapping[str, str]) -> dict[str, str]:
        return {**environment, "GIT_DIR": os.fspath(self.folder), "GIT_INDEX_FILE": os.fspath(self.folder / "index")}

    def _failure(self, what: str, result: GitResult) -> DeliveryError | DiskFull:
        said = self.clean(result.stderr or result.stdout.decode(errors="replace"))
        if result.is_disk_full:
            return DiskFull(f"the disk is full: git {what}: {said}")
        where = f"deliver: git {what} of {self.remote.address}"
        if _NO_ACCESS.search(said):
            remedy = (
                "give a token that may write there in delivery_tokens" if self.remote.is_http else "mend its rights"
            )
            return DeliveryRefused(f"{where} was not allowed ({said}); {remedy}")
        if result.timed_out or _TRANSIENT.search(said):
            return DeliveryUnavailable(f"{where} did not work: {said or 'it took too long'}")
        return DeliveryRefused(f"{where} was refused: {said}")


def already_there(branch: str, commit: str) -> DeliveryRefused:
    """A branch that is not ours."""
    return DeliveryRefused(
        f"deliver.branch: {branch} exists there with other content ({commit[:12]}) and is not changed; rename or "
        "remove that branch, then try again"
    )


def _parts(who: Identity, stamp: str) -> tuple[tuple[str, str], ...]:
    return ("NAME", who.name), ("EMAIL", who.email), ("DATE", stamp)
