"""What a sub-agent that mends a merge starts from; kept under `ids.conflict_key`."""

from longshift.contracts.wire import Wire


class Conflict(Wire):
    """A merge that does not fit, or makes the checks red, as files to work on."""

    onto: int
    """The integrated state that the work has to fit onto; the resolver's changes are counted from it."""
    bundle_key: str = ""
    """Of a bundle that leads from that state to the files to begin with (`refs/heads/work`): the merge as far as it
    goes, with marks where it does not. Empty: the state as it is."""
    files: tuple[str, ...] = ()
    """The files in conflict; none where the merge was clean and the checks were red."""
