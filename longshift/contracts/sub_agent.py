"""In a task that the runner wrote for an item of a swarm: whose it is, and where it may write."""

from longshift.contracts.wire import Wire


class SubAgent(Wire):
    """In a task that the runner wrote for an item of a swarm: whose it is, and what it starts from."""

    session: str
    """The task id of the session."""
    swarm: str
    """`ids.swarm_id`."""
    item: str
    base_step: int
    """The lead's step that delegates: its checkpoint is what hosts without the session's workspace start from."""
    base_agent: str
    """The lead's agent id."""
    base_tree: str = ""
    """The lead's files when it delegated: the tree that every host makes the same base commit of."""
    root: str = ""
    """Absolute path of the lead's tree: at it, commands in a sandbox see the item's own tree, so that what the setup
    wrote into files (virtual environments, build folders) holds there too. Empty: at its own path."""
    home: str = ""
    """The same of the lead's `HOME`."""
    write_scope: tuple[str, ...] | None = None
    """Globs (gitignore syntax) of what may change; None: no rule (integration, seed)."""
    integration: int = 0
    """Which integrated state it starts from; 0: the lead's tree as it was when it delegated."""
    conflict: str = ""
    """Of a resolver: the key of the `Conflict` that it starts from."""
