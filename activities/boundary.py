"""The one place where a failure outside becomes an engine failure, with its kind and its verdict on retrying.

What leaves an activity, result or failure, ends up in the engine's database: known secrets are masked on the way.
"""

from collections.abc import Callable
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from longshift.contracts.errors import LongshiftError
from longshift.contracts.wire import Wire

Clean = Callable[[str], str]
LIMIT_CHARACTERS = 2_000


class ErrorBoundary(Interceptor):
    """Wraps every activity of a worker."""

    def __init__(self, *, clean_result: Clean = str, clean_failure: Clean = str) -> None:
        """`clean_result` masks what is surely a secret, `clean_failure` also what only looks like one."""
        self._clean_result = clean_result
        self._clean_failure = clean_failure

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Put the translation around the activity."""
        return _Translation(next, self._clean_result, self._clean_failure)


class _Translation(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, clean_result: Clean, clean_failure: Clean) -> None:
        super().__init__(next)
        self._clean_result = clean_result
        self._clean_failure = clean_failure

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return self._cleaned(await self.next.execute_activity(input))
        except LongshiftError as error:
            text = self._clean_failure(str(error))[:LIMIT_CHARACTERS]
            cause = error if self._is_clean(error) else None
            raise ApplicationError(text, type=error.kind, non_retryable=not error.retryable) from cause
        except ApplicationError as error:
            if self._is_clean(error):
                raise
            text = self._clean_failure(error.message)
            raise ApplicationError(text, type=error.type, non_retryable=error.non_retryable) from None
        except Exception as error:  # a bug goes on as it is, but for the secrets in its words
            if self._is_clean(error):
                raise
            text = self._clean_failure(str(error))[:LIMIT_CHARACTERS]
            raise ApplicationError(text, type=type(error).__name__) from None

    def _cleaned(self, result: Any) -> Any:
        if not isinstance(result, Wire):
            return result
        body = result.model_dump_json()
        clean = self._clean_result(body)
        return result if clean == body else type(result).model_validate_json(clean)

    def _is_clean(self, error: BaseException | None) -> bool:
        """Whether neither a failure nor what led to it says a secret: the engine keeps all of their words."""
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            if self._clean_failure(str(error)) != str(error):
                return False
            error = error.__cause__ or error.__context__
        return True
