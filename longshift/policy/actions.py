"""What the loop can ask for. The workflow performs an action and tells `policy.loop` how it went."""

from dataclasses import dataclass

from longshift.contracts.agent import AgentReport
from longshift.contracts.model import CallDigest
from longshift.contracts.rollback import Rollback
from longshift.contracts.transcript import Note, SealInput


@dataclass(frozen=True)
class CallModel:
    """Ask the model for the current step: close the step before, deliver these messages, ask."""

    notes: tuple[Note, ...] = ()
    seal: SealInput | None = None


@dataclass(frozen=True)
class RunTools:
    """Run these calls: the batches in order, the calls of one batch together."""

    batches: tuple[tuple[CallDigest, ...], ...]


@dataclass(frozen=True)
class RunChecks:
    """Prove that the task is done: with every change of files on record, run the checks if there are any."""

    are_there: bool = True


@dataclass(frozen=True)
class Verify:
    """Have another model judge the work."""


@dataclass(frozen=True)
class PlanSwarm:
    """Make a plan of the open `delegate` call."""


@dataclass(frozen=True)
class AmendPlan:
    """Change the plan as a person says."""


@dataclass(frozen=True)
class CriticisePlan:
    """Have another model judge the plan."""


@dataclass(frozen=True)
class RunSwarm:
    """Have sub-agents carry the approved plan out."""


Delegating = PlanSwarm | AmendPlan | CriticisePlan | RunSwarm
"""What an open `delegate` call can need; which one is `AgentState.delegation`."""


@dataclass(frozen=True)
class Seal:
    """Close the step before by itself, as no model call follows at once."""

    seal: SealInput


@dataclass(frozen=True)
class Compact:
    """Ask for a hand-off note and go on from it in a new epoch."""


@dataclass(frozen=True)
class RollBack:
    """Put the files back, then go on from an earlier step in a new epoch."""

    wish: Rollback


@dataclass(frozen=True)
class WriteHandoff:
    """Ask for the last hand-off note; nothing follows."""


@dataclass(frozen=True)
class Wait:
    """Let the provider recover, then go on."""

    seconds: float


@dataclass(frozen=True)
class Park:
    """Only a person can help: hold until one resumes, steers or cancels."""


@dataclass(frozen=True)
class Finish:
    """The agent has ended."""

    report: AgentReport


Action = (
    CallModel
    | RunTools
    | RunChecks
    | Verify
    | PlanSwarm
    | AmendPlan
    | CriticisePlan
    | RunSwarm
    | Seal
    | Compact
    | RollBack
    | WriteHandoff
    | Wait
    | Park
    | Finish
)
