"""Values about checks: the runner's own proof that a task is done."""

from longshift.contracts.wire import Wire


class CheckResult(Wire):
    """The outcome of one declared check."""

    name: str
    passed: bool
    detail: str
    """What the model and people read: exit code or number, goal, and the output's end (at most 2,000 characters)."""
    value: float | None = None
    """The median of a measurement."""
    baseline: float | None = None
    exit_code: int | None = None
    duration_seconds: float = 0.0


class ChecksDigest(Wire):
    """The outcome of all checks of a task at one moment."""

    passed: bool
    results: tuple[CheckResult, ...] = ()
    protected_changes: tuple[str, ...] = ()
    """Protected files that differ from the base tree; any makes the checks red."""
    out_of_scope: tuple[str, ...] = ()
    """Of a sub-agent: changed files outside of its write scope; any makes the checks red."""
    tree_hash: str = ""
    """The tree that was checked."""

    @property
    def headline(self) -> str:
        """One line: how many of the checks pass."""
        green = sum(result.passed for result in self.results)
        suffix = f", {len(self.protected_changes)} protected files changed" if self.protected_changes else ""
        if self.out_of_scope:
            suffix += f", {len(self.out_of_scope)} files changed outside of the write scope"
        return f"{green}/{len(self.results)} checks green{suffix}"
