"""A person's own editor, and a swarm's plan in it."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import orjson

from longshift.contracts.errors import BadInput
from longshift.contracts.reviews import REVIEW_TEXT_MAX_CHARACTERS
from longshift.contracts.swarm_plan import SwarmPlan

LINES = "strike ID, goal ID: TEXT, scope ID: GLOB, … (docs/swarm.md)"


def edited_plan(plan: SwarmPlan) -> str:
    """The plan as the person has changed it, as compact JSON: what `amend` takes as a whole plan.

    Raises:
        BadInput: there is no editor, nothing was changed, it is no JSON or too long to be sent.
    """
    before = plan.model_dump(mode="json", include={"goal", "items", "checks"}, exclude_defaults=True)
    text = edited(orjson.dumps(before, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode(), ".json")
    try:
        after = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"--edit: line {error.lineno}: this is no JSON ({error.msg}); nothing was sent") from None
    if after == before:
        raise BadInput("--edit: nothing was changed, so nothing was sent; `approve` approves the plan as it is")
    sent = orjson.dumps(after).decode()
    if len(sent) > REVIEW_TEXT_MAX_CHARACTERS:
        raise BadInput(
            f"--edit: the plan has {len(sent):,} characters, and at most {REVIEW_TEXT_MAX_CHARACTERS:,} can be sent; "
            f"say what changes instead, a line each, with --text or --file: {LINES}"
        )
    return sent


def edited(text: str, suffix: str) -> str:
    """`text` as the person leaves it in `$VISUAL` or `$EDITOR`.

    Raises:
        BadInput: there is no editor, or it failed.
    """
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
    if not editor:
        raise BadInput("--edit: no editor is set; set EDITOR, or write the change with --text or --file")
    with tempfile.TemporaryDirectory(prefix="longshift-") as folder:
        path = Path(folder) / f"plan{suffix}"
        path.write_text(text, encoding="utf-8")
        try:
            code = subprocess.run([*editor, str(path)], check=False).returncode
        except OSError as error:
            raise BadInput(f"--edit: {editor[0]} cannot be started ({error.strerror}); set EDITOR to another") from None
        if code:
            raise BadInput(f"--edit: {editor[0]} ended with {code}; nothing was sent")
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"--edit: what {editor[0]} left cannot be read ({error}); nothing was sent") from None
