"""A whole swarm's plan that a person has written as JSON: as the model writes it, or as it is kept and shown."""

from typing import Any, cast

from longshift.adapters.calls.arguments import fit_arguments
from longshift.adapters.calls.json_text import parse_json_text
from longshift.adapters.calls.storable import storage_problem
from longshift.contracts.delegate import DelegateArguments

_ONLY_KEPT = "struck"
"""A field that every plan has as it is kept, and none as it is written."""
_NOT_WRITTEN = frozenset({_ONLY_KEPT, "templates"})
"""Fields of a kept plan that only say where its items come from."""


def delegate_arguments(text: str) -> tuple[DelegateArguments | None, str]:
    """The plan that a text is, or what is wrong with it."""
    parsed = parse_json_text(text)
    if parsed.problem:
        return None, f"not valid JSON: {parsed.problem}"
    if not isinstance(parsed.value, dict):
        return None, "must be a JSON object"
    value = cast(dict[str, Any], parsed.value)
    if problem := storage_problem(value):
        return None, problem
    if _ONLY_KEPT in value:
        value = {key: member for key, member in value.items() if key not in _NOT_WRITTEN}
    fitted = fit_arguments(DelegateArguments, value)
    if not isinstance(fitted.arguments, DelegateArguments):
        return None, fitted.problem
    return fitted.arguments, ""
