"""What a person gives and cannot be used: the message names field and remedy, and nothing is a traceback."""

from pathlib import Path

import pytest

import longshift as product
from longshift.contracts.session import STEER_MAX_CHARACTERS
from tests.cli.conftest import Command
from tests.cli.processes import start

BAD_IDS = ["Mend", "a b", "../../x", "", "-", "x" * 101, "a/b", "mend.", "\x1b[2J"]


@pytest.mark.parametrize(
    ("front", "words"),
    [
        ("budgt: {usd: 1}", ["task.md:3: budgt", "did you mean budget?"]),
        ("budget: {tokens: 10}", ["task.md:3: budget.tokens", "raise it, or leave it out"]),
        ("budget: {active_hours: 0}", ["task.md:3: budget.active_hours", "more than 0"]),
        ("workspace: {git: ./nothing-here}", ["task.md:3: workspace.git", "does not exist", "give an existing path"]),
        ("id: Mend It", ["task.md:3: id", "lower-case"]),
    ],
)
@pytest.mark.parametrize("command", ["submit", "run"])
def test_a_bad_task_names_line_field_and_remedy(
    longshift: Command, tmp_path: Path, command: str, front: str, words: list[str]
) -> None:
    (tmp_path / "task.md").write_text(f"---\ntitle: T\n{front}\n---\nDo it.\n")
    outcome = longshift(command, "task.md")
    assert (2, "", []) == (outcome.code, outcome.out, [word for word in words if word not in outcome.err])


def test_remote_paths_are_not_looked_for(longshift: Command, tmp_path: Path) -> None:
    (tmp_path / "task.md").write_text("---\ntitle: T\nworkspace: {git: /nothing/here}\n---\nDo it.\n")
    assert 2 == longshift("submit", "task.md").code
    assert 3 == longshift("submit", "task.md", "--remote-paths").code


def test_another_id_is_checked_like_the_file_s_own(longshift: Command, tmp_path: Path) -> None:
    (tmp_path / "task.md").write_text("---\ntitle: T\n---\nDo it.\n")
    outcome = longshift("submit", "task.md", "--id", "Not This")
    assert (2, True) == (outcome.code, "id: must be lower-case" in outcome.err)


@pytest.mark.parametrize("task_id", BAD_IDS)
@pytest.mark.parametrize("command", ["status", "watch", "logs", "artifacts", "pause", "resume", "cancel", "requeue"])
def test_what_no_task_can_be_called_is_refused_at_once(
    longshift: Command, data_dir: Path, command: str, task_id: str
) -> None:
    outcome = longshift(command, "--", task_id)
    assert (2, "", False) == (outcome.code, outcome.out, data_dir.exists())
    assert "is not a task's id; `longshift list` shows" in outcome.err
    assert "\x1b" not in outcome.err


def test_an_unknown_session_names_the_way_to_the_known_ones(longshift: Command) -> None:
    for command in ("logs", "artifacts"):
        outcome = longshift(command, "mend")
        assert (2, "") == (outcome.code, outcome.out)
        assert "no session 'mend'; `longshift list` shows" in outcome.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the message is empty"),
        (" \n", "the message is empty"),
        ("x" * (STEER_MAX_CHARACTERS + 1), "more than 20,000 characters; put the rest into a file"),
    ],
)
def test_a_message_that_cannot_be_sent_is_refused_before_it_is(longshift: Command, text: str, words: str) -> None:
    outcome = longshift("steer", "mend", text)
    assert (2, True) == (outcome.code, f"TEXT: {words}" in outcome.err or f"TEXT: has {words}" in outcome.err)


def test_a_message_from_standard_input_has_to_be_text(tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(b"\xff\xfe")
    with (tmp_path / "message").open("rb") as message, start("steer", "mend", "-", stdin=message) as process:
        _, err = process.communicate(timeout=30)
    assert (2, True) == (process.returncode, err.startswith("TEXT: standard input is not UTF-8 text"))


def test_an_unknown_variable_names_what_was_probably_meant(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHIFT_MODEL_PROFIL", "claude")
    outcome = longshift("list")
    expected = "environment: LONGSHIFT_MODEL_PROFIL is not a setting; did you mean LONGSHIFT_MODEL_PROFILE?\n"
    assert (2, "", expected) == (outcome.code, outcome.out, outcome.err)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('modle_profile = "claude"', "modle_profile is not a setting; did you mean model_profile?"),
        ("model_profile = ", "is not valid TOML"),
        ('model_api_key = "secret"', "a key does not belong in a file; set LONGSHIFT_MODEL_API_KEY instead"),
        ("model_slots = 0", "model_slots: Input should be greater than or equal to 1; got 0"),
    ],
)
@pytest.mark.parametrize("command", ["list", "worker", "up"])
def test_a_wrong_file_is_named_with_its_key(
    longshift: Command, tmp_path: Path, command: str, text: str, words: str
) -> None:
    (tmp_path / "longshift.toml").write_text(text)
    outcome = longshift(command)
    assert (2, "") == (outcome.code, outcome.out)
    assert outcome.err.startswith(f"{tmp_path / 'longshift.toml'}: ")
    assert words in outcome.err
    assert "Traceback" not in outcome.err


def test_commands_that_need_no_settings_work_with_wrong_ones(
    longshift: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGSHIFT_NONSENSE", "1")
    assert (0, 0) == (longshift("version").code, longshift("task-schema").code)


def test_the_data_directory_of_the_command_line_wins(longshift: Command, tmp_path: Path) -> None:
    outcome = longshift("list", "--data-dir", str(tmp_path / "other"))
    assert (3, True) == (outcome.code, f"no engine runs on {tmp_path / 'other'};" in outcome.err)


def test_the_version_is_an_option_as_well(longshift: Command) -> None:
    outcome = longshift("--version")
    assert (0, f"longshift {product.__version__}\n", "") == (outcome.code, outcome.out, outcome.err)


def test_no_command_at_all_is_answered_with_the_list_of_commands(longshift: Command) -> None:
    outcome = longshift()
    assert (2, True, "") == (outcome.code, "Exit codes: 0 done, 1 failed, 2 bad input" in outcome.out, outcome.err)
