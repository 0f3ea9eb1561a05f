"""What people and the workflow learn of a call without its arguments: a hash and one line."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any, cast

import orjson

from longshift.contracts.completion import Claim
from longshift.contracts.tools import ASK_HUMAN, DELEGATE, BashArguments, FinishArguments, ToolArguments
from longshift.policy.claims import command_text

SUMMARY_CHARACTERS = 120
CLAIM_CHARACTERS = 200
"""Of what a claim says came of its command."""
QUESTION_CHARACTERS = 1_900
"""Of the agent's own question."""
SHOWN_CHARACTERS = 16_000
"""Of a call that a person has to let run: one question shows as much, and nobody approves what is not shown whole."""
SHOWN_OF_ANSWER_CHARACTERS = 160_000
"""Of all such calls of one answer: they travel as one value."""
_SHOWN_ALONE = {"bash": "command", "ask_human": "question"}
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_SUBJECTS: dict[str, tuple[str, ...]] = {
    "bash": ("command",),
    "bash_output": ("job",),
    "bash_kill": ("job",),
    "read_file": ("path",),
    "write_file": ("path",),
    "edit_file": ("path",),
    "glob": ("pattern", "path"),
    "grep": ("pattern", "path"),
    "finish": ("summary",),
    "ask_human": ("question",),
    "read_report": ("item", "group"),
}
_READS: dict[str, tuple[str, ...]] = {"glob": ("pattern", "path"), "grep": ("pattern", "path")}
PART_LINES = 1_000
"""Lines of a file that count as one part of it, by the first line that is read."""
_LOOKING_COMMANDS = frozenset({"cat", "find", "grep", "head", "less", "ls", "nl", "rg", "sed", "tail", "tree", "wc"})


def arguments_hash(arguments: object) -> str:
    """SHA-256 (first 16 hex digits) of the canonical JSON of storable `arguments`."""
    return text_hash(orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS))


def text_hash(text: bytes) -> str:
    """SHA-256 (first 16 hex digits) of `text`."""
    return hashlib.sha256(text).hexdigest()[:16]


def call_summary(name: str, arguments: dict[str, Any]) -> str:
    """One line for people, such as `bash: pytest -q`."""
    if name == "update_plan":
        items = cast(Sequence[dict[str, Any]], arguments.get("items", ()))
        done = sum(item.get("status") == "done" for item in items)
        return f"update_plan: {done}/{len(items)} done"
    if name == DELEGATE:
        count = len(arguments.get("items", ())) + sum(len(each["over"]) for each in arguments.get("templates", ()))
        return one_line(f"delegate: {count} items, {str(arguments.get('goal'))[:400]}")
    keys = _SUBJECTS.get(name) or tuple(arguments)[:1]
    subject = " in ".join(str(arguments[key])[:400] for key in keys if key in arguments)
    return one_line(f"{name}: {subject}" if subject else name)


def reads_of(name: str, arguments: dict[str, Any]) -> str:
    """What a call looks at, as a hash (8 hex digits) of the tool and its subject; empty where it is no read.

    Of a long file each part is a read of its own; a command counts where its first word only looks.
    """
    if name == "read_file":
        subject = [str(arguments.get("path")), str((int(arguments.get("offset", 1)) - 1) // PART_LINES)]
    elif name == "bash":
        words = str(arguments.get("command", "")).split()
        subject = [" ".join(words)] if _only_looks(words) else []
    else:
        subject = [str(arguments.get(key)) for key in _READS.get(name, ())]
    return text_hash("\0".join((name, *subject)).encode(errors="replace"))[:8] if subject else ""


def seen_of(arguments: ToolArguments) -> dict[str, Any]:
    """Fields of the digest of a call that claims are compared by: the command that it runs, or the claims it makes."""
    match arguments:
        case BashArguments():
            return {"command": command_text(arguments.command), "background": arguments.background}
        case FinishArguments():
            claims = [
                Claim(command=command_text(line.command), outcome=" ".join(line.outcome.split())[:CLAIM_CHARACTERS])
                for line in arguments.verified
            ]
            return {"claims": tuple(claims)}
        case _:
            return {}


def _only_looks(words: Sequence[str]) -> bool:
    return bool(words) and words[0] in _LOOKING_COMMANDS and not (words[0] == "sed" and "-n" not in words)


def shown(name: str, arguments: dict[str, Any]) -> str:
    """What a person is shown of a call: all of it, but for a long question of the agent's own."""
    if name in _SHOWN_ALONE:
        text = str(arguments.get(_SHOWN_ALONE[name], ""))
    else:
        text = "\n".join(f"{key}: {value}" for key, value in arguments.items())
    if name != ASK_HUMAN or len(text) <= QUESTION_CHARACTERS:
        return text
    cut = f"\n… {len(text) - QUESTION_CHARACTERS + 100:,} more characters"
    return text[: QUESTION_CHARACTERS - len(cut)] + cut


def too_long_to_show(text: str, shown_before: int) -> str:
    """Why nobody can be asked about a call, for the model; empty: it can be shown whole.

    `shown_before`: characters of the answer's earlier calls that are asked about.
    """
    room = min(SHOWN_CHARACTERS, SHOWN_OF_ANSWER_CHARACTERS - shown_before)
    if len(text) <= room:
        return ""
    return (
        f"- a person has to let this call run, and its {len(text):,} characters cannot be shown whole (at most "
        f"{max(room, 0):,} now); put what is long into a file first, or make fewer such calls at a time"
    )


def one_line(text: str) -> str:
    """`text` without line breaks or control characters, shortened for a list."""
    line = _SPACE.sub(" ", text).strip()
    return line if len(line) <= SUMMARY_CHARACTERS else f"{line[: SUMMARY_CHARACTERS - 1]}…"
