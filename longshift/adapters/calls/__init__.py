"""Call-format enforcement: every tool call of an answer is checked, and mended where only one reading exists.

`check_calls` runs before an answer is stored, so that neither the store nor a later request ever holds broken JSON,
duplicate ids or a name that providers refuse. Running calls, permissions and the transcript are not here.
"""

from longshift.adapters.calls.answer import CheckedAnswer, check_calls, parse_arguments
from longshift.adapters.calls.definitions import tool_definitions
from longshift.adapters.calls.plan_json import delegate_arguments

__all__ = ["CheckedAnswer", "check_calls", "delegate_arguments", "parse_arguments", "tool_definitions"]
