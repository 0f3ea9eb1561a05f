"""Sessions tell the fleet what they have spent; the first one brings it to life."""

from temporalio import activity
from temporalio.common import WorkflowIDConflictPolicy

from longshift.contracts import ids
from longshift.contracts.activities import FleetActivities
from longshift.contracts.fleet import FleetLimits, FleetSpend, FleetState


class Fleets(FleetActivities):
    """Talks to the engine through the worker's own client; the limits are those that this worker is configured with."""

    def __init__(self, limits: FleetLimits) -> None:
        self._limits = limits

    @activity.defn
    async def tell_fleet(self, spend: FleetSpend) -> None:
        """Signal the fleet, and start it where there is none."""
        await activity.client().start_workflow(
            "Fleet",
            FleetState(),
            id=ids.FLEET_WORKFLOW_ID,
            task_queue=ids.CONTROL_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="tell",
            start_signal_args=[spend.model_copy(update={"limits": self._limits})],
            static_summary="what all sessions together may spend",
        )
