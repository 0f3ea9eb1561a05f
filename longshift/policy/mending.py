"""What a sub-agent is told that mends a merge, how its work is proved, and where it may write. Nothing is read here."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from longshift.contracts.checks import ChecksDigest
from longshift.contracts.task import Check
from longshift.policy.item_task import goal_line

PATCH_CHARACTERS = 12_000
SHOWN_OTHERS = 20
SHOWN_FILES = 50
COMMAND_CHARACTERS = 15_000
MARKS = r"^(<{7} MERGED|>{7} ITEM)"
"""What `git merge` writes around both sides; see `adapters.worktrees.three_way`."""


@dataclass(frozen=True)
class Side:
    """One side of a merge."""

    item: str
    goal: str


@dataclass(frozen=True)
class Clash:
    """A merge that a sub-agent is to mend."""

    swarm: str
    """Its short name, such as `swarm1`."""
    item: Side
    others: tuple[Side, ...] = ()
    """Items that were merged since this one began and changed the same files; all of them where the checks are red."""
    files: tuple[str, ...] = ()
    """In conflict; empty: the merge was clean, and the checks are red."""
    words: tuple[str, ...] = ()
    """What git says of each conflict."""
    beside: tuple[str, ...] = ()
    """Files that are only there to show the other version of something; they have to go."""
    patch: str = ""
    """What the item changed, in the files in conflict or in all."""
    others_patch: str = ""
    """What was changed there since the item began."""
    evidence: ChecksDigest | None = None
    """What the red checks said."""


def title(clash: Clash) -> str:
    """In a line."""
    return f"Mend the merge of {clash.item.item}: {goal_line(clash.item.goal)}"


def instructions(clash: Clash) -> str:
    """The task in words, with both goals and both sides."""
    item = clash.item.item
    parts = [
        f"The work of the item `{item}` is to be merged into that of the other items of {clash.swarm}. "
        + (_conflict(clash) if clash.files else _red(clash)),
        f"## The goal of `{item}`\n\n{clash.item.goal.strip()}",
        _others(clash),
        _patch(f"What `{item}` changed", clash.patch),
        _patch("What the others changed there since it began", clash.others_patch),
        _to_do(clash),
    ]
    return "\n\n".join(part for part in parts if part)


def marks_check(clash: Clash) -> Check | None:
    """The proof that no mark of the conflict, and no file that only showed the other version, is left."""
    if not clash.files:
        return None
    names = " ".join(shlex.quote(name) for name in clash.files)
    is_sayable = len(names) <= COMMAND_CHARACTERS and "\ufffd" not in names
    where = f"-- {names}" if is_sayable else "-r --exclude-dir=.git ."
    lines = ["left=0", f"grep -snHE {shlex.quote(MARKS)} {where} && left=1"]
    for name in clash.beside[:SHOWN_FILES]:
        quoted = shlex.quote(name)
        lines.append(f"[ -e {quoted} ] || [ -L {quoted} ] && echo {quoted} has to be removed && left=1")
    return Check(name="no conflict is left", run="\n".join([*lines, "exit $left"]))


def write_scope(own: Sequence[str], others: Sequence[Sequence[str]], beside: Sequence[str]) -> tuple[str, ...]:
    """Where the sub-agent may write: wherever either side might."""
    globs = [*own, *(glob for each in others for glob in each), *(literal_glob(name) for name in beside)]
    return tuple(dict.fromkeys(globs))


def literal_glob(name: str) -> str:
    """The glob, in gitignore syntax, of one file."""
    escaped = "".join(f"\\{letter}" if letter in "\\*?[]! #" else letter for letter in name)
    return f"/{escaped}"


def _conflict(clash: Clash) -> str:
    said = "\n".join(f"- {word}" for word in clash.words[:SHOWN_FILES])
    listed = "\n".join(f"- `{name}`" for name in clash.files[:SHOWN_FILES])
    return (
        "That does not fit in these files:\n\n"
        f"{listed}\n\nGit says:\n\n{said}\n\n"
        "Your files are the merge as far as it goes: between `<<<<<<< MERGED` and `=======` stands what is merged "
        f"already (after `|||||||` how it was before both), between `=======` and `>>>>>>> ITEM` the work of "
        f"`{clash.item.item}`."
    )


def _red(clash: Clash) -> str:
    red = [each for each in clash.evidence.results if not each.passed] if clash.evidence is not None else []
    said = "\n\n".join(f"{each.name}:\n```\n{each.detail.strip()}\n```" for each in red)
    protected = clash.evidence.protected_changes if clash.evidence is not None else ()
    if protected:
        said += "\n\nProtected files were changed: " + ", ".join(protected)
    return (
        "It fits, but with it the checks of the whole are red, and without it they are green. Your files are the whole "
        f"with this work in it.\n\n{said.strip()}"
    ).strip()


def _others(clash: Clash) -> str:
    if not clash.others:
        return ""
    lines = [f"- `{each.item}`: {goal_line(each.goal)}" for each in clash.others[:SHOWN_OTHERS]]
    if len(clash.others) > SHOWN_OTHERS:
        lines.append(f"- and {len(clash.others) - SHOWN_OTHERS} more")
    return "## The goals of the items on the other side\n\n" + "\n".join(lines)


def _patch(heading: str, patch: str) -> str:
    if not patch.strip():
        return ""
    cut = patch[:PATCH_CHARACTERS]
    more = f"\n… and {len(patch) - len(cut):,} characters more" if len(patch) > len(cut) else ""
    fence = "`" * 3
    while fence in cut:
        fence += "`"
    return f"## {heading}\n\n{fence}diff\n{cut.rstrip()}{more}\n{fence}"


def _to_do(clash: Clash) -> str:
    lines = [
        "## What to do",
        "",
        "Make files that reach both goals. Undo nothing of the other items: where goals contradict one another, what "
        "is merged already stays, and your summary says what of this item is left out, and why.",
    ]
    if clash.beside:
        lines.append(
            "These files only show the other version of what stands beside them; remove them once you have taken what "
            "is needed: " + ", ".join(f"`{name}`" for name in clash.beside[:SHOWN_FILES])
        )
    return "\n".join(lines)
