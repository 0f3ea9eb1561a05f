"""Task files as people write them: Markdown with front matter, YAML or JSON, read into a `TaskSpec`.

Nothing here starts a session or knows the engine.
"""

from longshift.policy.task_identity import task_hash
from longshift.taskfile.load import load_task, parse_task
from longshift.taskfile.schema import task_schema

__all__ = ["load_task", "parse_task", "task_hash", "task_schema"]
