"""Claims of verification against the record of what ran: how a command is written down, found again and judged.

A claim is found in a command that contains it: `pytest -q` in `cd app && .venv/bin/pytest -q 2>&1 | tail -3`. Where
that is doubtful the agent gets the benefit: a false refusal costs it steps, and claims are no proof in any case.
What follows from a verdict is decided in `policy.completion`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from longshift.contracts.completion import Claim, ClaimVerdict, CommandEnd, CommandRun, JudgedClaim

TEXT_CHARACTERS = 400
HEAD_CHARACTERS = 240
CUT = " … "
_HEREDOC = re.compile(r"<<-?[ \t]*(['\"]?)(\w+)\1([^\n]*)\n.*?^\s*\2[ \t]*$", re.DOTALL | re.MULTILINE)
_CONTINUED = re.compile(r"\\\n")
_JOINED = re.compile(r"(\|\||&&|[|;&])\s*\n\s*")
_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_REDIRECTION = re.compile(r"(?:\d|&)?>{1,2}\s*(?:&\d|[^\s;|&]+)|(?<!<)<\s*[^\s<;|&(]+")
_OPERATOR = re.compile(r"(\|\||&&|\|&|;;|[;|&\n])")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=\S*")
_FILTERS = frozenset({"tail", "head", "grep", "cat", "tee", "wc", "less", "sort"})
"""What stands behind a pipe only to shorten output."""
_NO_RUNNERS = frozenset(
    {"echo", "printf", "cat", "grep", "rg", "sed", "head", "tail", "less", "ls", "which", "type", "man"}
    | {"git", "pip", "pip3", "apt", "apt-get", "npm"}
)
"""What names a command in its arguments and does not run it."""


@dataclass(frozen=True)
class _Line:
    """A command as words: its parts between shell operators, and the operator that follows each one."""

    parts: tuple[tuple[str, ...], ...]
    operators: tuple[str, ...]
    told: frozenset[str]
    """The operators in front of which a failure is still the failure of the whole line."""


def command_text(command: str) -> str:
    """A command as it is kept for comparison: no here-documents, comments or needless space; at most 400 characters.

    Of a longer one the head and the end stay, because what proves something often stands at the end of a script.
    """
    text = _HEREDOC.sub(r"\3", f"{command}\n")
    text = _JOINED.sub(r"\1 ", _COMMENT.sub("", _CONTINUED.sub(" ", text)))
    text = " ; ".join(" ".join(line.split()) for line in text.split("\n") if line.strip())
    if len(text) <= TEXT_CHARACTERS:
        return text
    return f"{text[:HEAD_CHARACTERS]}{CUT}{text[HEAD_CHARACTERS + len(CUT) - TEXT_CHARACTERS :]}"


def judged(
    claims: Sequence[Claim], commands: Sequence[CommandRun], *, root: str, tree: str, written_step: int = 0
) -> tuple[JudgedClaim, ...]:
    """What the record says about each claim.

    `root` is the workspace's folder, `tree` the hash of the files now (empty: unknown), and `written_step` a step that
    has written files and is in no tree yet.
    """
    return tuple(_judged(claim, commands, root, tree, written_step) for claim in claims)


def _judged(claim: Claim, commands: Sequence[CommandRun], root: str, tree: str, written_step: int) -> JudgedClaim:
    wanted = _of_claim(claim.command, root)
    found: list[tuple[CommandRun, frozenset[str]]] = []
    for run in commands:
        line = _line(run.text, root)
        end = len(line.parts) - 1 if run.text == claim.command else _found_in(wanted, line)
        if end is not None:
            found.append((run, _hiding(line, end)))
    if not found:
        return JudgedClaim(command=claim.command, outcome=claim.outcome, verdict=ClaimVerdict.NEVER_RUN)
    run, hiding = found[-1]
    if hiding and (plain := _failed_plainly(run, found)) is not None:
        run, hiding = plain, frozenset[str]()
    verdict = _verdict(run, tree, written_step, hiding)
    return JudgedClaim(
        command=claim.command, outcome=claim.outcome, verdict=verdict, step=run.step, hidden=bool(hiding)
    )


def _verdict(run: CommandRun, tree: str, written_step: int, hiding: frozenset[str]) -> ClaimVerdict:
    if run.end is CommandEnd.FAILED and hiding <= {"||"}:
        return ClaimVerdict.FAILED
    if run.overtaken or run.step < written_step or (run.tree and tree and run.tree != tree):
        return ClaimVerdict.STALE
    return ClaimVerdict.UNKNOWN if run.end is CommandEnd.UNKNOWN else ClaimVerdict.PROVED


def _failed_plainly(last: CommandRun, found: Sequence[tuple[CommandRun, frozenset[str]]]) -> CommandRun | None:
    """The run before that failed on the same files, where the last one does not show its exit code."""
    if not last.tree:
        return None
    plain = [run for run, hiding in found if not hiding and run.tree == last.tree]
    return plain[-1] if plain and plain[-1].end is CommandEnd.FAILED else None


def _line(text: str, root: str = "") -> _Line:
    pieces = _OPERATOR.split(_REDIRECTION.sub(" ", text))
    parts: list[tuple[str, ...]] = []
    operators: list[str] = []
    for piece, operator in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        words = tuple(cleaned for word in piece.split() if (cleaned := _word(word)))
        if words and not _goes_to(words, root):
            parts.append(words)
            operators.append(operator)
    shell = [word for words in map(str.split, pieces) if words[:1] == ["set"] for word in words]
    told = {"&&", "", *("|" for word in shell if word == "pipefail")}
    if any(re.fullmatch(r"-[a-z]*e[a-z]*", word) for word in shell):
        told |= {";", "\n"}
    return _Line(tuple(parts), tuple(operators), frozenset(told))


def _word(word: str) -> str:
    return word.strip("'\"(){}`").removeprefix("./")


def _goes_to(words: tuple[str, ...], root: str) -> bool:
    """Whether a part only says that the command runs where all commands run, or how the shell behaves."""
    if words[0] == "set":
        return True
    return words[0] == "cd" and len(words) == 2 and words[1].rstrip("/") in ("", ".", root.rstrip("/"))


def _of_claim(command: str, root: str) -> tuple[tuple[str, ...], ...]:
    """The parts of a claim that matter: what only shortens output is left out, and so are assignments before it."""
    parts = [_without_assignments(part) or part for part in _line(command, root).parts]
    while len(parts) > 1 and parts[-1][0] in _FILTERS:
        parts.pop()
    return tuple(parts)


def _without_assignments(part: tuple[str, ...]) -> tuple[str, ...]:
    start = next((index for index, word in enumerate(part) if not _ASSIGNMENT.fullmatch(word)), len(part))
    return part[start:]


def _found_in(wanted: tuple[tuple[str, ...], ...], line: _Line) -> int | None:
    """The part of the line with which the latest occurrence of the claim ends."""
    last = len(line.parts) - len(wanted)
    for start in range(last, -1, -1) if wanted else ():
        if all(_contains(line.parts[start + offset], words) for offset, words in enumerate(wanted)):
            return start + len(wanted) - 1
    return None


def _contains(part: tuple[str, ...], words: tuple[str, ...]) -> bool:
    program = next(iter(_without_assignments(part)), "")
    for start in range(len(part) - len(words) + 1):
        here = part[start : start + len(words)]
        if here[1:] == words[1:] and _is_program(here[0], words[0]):
            return program not in _NO_RUNNERS or words[0] == program
    return False


def _is_program(word: str, wanted: str) -> bool:
    """`.venv/bin/pytest` is `pytest`, however the claim names it."""
    return word == wanted or word.endswith(f"/{wanted}") or wanted.endswith(f"/{word}")


def _hiding(line: _Line, end: int) -> frozenset[str]:
    """The operators because of which the exit code of the line may be another's than that of its part `end`."""
    return frozenset(line.operators[end:-1]) - line.told
