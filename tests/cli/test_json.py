"""`--json`: one value on stdout, for answers and for errors, and nothing else there."""

import json
import os
from pathlib import Path

import pytest

import longshift as product
from longshift.cli.output import write_json
from tests.cli.conftest import Command
from tests.cli.processes import finished

TASK = "---\nid: mend\ntitle: Mend it\n---\nDo it.\n"


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (["list"], "engine", 3),
        (["status", "mend"], "engine", 3),
        (["watch"], "engine", 3),
        (["worker"], "engine", 3),
        (["submit", "task.md"], "engine", 3),
        (["run", "task.md"], "engine", 3),
        (["pause", "mend"], "engine", 3),
        (["resume", "mend"], "engine", 3),
        (["cancel", "mend"], "engine", 3),
        (["extend", "mend", "--hours", "1"], "engine", 3),
        (["steer", "mend", "faster"], "engine", 3),
        (["rollback", "mend", "--to-step", "3"], "engine", 3),
        (["rollback", "mend", "--to-step", "3", "--reason", " "], "bad_input", 2),
        (["queue"], "engine", 3),
        (["queue", "pause"], "engine", 3),
        (["queue", "move", "mend", "--priority", "1"], "engine", 3),
        (["queue", "remove", "mend"], "engine", 3),
        (["queue", "rate", "much"], "bad_input", 2),
        (["hosts"], "engine", 3),
        (["requeue", "mend"], "engine", 3),
        (["requeue", "mend", "--as", "Bad Id"], "usage", 2),
        (["steer", "mend", " "], "bad_input", 2),
        (["logs", "mend"], "session_missing", 2),
        (["logs", "mend", "--follow"], "engine", 3),
        (["logs", "mend", "--follow", "--step", "1"], "bad_input", 2),
        (["artifacts", "mend"], "session_missing", 2),
        (["artifacts", "mend", "--get", "report.json"], "bad_input", 2),
        (["submit", "none.md"], "bad_input", 2),
        (["status", "Bad Id"], "usage", 2),
        (["nonsense"], "usage", 2),
        (["list", "--nonsense"], "usage", 2),
    ],
)
def test_an_error_is_one_value_with_kind_message_and_code(
    longshift: Command, tmp_path: Path, arguments: list[str], kind: str, code: int
) -> None:
    (tmp_path / "task.md").write_text(TASK)
    outcome = longshift(*arguments, "--json")
    assert {"error", "exit_code"} == set(outcome.document)
    assert (code, code, kind) == (outcome.code, outcome.document["exit_code"], outcome.document["error"]["kind"])
    assert (True, "") == (bool(outcome.document["error"]["message"]), outcome.err)


def test_a_wrong_setting_is_a_value_too(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHIFT_MODEL_SLOT", "3")
    outcome = longshift("list", "--json")
    assert (2, "bad_input") == (outcome.code, outcome.document["error"]["kind"])


def test_what_stands_behind_two_dashes_is_not_an_option(longshift: Command) -> None:
    outcome = longshift("steer", "mend", "--", "--json")
    assert (3, "", True) == (outcome.code, outcome.out, "longshift up" in outcome.err)


def test_version_is_one_value(longshift: Command) -> None:
    outcome = longshift("version", "--json")
    assert (0, product.__version__, {"longshift", "engine", "python"}) == (
        outcome.code,
        outcome.document["longshift"],
        set(outcome.document),
    )


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_schema_is_printed_as_it_is_published(longshift: Command, options: list[str]) -> None:
    published = Path(__file__).parents[2] / "docs" / "task.schema.json"
    assert published.read_text(encoding="utf-8") == longshift("task-schema", *options).out


def test_what_cannot_be_written_as_json_is_refused_before_it_is_used() -> None:
    code, out, err = finished("submit", os.fsdecode(b"\xff.md"), "--json")
    assert (2, "") == (code, err)
    assert "'\\udcff.md' is not UTF-8 text" in json.loads(out)["error"]["message"]


def test_json_is_utf_8_and_text_is_readable_whatever_the_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    code, out, _ = finished("logs", "ä", "--json")
    assert (2, True) == (code, "'ä'" in json.loads(out)["error"]["message"])
    code, _, err = finished("logs", "ä")
    assert (2, True) == (code, "'\\xe4'" in err)


def test_a_value_of_no_known_kind_is_a_bug() -> None:
    with pytest.raises(TypeError):
        write_json(object())
