"""What a verifier is given and what it says: inputs, records in the store, and digests for the workflow."""

from longshift.contracts.checks import ChecksDigest
from longshift.contracts.completion import JudgedClaim, Verdict
from longshift.contracts.model import ModelOutcome, Usage
from longshift.contracts.wire import Wire
from longshift.contracts.workspace import Workspace


class ExportDiffInput(Wire):
    """Writes what was changed so far into the store."""

    workspace: Workspace
    agent: str
    step: int


class DiffRecord(Wire):
    """The changes against the base tree, as they lie in the store."""

    text: str
    """The patch in words, binary files by name only; its head where it is too large."""
    files: tuple[str, ...] = ()
    """What was changed, at most 1,000 names."""
    files_count: int = 0
    is_whole: bool = True
    """Neither the text nor the files in it were cut."""


class DiffDigest(Wire):
    """Where the changes are, and how much there is."""

    key: str
    """Object key of a `DiffRecord`."""
    files: int = 0
    is_whole: bool = True


class VerifyInput(Wire):
    """Asks a model in a fresh context whether the task is done; the agent's words are read from its answer."""

    agent: str
    task_id: str
    profile: str
    epoch: int
    step: int
    diff_key: str
    checks: ChecksDigest | None = None
    proposed: bool = False
    """The checks are the agent's own."""
    claims: tuple[JudgedClaim, ...] = ()


class VerdictRecord(Wire):
    """A verdict as it lies in the store, so that it is paid for once."""

    verdict: Verdict
    usage: Usage = Usage()
    unknown: Usage = Usage()
    """The part of it that no provider told: requests whose outcome is unknown, at their reservation."""
    profile: str = ""


class VerdictDigest(Wire):
    """What the workflow learns of a verifier's call."""

    outcome: ModelOutcome
    detail: str = ""
    verdict: Verdict | None = None
    """Where `outcome` is ANSWERED."""
    usage: Usage = Usage()
    cost_usd: float = 0.0
    unknown: Usage = Usage()
    """The part of `usage` that no provider told."""
    unknown_usd: float = 0.0
    retry_after_seconds: float | None = None
