"""Around every activity that could crash its worker: the journal of crashes. What it refuses parks its agent."""

from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from longshift.adapters.crashes import CrashJournal

WATCHED = {
    "try_tool": "tool",
    "run_tool": "tool",
    "checkpoint": "checkpoint",
    "run_checks": "checks",
    "deliver": "delivery",
    "call_model": "model call",
    "write_handoff": "model call",
}
"""Activity → what it counts as. `hold_slot` lasts as long as its slot; only its preparation is watched, by itself."""


class Quarantine(Interceptor):
    """Put it inside of the error boundary, so that a refusal reaches the engine with its kind."""

    def __init__(self, journal: CrashJournal) -> None:
        self._journal = journal

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Watch the activity."""
        return _Watched(next, self._journal)


class _Watched(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, journal: CrashJournal) -> None:
        super().__init__(next)
        self._journal = journal

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        """Do it under a mark."""
        info = activity.info()
        kind = WATCHED.get(info.activity_type)
        if kind is None:
            return await self.next.execute_activity(input)
        async with self._journal.doing(f"{info.workflow_id} {kind}", f"{_step(input)}{kind} of {info.workflow_id}"):
            return await self.next.execute_activity(input)


def _step(input: ExecuteActivityInput) -> str:
    step = getattr(input.args[0], "step", None) if input.args else None
    return f"step {step} · " if step else ""
