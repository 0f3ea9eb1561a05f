"""How far an open `delegate` call has come. It never outlives its step; what its swarm reports does."""

from enum import StrEnum

from longshift.contracts.swarm_plan import PlanDigest
from longshift.contracts.wire import Wire

VERSION_WITH_SWARMS = 4
"""`AgentState.version` from which an agent may delegate."""


class DelegationStage(StrEnum):
    """What an open `delegate` call needs next."""

    PLAN = "plan"
    """A plan made of its arguments."""
    CRITIC = "critic"
    """Another model's word on the plan."""
    PERSON = "person"
    """A person's."""
    AMEND = "amend"
    """The plan as a person changes it."""
    RUN = "run"
    """The swarm."""


class Delegation(Wire):
    """An open `delegate` call."""

    number: int
    """Of the swarm within its agent, from 1; never used again."""
    swarm: str
    """`ids.swarm_id`."""
    index: int
    """The call's, in its answer."""
    stage: DelegationStage = DelegationStage.PLAN
    plan: PlanDigest | None = None
    approved_hash: str = ""
    """The plan that may be carried out; empty: none yet."""
    approved_by: str = ""
    """The person who approved it; empty: the rules, or a critic."""
    amendment: str = ""
    """What a person wants changed, in their words."""
    amended_by: str = ""
    not_taken: str = ""
    """Why the last amendment was refused."""
