"""What people say to a session about the swarm at work, beside messages to its items."""

from temporalio import workflow

from longshift.contracts.session import StrikeItem
from longshift.contracts.swarm import ItemWord
from longshift.policy import session_swarms
from workflows import signals
from workflows.steering import Steering


class SwarmSteering(Steering):
    """The handlers of a session for its swarm."""

    @workflow.update
    async def strike(self, word: StrikeItem) -> str:
        """Take an item out of the swarm at work; what it has done is left out, and so is what depends on it."""
        self._updates += 1
        struck = ItemWord(item=word.item, reason=word.reason, by=word.by)
        await signals.to_agent(self._status.agent, "strike_item", struck)
        return session_swarms.passed_on(word.item)

    @strike.validator
    def _may_strike(self, word: StrikeItem) -> None:
        self._allow(session_swarms.refuse_strike(self._status, self._agent_status, word, self._updates))
