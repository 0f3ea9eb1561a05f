"""How workflows run: in the SDK's sandbox, with what is known to be pure passed through.

The worker and the replay of kept histories use the same.
"""

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import Info

PASSED_THROUGH = (
    "workflows",
    "longshift.contracts",
    "longshift.policy",
    "pydantic",
    "pydantic_core",
    "annotated_types",
)
"""Re-importing these costs each workflow 0.3 s and more than 1 MB. That they are pure is proved by the house rules, and
by tests whose sandbox imports the workflows and everything below them anew."""


def workflow_runner() -> WorkflowRunner:
    """The sandbox of production: pure modules pass through."""
    return _Runner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


class _Runner(SandboxedWorkflowRunner):
    """Makes workflows whose payloads know nothing of where they stand."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """A workflow in its sandbox."""
        return _Instance(super().create_instance(det))


class _Instance(WorkflowInstance):
    """A workflow that gives its payloads no context.

    The SDK asks for it several times for each payload, and enters the sandbox each time: a seventh of what a worker
    does. Neither the converter nor the codec looks at it, and nothing is stored outside of the engine.
    """

    def __init__(self, inner: WorkflowInstance) -> None:
        self._inner = inner

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._inner.activate(act)

    def get_serialization_context(self, command_info: object) -> SerializationContext | None:
        return None

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:
        return StorageDriverStoreContext(target=None)

    def get_info(self) -> Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()
