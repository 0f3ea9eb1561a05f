"""Signals between workflows that take their time, so that a test sees what happens meanwhile."""

from temporalio import workflow
from temporalio.worker import (
    Interceptor,
    SignalExternalWorkflowInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

SLOW = "swarm_progress"
SECONDS = 3.0


class SlowSignals(Interceptor):
    """What swarms tell their lead is on its way for three seconds."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:
        if input.signal == SLOW:
            await workflow.sleep(SECONDS)
        await super().signal_external_workflow(input)
