"""What a swarm starts one attempt at an item with."""

from longshift.contracts.agent import AgentLimits
from longshift.contracts.queue_place import QueuePlace
from longshift.contracts.reviews import Autonomy
from longshift.contracts.swarm import ItemFailure
from longshift.contracts.transcript import Note
from longshift.contracts.wire import Wire


class ItemInput(Wire):
    """One attempt at an item of a swarm, or at the merge of one."""

    swarm: str
    """`ids.swarm_id`."""
    item: str
    """Its name in the plan, or `ids.resolver_item`."""
    attempt: int = 1
    profile: str
    fallback: tuple[str, ...] = ()
    limits: AgentLimits = AgentLimits()
    """With its share of the budget."""
    autonomy: Autonomy = Autonomy.FULL
    """The session's: what would have to be approved is refused to a sub-agent."""
    place: QueuePlace = QueuePlace()
    """In the queue for slots of sub-agents."""
    has_checks: bool = False
    integration: int = 0
    """The integrated state that it starts from; 0: the lead's tree as it was when it delegated."""
    host_patience_seconds: float = 45
    paused: bool = False
    fleet_held: bool = False
    wrap_up_seconds: float | None = None
    """How much is left of the session's time, where its end is near."""
    notes: tuple[Note, ...] = ()
    """What people have said to it so far."""
    before: ItemFailure | None = None
    """How the attempt before ended."""
    before_reason: str = ""
