"""Which files a sub-agent may change: globs in the syntax of gitignore, relative to the root of the tree."""

from collections.abc import Iterable, Sequence

from pathspec import GitIgnoreSpec


def outside_scope(names: Iterable[str], scope: Sequence[str] | None) -> list[str]:
    """Of these changed paths, those that no glob covers, in their order; None stands for no rule at all."""
    if scope is None:
        return []
    spec = GitIgnoreSpec.from_lines(scope)
    return [name for name in names if not spec.match_file(name)]
