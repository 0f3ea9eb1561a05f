"""What a lead is told of its swarm's result beside the reports: where it is, and what was not written to its files."""

from collections.abc import Sequence

SHOWN_FILES = 50


def branch_words(name: str, why: str, artifact: str) -> str:
    """Where the result is as a branch, in words."""
    bundle = f"the artifact {artifact}, a git bundle" if artifact else ""
    if name:
        return f"{name}, in the project's repository" + (f"; also as {bundle}" if bundle else "")
    return f"only as {bundle}: {why}" if bundle else f"none: {why}"


def kept_words(kept: Sequence[str], branch: str, versions: str) -> str:
    """Which files were not overwritten, and where the swarm's versions of them are; empty: there are none."""
    if not kept:
        return ""
    listed = "\n".join(f"- {name}" for name in kept[:SHOWN_FILES])
    if len(kept) > SHOWN_FILES:
        listed += f"\n- and {len(kept) - SHOWN_FILES} more"
    where = f"`git show {branch}:PATH`" if branch else f"files below {versions}"
    return (
        f"{len(kept)} files stay as they were before this call ended, because they were changed while the swarm was at "
        f"work, or something of yours is in their way. The swarm's versions are in {where}; put both together "
        f"yourself:\n{listed}"
    )
