"""Which task a file is: the id derived for one that names none, and the hash that tells two tasks apart."""

import hashlib
import json
import re
import unicodedata
from typing import Any

from longshift.contracts.task import TaskSpec

SLUG_CHARACTERS = 60
HASH_CHARACTERS = 8


_LATER_FIELDS = ("priority", "fairness_key", "fairness_weight", "not_before")
"""Fields that came after the first release: where they are not used, a task keeps the hash it had then."""


def task_hash(task: TaskSpec) -> str:
    """SHA-256 (first 16 hex digits) of a task as it will run, its id included."""
    values = task.model_dump(mode="json")
    unused = [name for name in _LATER_FIELDS if getattr(task, name) == TaskSpec.model_fields[name].default]
    return _digest({name: value for name, value in values.items() if name not in unused})[:16]


def derived_id(title: str, values: dict[str, Any]) -> str:
    """An id out of the title and the content: the same file gives the same one, a changed file another."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_CHARACTERS].strip("-")
    return f"{slug or 'task'}-{_digest(values)[:HASH_CHARACTERS]}"


def _digest(values: dict[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
