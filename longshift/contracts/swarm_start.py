"""What a lead starts a swarm with."""

from longshift.contracts.agent import AgentLimits
from longshift.contracts.ledger import Allowance
from longshift.contracts.queue_place import QueuePlace
from longshift.contracts.reviews import Autonomy
from longshift.contracts.swarm_plan import PlanDigest
from longshift.contracts.wire import Wire
from longshift.contracts.workspace import Workspace


class SwarmStart(Wire):
    """What a lead starts a swarm with."""

    swarm: str
    """`ids.swarm_id`."""
    session: str
    """The task id of the session."""
    lead: str
    """The agent id of the lead."""
    step: int
    """The lead's step."""
    index: int
    """Its call in that step."""
    epoch: int = 1
    plan: PlanDigest
    workspace: Workspace
    """The lead's, in which results land."""
    allowance: Allowance = Allowance()
    """What all of it may spend, resolvers included."""
    profile: str
    fallback: tuple[str, ...] = ()
    limits: AgentLimits = AgentLimits()
    """The lead's thresholds; each item gets its share of the budget in them."""
    place: QueuePlace = QueuePlace()
    width: int = 8
    attempts: int = 2
    host_patience_seconds: float = 45
    paused: bool = False
    fleet_held: bool = False
    lead_steps: int = 0
    """The lead's own steps so far, for the critical path."""
    autonomy: Autonomy = Autonomy.FULL
    """The session's: what would have to be approved is refused to its sub-agents."""
    history_events: int = 3_000
    """The swarm continues as new at about this many events."""
