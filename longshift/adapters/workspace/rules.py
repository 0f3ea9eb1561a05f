"""Reading a project's rules for agents: `AGENTS.md` or `CLAUDE.md`. Where they go in a prompt is decided elsewhere."""

import os
import stat
from pathlib import Path

RULES_FILES = ("AGENTS.md", "CLAUDE.md")
RULES_LIMIT_BYTES = 32_768


def find_rules(tree: Path) -> str:
    """The name of the rules file at the top of the tree; empty without one."""
    return next((name for name in RULES_FILES if read_rules(tree, name)), "")


def read_rules(tree: Path, name: str) -> str:
    """The text, at most `RULES_LIMIT_BYTES` of it; empty when there is none.

    A link is followed once, to another file at the top: nothing outside of the tree may end up in a prompt.
    """
    text = _read_plain(tree / name)
    if text is None and (tree / name).is_symlink():
        target = os.readlink(tree / name).removeprefix("./")
        text = _read_plain(tree / target) if "/" not in target else None
    return text or ""


def _read_plain(path: Path) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        body = file.read(RULES_LIMIT_BYTES + 1)
    if len(body) <= RULES_LIMIT_BYTES:
        return body.decode(errors="replace")
    return body[:RULES_LIMIT_BYTES].decode(errors="ignore") + f"\n[… cut after {RULES_LIMIT_BYTES} bytes]"
