"""How a result leaves the sandbox beyond its patch: a branch and a pull request, as wished, planned and done.

A wish is part of a task. What a plan says is what people approve, and nothing else is pushed.
"""

import re
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from longshift.contracts.wire import UserInput, Wire

LISTED_FILES = 1_000
"""Names of changed files in a plan; beyond it only their number is told."""
_BRANCH = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)|/\.|\.$|/$))[A-Za-z0-9_][A-Za-z0-9._/+#@{}=-]{0,199}")

Title = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class PullRequest(UserInput):
    """The pull request that is wished for; everything may be left out."""

    title: Title | None = None
    """The task's title when empty."""
    base: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """The branch it is to be merged into; when empty, `workspace.ref` if that is a branch, else the default branch."""
    draft: bool = False
    labels: tuple[Annotated[str, StringConstraints(min_length=1, max_length=50)], ...] = Field(
        default=(), max_length=20
    )


class Deliver(UserInput):
    """What becomes of a result whose checks are green, beyond patch and report."""

    branch: Annotated[str, StringConstraints(min_length=1, max_length=200)] = "longshift/{id}"
    """A new branch in the source's repository, with one commit on top of the commit that work began from. `{id}` stands
    for the task's id. A branch that exists is never changed."""
    pull_request: bool | PullRequest = False
    """`true`, or how it is to look. Needs a repository on GitHub."""

    @field_validator("branch")
    @classmethod
    def _is_a_branch(cls, branch: str) -> str:
        if _BRANCH.fullmatch(branch.replace("{id}", "id")) is None or "{" in branch.replace("{id}", ""):
            raise ValueError(
                f"deliver.branch: {branch!r} cannot name a branch; use letters, digits and . _ / + - {{id}}"
            )
        return branch

    @property
    def wanted_pull_request(self) -> PullRequest | None:
        """The pull request, if one is wished for."""
        if isinstance(self.pull_request, PullRequest):
            return self.pull_request
        return PullRequest() if self.pull_request else None


class PlannedPullRequest(Wire):
    """A pull request as it will be opened."""

    title: str
    base: str
    draft: bool = False
    labels: tuple[str, ...] = ()
    body_hash: str = ""
    """SHA-256 (first 32 hex digits) of its text."""


class BranchPlan(Wire):
    """What will leave the sandbox, computed outside of it: the exact arguments of a push."""

    remote: str
    """Without credentials."""
    branch: str
    base_commit: str = ""
    """The commit that work began from; empty in a repository that had none."""
    commit: str = ""
    """The same for the same files, title and report, however often it is planned; empty where nothing was changed."""
    files: int = 0
    insertions: int = 0
    deletions: int = 0
    changed_files: tuple[str, ...] = ()
    """At most 1,000."""
    sensitive_files: tuple[str, ...] = ()
    """Those of them that run with the rights of the repository or of those who use it, such as workflows of CI."""
    remarks: tuple[str, ...] = ()
    """What a reviewer should know of how the commit was made, a sentence each."""
    pull_request: PlannedPullRequest | None = None


class PlanBranchInput(Wire):
    """Make the commit of a session that is done, and look where it may go."""

    task_id: str
    at: int
    """The commit's time, seconds since 1970."""


class PublishInput(Wire):
    """Push what was planned, and nothing else."""

    task_id: str
    at: int
    plan: BranchPlan


class BranchDelivery(Wire):
    """What became of the wish to deliver a branch."""

    remote: str = ""
    branch: str = ""
    commit: str = ""
    pushed: bool = False
    pull_request: str = ""
    """Its URL."""
    failure: str = ""
    """Why it, or the pull request, is not there; the patch is."""
