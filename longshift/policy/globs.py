"""Globs of write scopes (gitignore syntax): what is one, and whether two of them have a path in common.

Asked of the patterns, and not of the files that there are today: what is written tomorrow counts too. The answer is
exact for every pattern that `problem_of` lets pass. Which files of a tree match is the adapters' to find out.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from longshift.policy.glob_segments import Segment, is_word, meeting, parse_segment, path_segment, shared_word

DEEP: Final = None
"""Any number of folders, also none."""
Part = Segment | None
_ANY_NAME: Final = "\1" * 300
"""What stands for this name stands for all."""


@dataclass(frozen=True)
class Glob:
    """One pattern: the parts of every path that it stands for."""

    text: str
    parts: tuple[Part, ...]
    folder: tuple[str, ...] = field(compare=False, default=())
    """The names that each of its paths begins with."""


def problem_of(text: str) -> str:
    """What keeps `text` from being a glob of a scope, with the remedy; empty: nothing."""
    if not text.strip() or text.strip() == "/":
        return "is empty; name files or folders, such as src/parser/**"
    if text != text.strip() or not text.isprintable():
        return "has blanks around it or control characters; leave them out"
    if text.startswith(("!", "#")):
        return f"begins with {text[0]}, which would make it an exception or a comment; list what may be changed"
    names = text.removeprefix("/").removesuffix("/").split("/")
    if ".." in names or "." in names or "" in names:
        return "has an empty name, . or .. in it; write the path from the root of the workspace"
    if text.endswith("**/"):
        return "ends with **/, which is not read alike by everybody; end it with **"
    if len(text) > 500:
        return f"has {len(text)} characters; at most 500 are allowed"
    if bad := next((name for name in names if name != "**" and not is_word(name)), ""):
        return f"{bad!r} in it is no pattern of a name; write it with * and ? and plain [a-z]"
    return ""


def parse(text: str) -> Glob:
    """The glob that a text without a problem is."""
    body = text.removeprefix("/")
    is_folder = body.endswith("/")
    names = body.removesuffix("/").split("/")
    is_anywhere = len(names) == 1 and not text.startswith("/")
    parts: list[Part] = [DEEP] if is_anywhere else []
    for name in names:
        if name != "**":
            parts.append(parse_segment(name))
        elif not parts or parts[-1] is not DEEP:
            parts.append(DEEP)
    if is_folder:
        parts += [parse_segment("*")]
    elif parts[-1] is DEEP:  # `a/**` is what lies in a, and not a itself
        parts[-1] = parse_segment("*")
    parts.append(DEEP)
    return Glob(text, tuple(parts), _folder(parts))


def of_path(path: str, *, with_contents: bool = False) -> Glob:
    """A path as it is; `with_contents`: and all that lies in it."""
    parts: list[Part] = [path_segment(name) for name in path.split("/")]
    parts += [DEEP] if with_contents else []
    return Glob(path, tuple(parts), _folder(parts))


def shared_path(one: Glob, other: Glob) -> str | None:
    """A path that both stand for; None: there is none."""
    names: list[str] = []
    for mine, theirs in zip(one.parts, other.parts, strict=False):  # up to the first that may be any number of folders
        if mine is None or theirs is None:
            break
        word = shared_word(mine, theirs)
        if word is None:
            return None
        names.append(word)
    rest = meeting(one.parts[len(names) :], other.parts[len(names) :], shared_word)
    return None if rest is None else "/".join([*names, *rest])


def covers(protected: Glob, scope: Glob) -> bool:
    """Whether all that `scope` stands for is surely in `protected`."""
    if protected.parts == scope.parts:
        return True
    # All of its paths begin with its folder; where the folder itself is none of them, all lie below.
    is_below = scope.parts[len(scope.folder)] is not DEEP
    path = of_path("/".join((*scope.folder, *([_ANY_NAME] if is_below else []))))
    return bool(scope.folder) and shared_path(protected, path) is not None


@dataclass(frozen=True)
class Overlap:
    """Two owners of globs that have a path in common."""

    first: int
    second: int
    first_glob: str
    second_glob: str
    path: str
    """One that both may write."""


def overlaps(scopes: Sequence[Sequence[Glob]], is_settled: Callable[[int, int], bool]) -> Iterator[Overlap]:
    """The pairs of owners whose globs have a path in common, each once; those that are settled are left out.

    Owners are numbered by their place, the lower one first. Only globs of which one's folder lies in the other's are
    compared.
    """
    rows = sorted(
        ((glob.folder, owner, glob) for owner, globs in enumerate(scopes) for glob in globs), key=lambda row: row[:2]
    )
    folders = [row[0] for row in rows]
    found: set[tuple[int, int]] = set()
    for index, (folder, owner, glob) in enumerate(rows):
        end = bisect_left(folders, True, lo=index, key=lambda each: each[: len(folder)] != folder)
        for _, other_owner, other in rows[index + 1 : end]:
            pair = (min(owner, other_owner), max(owner, other_owner))
            if owner == other_owner or pair in found or is_settled(*pair):
                continue
            path = shared_path(glob, other)
            if path is not None:
                found.add(pair)
                texts = (glob.text, other.text) if owner < other_owner else (other.text, glob.text)
                yield Overlap(*pair, *texts, path)


def _folder(parts: Sequence[Part]) -> tuple[str, ...]:
    names: list[str] = []
    for part in parts:
        if part is None or part.literal is None:
            break
        names.append(part.literal)
    return tuple(names)
