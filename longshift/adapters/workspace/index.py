"""Bringing a shadow repository's index up to date with the files. Recording the result is the shadow's part."""

import asyncio
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from longshift.adapters.workspace.candidates import sorted_out
from longshift.adapters.workspace.git import LONG_TIMEOUT_SECONDS, GitResult
from longshift.adapters.workspace.hindrances import remove_dead_pointers
from longshift.adapters.workspace.repository import BASE_REF, Repository
from longshift.contracts.errors import WorkspaceFailed

EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
SEED = ".longshift-seed"
ROUNDS_LIMIT = 40
"""How deep repositories may be nested in one another."""
_BROKEN_INDEX = re.compile(r"index file|bad signature|bad index version|index uses .* extension", re.IGNORECASE)


@dataclass(frozen=True)
class Index:
    """The index of a held repository."""

    git: Repository
    protected: tuple[str, ...]
    huge_bytes: int

    async def update(self, *, tolerant: bool) -> list[str] | None:
        """Take in what the ignore rules leave; give what was left out.

        Files may change while git reads them. Then the answer is None and the caller tries again, unless it is
        `tolerant`: then the files that cannot be read are left out.
        """
        return await self._update(("--exclude-standard",), None, tolerant=tolerant)

    async def update_protected(self, *, tolerant: bool) -> list[str] | None:
        """Take in protected files that are ignored now, but are not by the rules from before work started."""
        if not self.protected:
            return []
        rules = (f"--exclude-from={self.git.base_rules}",)
        return await self._update(rules, self._is_protected, tolerant=tolerant)

    async def add(self, names: Sequence[str], *, tolerant: bool = True) -> list[str]:
        """Put files into the index; the names of those that git could not read."""
        if not names:
            return []
        command = ("update-index", "--add", "--replace", "-z", "--stdin")
        result = await self.git(*command, stdin=_joined(names), check=False, timeout_seconds=LONG_TIMEOUT_SECONDS)
        if result.exit_code == 0:
            return []
        if result.timed_out or result.is_disk_full:
            raise result.failure()
        if len(names) == 1 or not tolerant:
            return list(names)
        middle = len(names) // 2
        return [*await self.add(names[:middle]), *await self.add(names[middle:])]

    @property
    def _is_protected(self) -> GitIgnoreSpec:
        return GitIgnoreSpec.from_lines(self.protected)

    async def _update(self, rules: tuple[str, ...], only: GitIgnoreSpec | None, *, tolerant: bool) -> list[str] | None:
        names, seeds = await self._changed(rules)
        if only is not None:
            names = [name for name in names if only.match_file(name)]
        found = await asyncio.to_thread(sorted_out, self.git.tree, names, self.huge_bytes)
        huge = await self._unfollowed(found.huge)
        removals = [*found.removals, *seeds, *huge]
        if removals:
            await self.git("update-index", "--force-remove", "-z", "--stdin", stdin=_joined(removals))
        followed = [name for name in found.huge if name not in huge]
        failed = await self.add([*found.additions, *followed], tolerant=tolerant)
        return None if failed and not tolerant else [*found.unusable, *huge, *failed]

    async def _changed(self, rules: tuple[str, ...]) -> tuple[list[str], list[str]]:
        """All paths that differ from the index, and the seeds that were put into it on the way.

        Git lists a nested repository as one name with a slash at its end, and would record it as a link. Once the
        index has an entry below that folder, git looks into it as into any other; that entry is the seed.
        """
        seeds: list[str] = []
        for _ in range(ROUNDS_LIMIT):
            listed = await self.git("ls-files", "-z", "--others", "--modified", "--deleted", *rules, check=False)
            if listed.exit_code != 0:
                await self._start_anew(listed)
                continue
            nested = [name + SEED for name in listed.names if name.endswith("/") and name + SEED not in seeds]
            if not nested:
                return sorted({name for name in listed.names if not name.endswith("/")}), seeds
            seeds += nested
            entries = _joined(f"100644 {EMPTY_BLOB}\t{seed}" for seed in nested)
            await self.git("update-index", "--add", "--replace", "-z", "--index-info", stdin=entries)
        raise WorkspaceFailed(f"{self.git.tree}: repositories are nested more than {ROUNDS_LIMIT} deep")

    async def _unfollowed(self, huge: Sequence[str]) -> set[str]:
        """Of these huge files, the ones that are left out: neither protected nor there before work started."""
        if not huge:
            return set()
        listed = await self.git("ls-tree", "-r", "-z", "--name-only", BASE_REF, check=False)
        if listed.exit_code != 0:
            # Before the base is recorded, the index holds what the user's own repository tracks.
            listed = await self.git("ls-files", "-z", "--cached")
        followed = set(listed.names)
        return {name for name in huge if name not in followed and not self._is_protected.match_file(name)}

    async def _start_anew(self, listed: GitResult) -> None:
        """Remove what made the listing fail.

        That is a pointer that leads nowhere, or an index that a crash of the machine has damaged: then it is made again
        from the last checkpoint.
        """
        if "Invalid path" in listed.stderr and await asyncio.to_thread(remove_dead_pointers, self.git.tree):
            return
        if not _BROKEN_INDEX.search(listed.stderr):
            raise listed.failure()
        (self.git.git_dir / "index").unlink(missing_ok=True)
        last = await self.git.last_checkpoint()
        await self.git("read-tree", last[0] if last is not None else EMPTY_TREE)


def _joined(names: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(name) + b"\0" for name in names)
