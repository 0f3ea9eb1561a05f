"""The one place where a failure outside becomes an engine failure, with its kind and its verdict on retrying."""

from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from longshift.contracts.errors import LongshiftError


class ErrorBoundary(Interceptor):
    """Wraps every activity of a worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Put the translation around the activity."""
        return _Translation(next)


class _Translation(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await self.next.execute_activity(input)
        except LongshiftError as error:
            raise ApplicationError(str(error)[:2_000], type=error.kind, non_retryable=not error.retryable) from error
