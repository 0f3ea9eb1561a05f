"""What a long session must not forget: facts planted at known turns, and calls with varied results between them.

Plain data for `bench.context` and for the recall test; the models that play it are elsewhere. All facts are ASCII
without quotes, so that their bytes in a JSON body are their own.
"""

from pathlib import Path
from typing import Any

from longshift.contracts import ids

CONSTRAINT = "Constraint 7f3a9c: every public name keeps its meaning."
CHECK_NAME = "check 51d0e2"
CHANGED_FILE = "src/planted_a81b3d.py"
PROTECTED = "golden/planted-9c2e77/**"
DECISION = "Decision b6f40a: positions are kept as byte offsets, not as characters."
FAILED_IN_PLAN = "Failed e19c52: caching inside the parser broke nested comments."
FAILED_IN_NOTE = "Failed 44d8f1: the regular expression backtracks on long lines; do not try it again."
RULE = "Rule c41d99: use tabs."
EARLY_WORD = "Word 2ab6c8 of a person: leave the vendored folder alone."
LATE_WORD = "Word 90e7d4 of a person: mention the measurements in the summary."
NOTE = f"I read files. {FAILED_IN_NOTE} Next: go on reading."
"""The hand-off note that a model writes which remembers what it was told to."""

CHANGE_TURN = 2
JOB_TURN = 4
PLAN_TURN = 6
FAILURE_TURN = 9
JOB = ids.job_id(JOB_TURN + 1, 0)
JOB_COMMAND = "exec sleep 86413"

FACTS = {
    "constraint": CONSTRAINT,
    "check": CHECK_NAME,
    "protected": PROTECTED,
    "rule of the repository": RULE,
    "early word": EARLY_WORD,
    "late word": LATE_WORD,
    "changed file": CHANGED_FILE,
    "decision": DECISION,
    "failed approach in the plan": FAILED_IN_PLAN,
    "failed approach in the note": FAILED_IN_NOTE,
    "background job": JOB,
}

FILES = 61
LINES = 600
LINES_PER_READ = (12, 300, 25, 100, 50, 200)
"""Results of 1 to 26 KB, 10 KB on average, in turns."""
PAIR_EVERY = 10
"""Each tenth answer makes two calls."""

Call = tuple[str, dict[str, Any]]
"""A tool's name and its arguments."""


def task_fields() -> dict[str, Any]:
    """What of the task is planted."""
    return {
        "constraints": [CONSTRAINT],
        "checks": [{"name": CHECK_NAME, "run": f"test -f {CHANGED_FILE}"}],
        "protected": [PROTECTED],
        # It reads for thousands of steps and changes nothing, which a person would be asked about.
        "stuck": {"enabled": False},
    }


def write_files(folder: Path) -> None:
    """The files to read, no two lines of which are the same, and the repository's rules."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "AGENTS.md").write_text(f"{RULE}\n")
    for number in range(FILES):
        rows = (f"{number:02}-{line:04} " + f"{number * 7919 + line * 104729:08x} " * 8 for line in range(LINES))
        (folder / f"f{number:02}.txt").write_text("\n".join(row.rstrip() for row in rows) + "\n")


def calls_of(turn: int, steps: int, scale: float = 1.0) -> list[Call]:
    """The calls of a turn, counted from 0; `scale` makes the results smaller. The turn `steps` is the last."""
    if turn >= steps:
        return [("finish", {"summary": "All is read."})]
    if turn == CHANGE_TURN:
        return [("write_file", {"path": CHANGED_FILE, "content": "planted = True\n"})]
    if turn == JOB_TURN:
        return [("bash", {"command": JOB_COMMAND, "background": True, "timeout_seconds": 40_000})]
    if turn == PLAN_TURN:
        done = [{"title": title, "status": "done"} for title in (DECISION, FAILED_IN_PLAN)]
        return [("update_plan", {"items": [*done, {"title": "Read on.", "status": "in_progress"}]})]
    pair = turn % PAIR_EVERY == PAIR_EVERY - 1
    return [_read(turn, scale), *([_read(turn + 3, scale)] if pair else [])]


def text_of(turn: int) -> str:
    """What the model says beside its calls."""
    return FAILED_IN_NOTE if turn == FAILURE_TURN else ""


def _read(turn: int, scale: float) -> Call:
    lines = max(1, int(LINES_PER_READ[turn % len(LINES_PER_READ)] * scale))
    offset = 1 + turn * 37 % (LINES - lines)
    return "read_file", {"path": f"f{turn % FILES:02}.txt", "offset": offset, "limit": lines}
