"""A result on its way out of the sandbox: planned, then published. It reads the store alone, never a workspace."""

from temporalio import activity

from activities.heartbeat import Progress, heartbeating
from longshift.adapters.delivery import Delivering
from longshift.contracts.activities import DeliveryActivities
from longshift.contracts.delivery import BranchDelivery, BranchPlan, PlanBranchInput, PublishInput


class Deliveries(DeliveryActivities):
    """Branches and pull requests."""

    def __init__(self, delivering: Delivering) -> None:
        self._delivering = delivering

    @activity.defn
    async def plan_branch(self, request: PlanBranchInput) -> BranchPlan:
        """Make the commit in a clean repository, and say where it would go."""
        progress = Progress()
        async with heartbeating(progress):
            return await self._delivering.plan(request.task_id, request.at, progress.report)

    @activity.defn
    async def publish_branch(self, request: PublishInput) -> BranchDelivery:
        """Push the planned commit, and open the pull request."""
        progress = Progress()
        async with heartbeating(progress):
            return await self._delivering.publish(request.task_id, request.at, request.plan, progress.report)
