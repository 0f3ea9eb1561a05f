"""What speaks for an agent's word that its task is done: claims and the record, proposed checks, verdicts.

Nothing here judges: `policy.claims` compares claims with the record, `policy.completion` decides what follows.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from longshift.contracts.wire import UserInput, Wire

MAX_CLAIMS = 10
MAX_PROPOSED_CHECKS = 10
PROPOSED_RUN_CHARACTERS = 1_000
"""Proposed checks travel through the workflow, so they are bounded."""

ProposedName = Annotated[str, StringConstraints(pattern=r"^[\w .:-]{1,60}$")]
ProposedRun = Annotated[str, StringConstraints(min_length=1, max_length=PROPOSED_RUN_CHARACTERS, strip_whitespace=True)]


class ProposedCheck(Wire):
    """A check that an agent proposes in its plan, as the task declares none."""

    name: ProposedName = Field(description="A short name: letters, digits, spaces and . : - _ only.")
    run: ProposedRun = Field(description="A bash command, started in the workspace root; exit code 0 proves it.")


class Verifier(UserInput):
    """Another model call that reads task, diff and check output, and says whether the task is done."""

    model: str | None = None
    """Name of a model profile; the agent's own when empty."""
    max_rejections: int = Field(default=3, ge=1, le=20)
    """So many rejections in a row bring the question to a person."""


class Claim(Wire):
    """One command that an agent says it ran to verify its work, as the workflow sees it."""

    command: str
    """`policy.claims.command_text`: at most 400 characters."""
    outcome: str = ""
    """What the agent says came of it, at most 200 characters."""


class ClaimVerdict(StrEnum):
    """What the record says about a claim."""

    PROVED = "proved"
    NEVER_RUN = "never_run"
    """No command of the record contains it."""
    FAILED = "failed"
    """It failed when it ran last."""
    STALE = "stale"
    """Files were changed after it ran last."""
    UNKNOWN = "unknown"
    """It started, and its end was not seen."""


class JudgedClaim(Wire):
    """A claim and what the record says about it."""

    command: str
    outcome: str = ""
    verdict: ClaimVerdict
    step: int = 0
    """When it ran last; 0: never."""
    hidden: bool = False
    """It ran, and the exit code of its line was another command's, as in `pytest | tail`."""


class CommandEnd(StrEnum):
    """How a command ended."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It is lost, or runs in the background and was not seen to end."""


class CommandRun(Wire):
    """A command that an agent ran, for claims to be compared with."""

    text: str
    """`policy.claims.command_text`."""
    step: int
    index: int
    """The call's position in its answer."""
    end: CommandEnd
    tree: str = ""
    """Hash of the files after its step; empty until a checkpoint tells."""
    overtaken: bool = False
    """A later call of the same step wrote a file."""


class Verdict(Wire):
    """What a verifier said of a `finish`."""

    step: int
    accepted: bool
    reasons: tuple[str, ...] = ()
    """At most 10 of 300 characters."""
    missing: tuple[str, ...] = ()
    """What the task asks for and the verifier does not find; at most 10 of 300 characters."""
    profile: str = ""
    unreadable: bool = False
    """Both of its answers were no verdict; that counts as a rejection."""
    overruled_by: str = ""
    """The person who accepted the work as it was."""


class CheckSource(StrEnum):
    """Who says how the task is proved."""

    NONE = "none"
    """Nobody: there are no checks."""
    DECLARED = "declared"
    """The task."""
    PROPOSED = "proposed"
    """The agent, in its plan."""


class Completion(Wire):
    """What an agent remembers for the proof of its work; bounded, and carried through everything."""

    commands: tuple[CommandRun, ...] = ()
    """The latest 40 different ones, oldest first."""
    proposed: tuple[ProposedCheck, ...] = ()
    """The checks of the newest plan; only where the task declares none."""
    weakened: tuple[str, ...] = ()
    """Checks that were dropped or changed after they had been proposed, in words; the latest 10."""
    was_asked: bool = False
    """The agent was asked for checks because its first plan had none."""
    told_ignored: bool = False
    """The agent knows that the task's own checks count and not its proposals."""
    claims: tuple[JudgedClaim, ...] = ()
    """Those of the latest `finish`."""
    claim_refusals: int = 0
    """How often a `finish` was refused for claims that are not proved."""
    verdicts: tuple[Verdict, ...] = ()
    """The latest 5."""
    rejections: int = 0
    """Verdicts in a row that reject the work."""


class CompletionReport(Wire):
    """What stands behind the end of an agent, for people."""

    source: CheckSource = CheckSource.NONE
    proposed: tuple[ProposedCheck, ...] = ()
    weakened: tuple[str, ...] = ()
    claims: tuple[JudgedClaim, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    @property
    def unproved(self) -> tuple[JudgedClaim, ...]:
        """The claims that the record does not support."""
        return tuple(claim for claim in self.claims if claim.verdict is not ClaimVerdict.PROVED)
