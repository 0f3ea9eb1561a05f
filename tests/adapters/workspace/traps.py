"""What an agent may leave in its workspace to have the worker run it, read it, or write elsewhere."""

import os
import shutil
import subprocess
from pathlib import Path

CANARY = "CANARY-5f1c0e"
"""The text of the secrets outside; not a byte of it may come into a workspace's record."""
HOOKS = (
    *("pre-commit", "commit-msg", "post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc"),
    *("fsmonitor-watchman", "post-merge", "post-commit", "prepare-commit-msg", "pre-push", "sendemail-validate"),
)


class Outside:
    """A folder beside everything, with a secret, a repository that holds it, and a place for whatever is run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hits = path / "hits"
        self.secret = path / "secret"
        self.repository = path / "repository"
        self.repository.mkdir(parents=True)
        self.hits.mkdir()
        self.secret.write_text(f"{CANARY}\n")
        (self.repository / "f.txt").write_text(f"{CANARY} committed\n")
        for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", CANARY]):
            subprocess.run(["git", *arguments], cwd=self.repository, env=_AUTHOR, check=True)
        self._before = self._files()

    @property
    def was_run(self) -> list[str]:
        """The traps that were run."""
        return sorted(path.name for path in self.hits.iterdir())

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing was written here."""
        return self._files() == self._before

    def trap(self, name: str) -> str:
        """A command that tells that it was run, and where it can, steals the secret."""
        return f"sh -c 'touch {self.hits}/{name}; cat {self.secret}; cat'"

    def _files(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(self.path.rglob("*")) if path.is_file()}


_AUTHOR = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    **{f"GIT_{who}_{what}": "u@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def plant_in_repository(tree: Path, outside: Outside) -> None:
    """Everything that git can be made to run or to read by a repository's own files."""
    settings = {
        "core.fsmonitor": outside.trap("fsmonitor"),
        "core.sshCommand": outside.trap("ssh"),
        "core.pager": outside.trap("pager"),
        "core.editor": outside.trap("editor"),
        "core.hooksPath": str(tree / "hooks"),
        "core.excludesFile": str(outside.secret),
        "core.attributesFile": str(outside.secret),
        "core.alternateRefsCommand": outside.trap("alternates"),
        "filter.evil.clean": outside.trap("clean"),
        "filter.evil.smudge": outside.trap("smudge"),
        "filter.evil.process": outside.trap("process"),
        "filter.evil.required": "true",
        "diff.external": outside.trap("external"),
        "diff.evil.command": outside.trap("command"),
        "diff.evil.textconv": outside.trap("textconv"),
        "merge.evil.driver": outside.trap("merge"),
        "alias.ls-files": f"!{outside.trap('alias')}",
        "alias.write-tree": f"!{outside.trap('alias')}",
        "gpg.program": outside.trap("gpg"),
        "commit.gpgSign": "true",
        "credential.helper": f"!{outside.trap('credential')}",
        "uploadpack.packObjectsHook": outside.trap("pack"),
        "submodule.sub.update": f"!{outside.trap('submodule')}",
        "trailer.x.command": outside.trap("trailer"),
        "include.path": str(outside.secret),
    }
    for name, value in settings.items():
        subprocess.run(["git", "config", "--file", tree / ".git" / "config", name, value], env=_AUTHOR, check=True)
    for folder in (tree / "hooks", tree / ".git" / "hooks"):
        folder.mkdir(exist_ok=True)
        for name in HOOKS:
            (folder / name).write_text(f"#!/bin/sh\n{outside.trap(f'hook-{name}')}\n")
            (folder / name).chmod(0o755)
    (tree / ".git" / "objects" / "info").mkdir(exist_ok=True)
    (tree / ".git" / "objects" / "info" / "alternates").write_text(f"{outside.repository}/.git/objects\n")
    (tree / ".git" / "info").mkdir(exist_ok=True)
    (tree / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil merge=evil\n")
    (tree / ".git" / "info" / "exclude").unlink(missing_ok=True)
    (tree / ".git" / "info" / "exclude").symlink_to(outside.secret)
    (tree / ".gitattributes").write_text("* filter=evil diff=evil merge=evil ident text eol=crlf\n")
    (tree / ".gitmodules").write_text(f'[submodule "sub"]\n\tpath = sub\n\turl = {outside.repository}\n\tupdate = !x\n')


def plant_in_tree(tree: Path, outside: Outside) -> None:
    """Links, pipes and repositories that lead outside."""
    (tree / "to-secret").symlink_to(outside.secret)
    (tree / "to-folder").symlink_to(outside.path)
    for name, target in (("linked", outside.repository / ".git"), ("looped", Path())):
        (tree / name).mkdir()
        (tree / name / ".git").symlink_to(target)
    (tree / "pointed").mkdir()
    (tree / "pointed" / ".git").write_text(f"gitdir: {outside.repository}/.git\n")
    common = tree / "common" / ".git"
    common.mkdir(parents=True)
    (common / "commondir").write_text(f"{outside.repository}/.git\n")
    (common / "gitdir").write_text(f"{outside.repository}/.git\n")
    (common / "HEAD").write_text("ref: refs/heads/main\n")
    for name in ("linked", "looped", "pointed", "common"):
        (tree / name / "f.txt").write_text("inside\n")


def swap_repository(tree: Path, outside: Outside, how: str) -> None:
    """Put something else into the place of `.git`."""
    own = tree / ".git"
    if own.is_symlink() or own.is_file():
        own.unlink()
    elif own.is_dir():
        shutil.rmtree(own)
    if how == "link":
        own.symlink_to(outside.repository / ".git")
    elif how == "file":
        own.write_text(f"gitdir: {outside.repository}/.git\n")
    elif how == "copy":
        shutil.copytree(outside.repository / ".git", own)
        (own / "index").unlink()
        (own / "index").symlink_to(outside.repository / ".git" / "index")
    else:
        os.mkfifo(own)


SWAPS = ("link", "file", "copy", "pipe")

FLIPPER = """
import os, sys
tree, outside = sys.argv[1:]
os.chdir(tree)
os.symlink(outside, "link")
while True:
    try:
        os.rename("d", "real")
        os.rename("link", "d")
        os.rename("d", "link")
        os.rename("real", "d")
    except OSError:
        os.makedirs("d", exist_ok=True)
"""
"""Swaps the folder `d` for a link to a folder outside and back, as fast as it can."""
