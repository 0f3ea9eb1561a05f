"""What tells two tasks apart: the hash of everything that a task says. Ids for files without one are `taskfile`'s."""

import hashlib
import json
from typing import Any

from longshift.contracts.task import Budget, TaskSpec

_LATER_FIELDS = (
    *("priority", "fairness_key", "fairness_weight", "not_before", "start_from"),
    *("setup_secrets", "network", "setup_network", "deliver"),
)
"""Fields that came after the first release: where they are not used, a task keeps the hash it had then."""


_NOT_SAID = ("origin",)
"""What the runner adds: it tells no two tasks apart."""
_LATER_BUDGETS = ("warn_at_share", "on_limit")
"""The same within `budget`."""


def task_hash(task: TaskSpec) -> str:
    """SHA-256 (first 16 hex digits) of a task as it will run, its id included."""
    values = task.model_dump(mode="json")
    for name in _LATER_BUDGETS:
        if getattr(task.budget, name) == Budget.model_fields[name].default:
            del values["budget"][name]
    unused = [name for name in _LATER_FIELDS if getattr(task, name) == TaskSpec.model_fields[name].default]
    return digest({name: value for name, value in values.items() if name not in (*unused, *_NOT_SAID)})[:16]


def digest(values: dict[str, Any]) -> str:
    """SHA-256 (hex) of a table, whatever the order of its keys."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
