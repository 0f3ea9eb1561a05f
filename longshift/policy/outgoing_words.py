"""The words of a commit and of a pull request: ours, with the agent's report as quoted text that can do nothing there.

What an agent writes may come from anybody whose text it has read. On a hosting service words act: they notify people,
close issues, load pictures from elsewhere. So what is not ours is taken apart where it would.
"""

import re
import unicodedata

from longshift.contracts.session import SessionStatus
from longshift.contracts.task import TaskSpec

SUMMARY_CHARACTERS = 6_000
COMMIT_SUMMARY_CHARACTERS = 2_000
_JOINER = "\u2060"
"""A word joiner: it cannot be seen, and no rule of a hosting service reads over it."""
_MENTION = re.compile(r"@(?=\w)")
_REFERENCE = re.compile(r"(?<!&)(#|\bGH-)(?=\d)", re.IGNORECASE)
_LINK = re.compile(r"\b(https?|ftp|mailto|www)(?=:|\.)", re.IGNORECASE)
_SKIPS = re.compile(r"\[(?=(?:skip[ -]|no )?(?:ci|actions)\b|(?:ci|actions)[ -]skip\b)", re.IGNORECASE)
_TRAILER = re.compile(r"^([A-Za-z][A-Za-z-]{2,40}-(?:by|with|to))(?=:)", re.IGNORECASE | re.MULTILINE)


def neutral(text: str) -> str:
    """Text in which nothing acts: no mention, no reference to an issue, no link, no trailer, no order to CI."""
    visible = "".join(
        each
        for each in text.replace("\r\n", "\n").replace("\r", "\n")
        if each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
    )
    for pattern, put in (
        (_MENTION, f"@{_JOINER}"),
        (_REFERENCE, rf"\1{_JOINER}"),
        (_LINK, rf"\1{_JOINER}"),
        (_SKIPS, f"[{_JOINER}"),
        (_TRAILER, rf"\1{_JOINER}"),
    ):
        visible = pattern.sub(put, visible)
    return visible


def quoted(text: str, limit: int) -> str:
    """Text of others as a block in which no markup is read; it cannot end the block."""
    body = neutral(text).strip()
    if len(body) > limit:
        body = body[:limit] + "\n[… the rest is left out]"
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", body)), default=0))
    return f"{fence}text\n{body}\n{fence}"


def line(text: str, limit: int = 200) -> str:
    """One line of others' text, with nothing in it that acts."""
    flat = " ".join(neutral(text).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def commit_message(task: TaskSpec, status: SessionStatus) -> str:
    """Title, the agent's summary, and which task it was."""
    summary = neutral(_summary(status)).strip()[:COMMIT_SUMMARY_CHARACTERS]
    parts = [line(task.title, 120), summary, f"Longshift-Task: {task.id}"]
    return "\n\n".join(part for part in parts if part) + "\n"


def pull_request_title(task: TaskSpec, wished: str | None) -> str:
    """What a person wished for, else the task's title."""
    return line(wished or task.title)


def pull_request_body(task: TaskSpec, status: SessionStatus, facts: tuple[str, ...]) -> str:
    """What a reviewer reads first: what the runner knows, then what the agent says, marked as such.

    `facts` are sentences of ours about the commit.
    """
    checks = next((report.checks for report in reversed(status.agents) if report.checks), None)
    lines = [f"Task `{task.id}`, worked on by an agent without supervision. Review it as you would a stranger's."]
    if checks is not None:
        lines.append(f"Checks, run by the runner: {line(checks.headline)}.")
    lines += [line(fact, 500) for fact in facts]
    said = _summary(status)
    if said:
        lines.append("What the agent says of it, word for word:")
        lines.append(quoted(said, SUMMARY_CHARACTERS))
    return "\n\n".join(lines) + "\n"


def _summary(status: SessionStatus) -> str:
    return next((report.summary for report in reversed(status.agents) if report.summary), "")
