"""The yardstick: a workflow of two no-op activities per step, and nothing else."""

from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
async def no_op(payload: str) -> str:
    """Nothing, with its payload given back."""
    return payload


@workflow.defn
class Bare:
    """Two no-op activities per step."""

    @workflow.run
    async def run(self, steps: int) -> None:
        """Do nothing that often."""
        payload = "x" * 1_000
        for _ in range(steps * 2):
            await workflow.execute_activity(no_op, payload, start_to_close_timeout=timedelta(seconds=30))
