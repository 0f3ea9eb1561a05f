"""The user's own repository inside a fresh copy: made independent of other repositories, and free of credentials."""

import os
from pathlib import Path

from longshift.adapters.workspace.clone import without_credentials
from longshift.adapters.workspace.git import GitCall, GitResult, RunGit
from longshift.adapters.workspace.git_environment import hardened_environment
from longshift.contracts.errors import BadInput

REPACK_TIMEOUT_SECONDS = 3_600.0
_SECRET_KEYS = r"^(http\..*extraheader|http\.extraheader|credential\.|http\..*cookiefile|http\.cookiefile|url\.)"
_LEADS_OUTSIDE = r"^(core\.worktree|core\.fsmonitor)$"
_BORROWS = ("commondir", "objects/info/alternates", "objects/info/http-alternates")


def refuse_borrowing(tree: Path) -> None:
    """Refuse an archive whose repositories would take their objects from elsewhere on this host.

    Raises:
        BadInput: the text names the file.
    """
    for name in _BORROWS:
        if os.path.lexists(tree / ".git" / name):
            raise BadInput(
                f"workspace.archive: its repository borrows from another one (.git/{name}); "
                "run git repack -a -d in it, remove that file, and pack it again"
            )


async def make_independent(tree: Path, *, run: RunGit) -> None:
    """Strip secrets from the configuration of `tree/.git`, and fetch what it borrows from other repositories.

    Raises:
        WorkspaceFailed: what it borrows cannot be read.
    """
    git_dir = tree / ".git"
    if git_dir.is_symlink() or not git_dir.is_dir():
        return

    async def git(*arguments: str, check: bool = True) -> GitResult:
        # The configuration may name a work tree that is not there: while it is mended, no repository is opened.
        is_config = arguments[0] == "config"
        environment = {**hardened_environment(), "GIT_DIR": "/nonexistent" if is_config else os.fspath(git_dir)}
        call = GitCall(arguments, tree, environment, timeout_seconds=REPACK_TIMEOUT_SECONDS, writable=(tree,))
        result = await run(call)
        if check and result.exit_code != 0:
            raise result.failure()
        return result

    config = ("config", "--file", os.fspath(git_dir / "config"))
    for pattern in (_SECRET_KEYS, _LEADS_OUTSIDE):
        found = await git(*config, "--null", "--name-only", "--get-regexp", pattern, check=False)
        for name in sorted(set(found.names)):
            await git(*config, "--unset-all", name)
    addresses = await git(*config, "--null", "--get-regexp", r"^remote\..*\.(push)?url$", check=False)
    for row in addresses.names:
        name, _, value = row.partition("\n")
        if without_credentials(value) != value:
            await git(*config, "--replace-all", name, without_credentials(value))
    alternates = git_dir / "objects" / "info" / "alternates"
    if alternates.is_file():
        await git("repack", "-a", "-d", "-q")
        alternates.unlink()
