"""The id of a task file that names none. What tells two tasks apart is `policy.task_identity`."""

import re
import unicodedata
from typing import Any

from longshift.policy.task_identity import digest

SLUG_CHARACTERS = 60
HASH_CHARACTERS = 8


def derived_id(title: str, values: dict[str, Any]) -> str:
    """An id out of the title and the content: the same file gives the same one, a changed file another."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_CHARACTERS].strip("-")
    return f"{slug or 'task'}-{digest(values)[:HASH_CHARACTERS]}"
