"""Tool names as models really write them, and the special tokens that leak around calls.

Arguments are not here; see `arguments`.
"""

import re
from collections.abc import Container

_PREFIX = re.compile(r"^\s*(?:<\|[a-z_]{1,40}\|>\s*)*(?:(?:functions?|tools?)[.:])?")
_TRAILER = re.compile(r"[<\s({`\"'].*$", re.DOTALL)
_INDEX = re.compile(r":\d+$")
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_-]")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MAX_CHARACTERS = 128

LEAKED_TOKEN = re.compile(
    r"<\|(tool_calls?_section_(?:begin|end)|tool_call_(?:begin|end|argument_begin))\|>|<\uff5c(tool\u2581[a-z\u2581]{1,30})\uff5c>"
)
"""Tokens of a model's own call syntax; in text they mean that the server failed to parse a call."""

_ALIASES = {
    "bash": (
        "shell terminal execute_bash execute_command run_command run_shell_command run_bash bash_command run_shell "
        "exec execute sh command shell_command run_terminal_cmd"
    ),
    "bash_output": "bashoutput get_output task_output shell_output read_output",
    "bash_kill": "kill_shell killshell kill_bash kill_job bash_stop task_stop kill",
    "read_file": "read view cat open_file view_file file_read readfile",
    "write_file": "write create_file create save_file file_write writefile",
    "edit_file": "edit str_replace str_replace_file replace strreplace file_edit string_replace edit_tool editfile",
    "glob": "find_files glob_files file_glob",
    "grep": "ripgrep rg search_files grep_search search_content",
    "update_plan": "todo_write todowrite update_todo update_todos set_todo_list write_todos plan todo todos",
    "finish": "done complete submit task_complete attempt_completion",
}
_CANONICAL = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}


def stored_name(written: object, offered: Container[str]) -> str:
    """The offered tool that `written` means, else `written` in a form that providers take back."""
    if not isinstance(written, str):
        return "unknown_tool"
    if written in offered:
        return written
    name = _INDEX.sub("", _TRAILER.sub("", _PREFIX.sub("", written, count=1), count=1))
    name = _FORBIDDEN.sub("_", name)[:_MAX_CHARACTERS]
    if not name.strip("_-"):
        return "unknown_tool"
    if not (name[0].isalpha() or name[0] == "_"):
        name = f"_{name}"[:_MAX_CHARACTERS]
    if name in offered:
        return name
    plain = snake_case(name)
    if plain in offered:
        return plain
    meant = _CANONICAL.get(plain)
    return meant if meant is not None and meant in offered else name


def snake_case(name: str) -> str:
    """`readFile`, `Read-File` and `READ_FILE` are all `read_file`."""
    return _HUMP.sub("_", name.strip()).replace("-", "_").lower()
