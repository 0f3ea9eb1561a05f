"""Claims against the record: a command that contains the claim counts, and nothing else does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshift.contracts.completion import Claim, ClaimVerdict, CommandEnd, CommandRun, JudgedClaim
from longshift.policy import claims
from longshift.policy.claims import command_text


def ran(command: str, *, step: int = 3, end: CommandEnd = CommandEnd.OK, **fields: object) -> CommandRun:
    return CommandRun.model_validate({"text": command_text(command), "step": step, "index": 0, "end": end, **fields})


def judged(claim: str, *runs: CommandRun, tree: str = "", written_step: int = 0) -> JudgedClaim:
    said = Claim(command=command_text(claim))
    return claims.judged([said], runs, root="/ws", tree=tree, written_step=written_step)[0]


@pytest.mark.parametrize(
    ("claim", "command"),
    [
        ("pytest -q", "pytest -q"),
        ("pytest -q", "  pytest   -q\n"),
        ("pytest -q", "cd app && pytest -q 2>&1 | tail -5"),
        ("pytest -q 2>&1 | tail -3", "pytest -q"),
        ("pytest -q", "cd /ws && PYTHONPATH=src .venv/bin/pytest -q > log.txt"),
        ("cd /ws && pytest -q", "pytest -q"),
        ("./run.sh", "bash run.sh"),
        ("pytest", "python -m pytest -q tests"),
        ("pytest -q && ruff check .", "set -e\npytest -q\n# and then\nruff check ."),
        ("pytest -q", "cat > tests/test_x.py <<'EOF'\nassert 1\nEOF\npytest -q"),
        ("pytest -q", "docker run --rm image sh -c 'pytest -q'"),
        ("git diff --check", "git diff --check"),
        ("pytest -q tests/a tests/b", "pytest -q \\\n  tests/a tests/b"),
    ],
)
def test_a_claim_is_found_in_a_command_that_contains_it(claim: str, command: str) -> None:
    assert ClaimVerdict.PROVED is judged(claim, ran(command)).verdict


@pytest.mark.parametrize(
    ("claim", "command"),
    [
        ("pytest -q", "pytest"),
        ("pytest", "pip install pytest"),
        ("pytest -q", "echo pytest -q"),
        ("pytest -q", "git commit -m 'pytest -q'"),
        ("make test", "make test-all"),
        ("cd a && make test", "cd b && make test"),
        ("pytest", "cat > run.sh <<'EOF'\npytest\nEOF"),
        ("pytest", "# pytest\nls"),
        ("pytest && ruff check .", "pytest"),
    ],
)
def test_what_only_looks_like_it_does_not_count(claim: str, command: str) -> None:
    assert ClaimVerdict.NEVER_RUN is judged(claim, ran(command)).verdict


def test_a_command_that_failed_last_proves_nothing_though_it_succeeded_before() -> None:
    first, last = ran("pytest -q", step=2), ran("pytest -q tests", step=5, end=CommandEnd.FAILED)
    found = judged("pytest -q", first, last)
    assert (ClaimVerdict.FAILED, 5) == (found.verdict, found.step)
    assert ClaimVerdict.PROVED is judged("pytest -q", last, first.model_copy(update={"step": 6})).verdict


def test_files_that_changed_afterwards_make_it_stale_and_files_that_came_back_do_not() -> None:
    run = ran("pytest -q", tree="t3")
    assert ClaimVerdict.STALE is judged("pytest -q", run, tree="t4").verdict
    assert ClaimVerdict.PROVED is judged("pytest -q", run, tree="t3").verdict
    assert ClaimVerdict.STALE is judged("pytest -q", run, tree="t3", written_step=4).verdict
    assert ClaimVerdict.STALE is judged("pytest -q", run.model_copy(update={"overtaken": True}), tree="t3").verdict


def test_a_command_whose_tree_is_not_known_yet_is_the_newest() -> None:
    assert ClaimVerdict.PROVED is judged("pytest -q", ran("pytest -q"), tree="t9").verdict


def test_a_command_that_was_not_seen_to_end_is_not_proved() -> None:
    assert ClaimVerdict.UNKNOWN is judged("pytest -q", ran("pytest -q", end=CommandEnd.UNKNOWN)).verdict


@pytest.mark.parametrize(
    ("command", "end", "expected", "hidden"),
    [
        ("pytest -q | tail", CommandEnd.OK, ClaimVerdict.PROVED, True),
        ("set -o pipefail; pytest -q | tail", CommandEnd.OK, ClaimVerdict.PROVED, False),
        ("pytest -q; ls", CommandEnd.OK, ClaimVerdict.PROVED, True),
        ("set -e\npytest -q\nls", CommandEnd.OK, ClaimVerdict.PROVED, False),
        ("pytest -q || exit 3", CommandEnd.FAILED, ClaimVerdict.FAILED, True),
        ("pytest -q; grep nothing log", CommandEnd.FAILED, ClaimVerdict.PROVED, True),
        ("pytest -q && ls", CommandEnd.FAILED, ClaimVerdict.FAILED, False),
    ],
)
def test_whose_exit_code_a_line_shows_is_known(
    command: str, end: CommandEnd, expected: ClaimVerdict, hidden: bool
) -> None:
    found = judged("pytest -q", ran(command, end=end))
    assert (expected, hidden) == (found.verdict, found.hidden)


def test_a_pipe_cannot_hide_what_failed_on_the_same_files() -> None:
    plain = ran("pytest -q", step=3, end=CommandEnd.FAILED, tree="t")
    piped = ran("pytest -q | tail", step=4, tree="t")
    assert ClaimVerdict.FAILED is judged("pytest -q", plain, piped, tree="t").verdict


@settings(max_examples=200)
@given(st.text(max_size=3_000))
def test_any_text_is_kept_short_and_found_again_as_it_is(command: str) -> None:
    text = command_text(command)
    assert len(text) <= claims.TEXT_CHARACTERS
    if text:
        assert ClaimVerdict.NEVER_RUN is not judged(command, ran(command)).verdict


WORDS = st.lists(st.from_regex(r"[a-z0-9_./=-]{1,12}", fullmatch=True), min_size=1, max_size=5).map(" ".join)


COMMANDS = WORDS.filter(lambda text: "=" not in text)
"""What is nothing but assignments runs nothing."""


@settings(max_examples=300)
@given(COMMANDS, st.lists(WORDS, max_size=3), st.lists(WORDS, max_size=3))
def test_a_part_of_a_line_is_found_wherever_it_stands(claim: str, before: list[str], after: list[str]) -> None:
    line = " && ".join([*before, claim, *after])
    if len(line) <= claims.TEXT_CHARACTERS:
        assert ClaimVerdict.NEVER_RUN is not judged(claim, ran(line)).verdict


@settings(max_examples=200)
@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_breaks_the_comparison(claim: str, command: str) -> None:
    assert judged(claim, ran(command)).verdict in ClaimVerdict
