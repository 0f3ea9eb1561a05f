"""What git has said of one repository's objects, kept in memory: their names settle it for ever, so it is asked once.

It says nothing of which objects are there. A worker that has just started knows nothing, and asks.
"""

from dataclasses import dataclass, field

ENTRIES_LIMIT = 8
"""Of each kind; the oldest goes first."""
LISTING_LIMIT_BYTES = 100_000


@dataclass(frozen=True)
class Facts:
    """Of one workspace."""

    commits: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """Commit → its tree, and its parent; no parent: it has none or several."""
    listings: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    """Two trees → what differs, as `git diff-tree -r -z --raw` prints it."""

    def learn_commit(self, commit: str, tree: str, parent: str = "") -> None:
        """A commit was made; `parent`: the only one."""
        self.commits[commit] = (tree, parent)
        if len(self.commits) > ENTRIES_LIMIT:
            del self.commits[next(iter(self.commits))]

    def learn_listing(self, since_tree: str, to_tree: str, listing: bytes) -> None:
        """Two trees were compared; a long listing is not kept."""
        if len(listing) > LISTING_LIMIT_BYTES:
            return
        self.listings[since_tree, to_tree] = listing
        if len(self.listings) > ENTRIES_LIMIT:
            del self.listings[next(iter(self.listings))]
