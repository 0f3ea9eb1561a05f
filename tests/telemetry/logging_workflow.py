"""A workflow that logs and runs one remote and one local activity; apart, as the sandbox imports its module anew."""

from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Talkative:
    """Logs, then works."""

    @workflow.run
    async def run(self, request: dict[str, object]) -> None:
        """Run both kinds of activity with `request`."""
        workflow.logger.info("from the workflow", extra={"phase": "start"})
        limit = timedelta(seconds=20)
        await workflow.execute_activity("seal", request, start_to_close_timeout=limit)
        await workflow.execute_local_activity("checkpoint", request, start_to_close_timeout=limit)
