"""What `check_calls` mends, refuses and keeps."""

from typing import Any

import orjson
import pytest

from longshift.adapters.calls import check_calls, parse_arguments
from longshift.contracts.completion import Claim
from longshift.contracts.model import CallDigest, ToolClass
from longshift.contracts.reviews import Autonomy
from longshift.contracts.tools import TOOL_ARGUMENTS, EditFileArguments


def call(name: object, input: object = None, call_id: object = "functions.x:0") -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": {} if input is None else input}


def checked_input(name: str, input: object) -> dict[str, Any]:
    checked = check_calls((call(name, input),), {}, TOOL_ARGUMENTS)
    assert checked.rejections == {}
    return checked.content[0]["input"]


def rejection(name: str, input: object, raw: str = "") -> str:
    checked = check_calls((call(name, input),), {0: raw}, TOOL_ARGUMENTS)
    assert checked.content[0]["input"] == {}
    assert checked.calls[0].rejected
    return checked.rejections["0"]


def test_a_valid_answer_is_kept_as_it_came() -> None:
    content = (
        {"type": "thinking", "thinking": "hm", "signature": "abc"},
        {"type": "text", "text": "I look."},
        call("bash", {"command": "pytest -q"}, "functions.bash:0"),
    )
    checked = check_calls(content, {2: '{"command": "pytest -q"}'}, TOOL_ARGUMENTS)
    assert content == checked.content
    assert checked.rejections == {}
    assert not checked.leaked
    expected = CallDigest(
        index=0,
        call_id="functions.bash:0",
        name="bash",
        tool_class=ToolClass.EFFECT,
        arguments_hash=checked.calls[0].arguments_hash,
        summary="bash: pytest -q",
        command="pytest -q",
    )
    assert (expected,) == checked.calls


def test_the_streamed_text_counts_when_the_parsed_input_is_empty() -> None:
    checked = check_calls((call("bash"),), {0: '{"command": "ls",}'}, TOOL_ARGUMENTS)
    assert checked.content[0]["input"] == {"command": "ls"}
    assert checked.calls[0].repaired


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("shell", "bash"),
        ("terminal", "bash"),
        ("execute_bash", "bash"),
        ("Bash", "bash"),
        ("functions.bash", "bash"),
        ("functions.bash:7", "bash"),
        ("<|tool_call_begin|>functions.bash:0<|tool_call_argument_begin|>", "bash"),
        ("bash</tool_name>", "bash"),
        ("bash\n<parameter", "bash"),
        ("Terminal", "bash"),
    ],
)
def test_known_names_of_the_shell_mean_bash(written: str, meant: str) -> None:
    checked = check_calls((call(written, {"command": "ls"}),), {}, TOOL_ARGUMENTS)
    assert meant == checked.content[0]["name"]
    assert (meant, False) == (checked.calls[0].name, checked.calls[0].rejected)


@pytest.mark.parametrize(
    ("written", "input", "meant"),
    [
        ("str_replace", {"file_path": "a", "old_str": "x", "new_str": "y"}, "edit_file"),
        ("edit", {"filePath": "a", "old_string": "x", "new_string": "y"}, "edit_file"),
        ("view", {"path": "a"}, "read_file"),
        ("ReadFile", {"path": "a", "line_offset": 3, "n_lines": 5}, "read_file"),
        ("create_file", {"filename": "a", "file_text": "x"}, "write_file"),
        ("TodoWrite", {"todos": [{"content": "a", "status": "completed", "activeForm": "b"}]}, "update_plan"),
    ],
)
def test_known_aliases_of_tools_and_arguments_are_mended(written: str, input: dict[str, Any], meant: str) -> None:
    checked = check_calls((call(written, input),), {}, TOOL_ARGUMENTS)
    assert checked.rejections == {}
    assert meant == checked.calls[0].name
    assert checked.calls[0].repaired
    assert parse_arguments(meant, checked.content[0]["input"])


def test_an_alias_that_is_itself_offered_keeps_its_name() -> None:
    offered = {**TOOL_ARGUMENTS, "edit": EditFileArguments}
    checked = check_calls((call("edit", {"path": "a", "old": "x", "new": "y"}),), {}, offered)
    assert checked.calls[0].name == "edit"


@pytest.mark.parametrize(
    ("name", "input", "stored"),
    [
        ("bash", {"cmd": "ls", "timeout": "30"}, {"command": "ls", "timeout_seconds": 30.0}),
        ("bash", {"command": "ls", "background": "true"}, {"command": "ls", "background": True}),
        ("bash", {"command": "ls", "timeout_seconds": None}, {"command": "ls"}),
        ("bash", {"command": "ls", "description": "List files"}, {"command": "ls"}),
        ("bash", {"arguments": {"command": "ls"}}, {"command": "ls"}),
        ("bash", {"arguments": '{"command": "ls"}'}, {"command": "ls"}),
        ("bash", {"command": "ls", "cmd": "ls"}, {"command": "ls"}),
        ("read_file", {"path": "a", "limit": "5"}, {"path": "a", "limit": 5}),
        ("read_file", {"path": "a", "limit": 5.0}, {"path": "a", "limit": 5}),
        ("update_plan", {"items": '[{"title": "a"}]'}, {"items": [{"title": "a", "status": "pending"}]}),
        ("update_plan", {"items": ["a"]}, {"items": [{"title": "a"}]}),
        (
            "update_plan",
            {"items": [{"title": "a"}], "checks": ["pytest -q", {"name": "lint (½)", "command": "ruff check ."}]},
            {
                "items": [{"title": "a", "status": "pending"}],
                "checks": [{"name": "pytest -q", "run": "pytest -q"}, {"name": "lint", "run": "ruff check ."}],
            },
        ),
        (
            "finish",
            {"summary": "s", "verified": ["pytest -q"]},
            {"summary": "s", "verified": [{"command": "pytest -q"}]},
        ),
        (
            "finish",
            {"summary": "s", "verified": [{"cmd": "pytest -q", "result": "42 passed"}]},
            {"summary": "s", "verified": [{"command": "pytest -q", "outcome": "42 passed"}]},
        ),
    ],
)
def test_arguments_with_one_reading_are_mended(name: str, input: object, stored: object) -> None:
    assert stored == checked_input(name, input)


def test_arguments_that_fit_are_not_rewritten() -> None:
    value = {"items": [{"title": "a", "status": "done"}]}
    assert value == checked_input("update_plan", value)
    assert checked_input("grep", {"pattern": "x", "glob": None}) == {"pattern": "x", "glob": None}


def test_a_missing_argument_is_named_with_the_expected_schema() -> None:
    text = rejection("edit_file", {"path": "a", "old": "x"})
    assert "- new: required, but missing" in text
    assert '{"path": string, "old": string, "new": string, "replace_all"?: boolean}' in text


def test_an_unknown_argument_is_named() -> None:
    assert "- colour: the tool has no such argument" in rejection("bash", {"command": "ls", "colour": 1})


def test_two_spellings_that_disagree_are_refused() -> None:
    assert "- file_path:" in rejection("read_file", {"path": "a", "file_path": "b"})
    assert "the tool has no such argument" in rejection("read_file", {"filename": "a", "file_path": "b"})


def test_a_value_out_of_range_is_explained() -> None:
    assert "- timeout_seconds: Input should be less than or equal to 43200" in rejection(
        "bash", {"command": "ls", "timeout": 120_000}
    )


def test_an_object_where_text_is_expected_is_refused() -> None:
    assert "- content: Input should be a valid string" in rejection("write_file", {"path": "a.json", "content": {}})


def test_a_nul_character_is_refused_outside_of_file_contents() -> None:
    assert "- command: contains a NUL character" in rejection("bash", {"command": "ls\0"})
    assert checked_input("write_file", {"path": "a", "content": "\0"}) == {"path": "a", "content": "\0"}


def test_an_unknown_tool_is_refused_with_the_nearest_name() -> None:
    text = rejection("grepp", {"pattern": "x"})
    assert "there is no tool grepp. Did you mean grep?" in text


@pytest.mark.parametrize(
    "raw",
    [
        '{"path": "a.py", "content": "import os',
        '{"path": "a.py", "content": "import os"',
        '{"path": "a.py", "content": "import os\\',
        '{"path": "a.py", "content": ',
        '{"path": "a.py",',
        "{'path': 'a.py', 'content': 'impo",
        '```json\n{"path": "a.py", "content": "x"\n```'[:-4],
    ],
)
def test_a_call_that_was_cut_is_refused_and_never_completed(raw: str) -> None:
    assert "the JSON is not whole" in rejection("write_file", {"path": "a.py", "content": "import os"}, raw)


def test_a_broken_call_carries_an_empty_object_even_when_the_parsed_input_looked_usable() -> None:
    rejection("bash", {"command": "rm -r build"}, '{"command": "rm -r build')


@pytest.mark.parametrize("raw", ["", " ", "{}"])
def test_the_parsed_input_counts_when_no_arguments_were_streamed(raw: str) -> None:
    checked = check_calls((call("bash", {"command": "ls"}),), {0: raw}, TOOL_ARGUMENTS)
    assert checked.content[0]["input"] == {"command": "ls"}
    assert not checked.calls[0].repaired


def test_input_that_is_no_object_is_refused() -> None:
    for value in ([], [{"command": "ls"}], 5, True):
        assert "must be a JSON object" in rejection("bash", value)


@pytest.mark.parametrize("raw", ['{"command": "\\ud800"}', '{"command": 1e999}', '{"command": ' + "9" * 30 + "}"])
def test_values_that_cannot_be_stored_are_refused(raw: str) -> None:
    assert "- arguments: it contains" in rejection("bash", {}, raw)


def test_deep_nesting_is_refused() -> None:
    for depth in (100, 5_000, 200_000):
        text = rejection("bash", {}, '{"command": ' + "[" * depth + "]" * depth + "}")
        assert "nested" in text


def test_duplicate_ids_in_an_answer_are_told_apart() -> None:
    content = tuple(call("bash", {"command": "ls"}, "a") for _ in range(3))
    checked = check_calls(content, {}, TOOL_ARGUMENTS)
    assert [block["id"] for block in checked.content] == ["a", "a-2", "a-3"]
    assert [digest.call_id for digest in checked.calls] == ["a", "a-2", "a-3"]


@pytest.mark.parametrize("call_id", [None, "", " ", 7, "x" * 500, "\ud800"])
def test_an_unusable_id_is_replaced(call_id: object) -> None:
    checked = check_calls((call("bash", {"command": "ls"}, call_id),), {}, TOOL_ARGUMENTS)
    assert 0 < len(checked.calls[0].call_id) <= 128
    assert orjson.dumps(checked.content)


def test_leaked_call_syntax_is_reported_and_disarmed() -> None:
    text = "<|tool_calls_section_begin|><|tool_call_begin|>functions.bash:0<|tool_call_argument_begin|>{}"
    checked = check_calls(({"type": "text", "text": text},), {}, TOOL_ARGUMENTS)
    assert checked.leaked
    assert checked.calls == ()
    assert "<|" not in checked.content[0]["text"]


def test_empty_texts_and_blocks_without_a_type_are_dropped() -> None:
    content: tuple[Any, ...] = ({"type": "text", "text": " "}, {"text": "x"}, "x", None, {"type": "text"})
    assert check_calls(content, {}, TOOL_ARGUMENTS).content == ()


def test_raw_inputs_are_found_by_the_index_in_the_answer_as_received() -> None:
    content = ({"type": "text", "text": ""}, call("bash"))
    checked = check_calls(content, {1: '{"command": "ls"}'}, TOOL_ARGUMENTS)
    assert (checked.content[0]["input"], checked.calls[0].index) == ({"command": "ls"}, 0)


def test_equal_arguments_have_one_hash_however_they_are_written() -> None:
    inputs: list[dict[str, Any]] = [
        {"path": "a", "offset": 1},
        {"offset": 1, "path": "a"},
        {"file_path": "a"},
        {"path": "a"},
    ]
    hashes = {check_calls((call("read_file", value),), {}, TOOL_ARGUMENTS).calls[0].arguments_hash for value in inputs}
    assert len(hashes) == 1
    assert len(hashes.pop()) == 16


def test_the_same_broken_call_has_the_same_hash() -> None:
    hashes = {check_calls((call("bash"),), {0: '{"command": "a'}, TOOL_ARGUMENTS).calls[0].arguments_hash for _ in "ab"}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("name", "input", "summary"),
    [
        ("bash", {"command": "cd a\n  && make"}, "bash: cd a && make"),
        ("edit_file", {"path": "src/x.py", "old": "a", "new": "b"}, "edit_file: src/x.py"),
        ("grep", {"pattern": "TODO"}, "grep: TODO in ."),
        ("update_plan", {"items": [{"title": "a", "status": "done"}, {"title": "b"}]}, "update_plan: 1/2 done"),
        ("bash", {"command": "x" * 500}, f"bash: {'x' * 113}…"),
    ],
)
def test_a_summary_is_one_short_line(name: str, input: dict[str, Any], summary: str) -> None:
    checked = check_calls((call(name, input),), {}, TOOL_ARGUMENTS)
    assert summary == checked.calls[0].summary
    assert len(summary) <= 120


def test_what_a_call_runs_and_what_a_finish_claims_is_told_in_normal_form() -> None:
    content = (
        call("bash", {"command": "cd app  &&\n# all\n pytest   -q", "background": True}, "a"),
        call("finish", {"summary": "s", "verified": [{"command": " pytest  -q", "outcome": "42\npassed"}]}, "b"),
    )
    run, end = check_calls(content, {}, TOOL_ARGUMENTS).calls
    assert ("cd app && pytest -q", True, ()) == (run.command, run.background, run.claims)
    assert ("", (Claim(command="pytest -q", outcome="42 passed"),)) == (end.command, end.claims)


@pytest.mark.parametrize(
    ("autonomy", "run", "waits"),
    [
        (Autonomy.BALANCED, "pytest -q", False),
        (Autonomy.BALANCED, "rm -rf ~", True),
        (Autonomy.FULL, "rm -rf ~", False),
        (Autonomy.MANUAL, "pytest -q", False),
    ],
)
def test_checks_that_a_plan_proposes_are_asked_about_like_commands(autonomy: Autonomy, run: str, waits: bool) -> None:
    checks = [{"name": "fine", "run": "true"}, {"name": "suite", "run": run}]
    content = (call("update_plan", {"items": [{"title": "a"}], "checks": checks}, "a"),)
    (digest,) = check_calls(content, {}, TOOL_ARGUMENTS, autonomy=autonomy).calls
    assert (waits, f"checks: suite: {run}" if waits else "") == (digest.needs_approval, digest.shown)


def test_reads_of_the_same_part_of_a_file_are_the_same_read() -> None:
    inputs = [{"path": "a"}, {"path": "a", "offset": 900, "limit": 5}, {"path": "a", "offset": 4_001}, {"path": "b"}]
    content = tuple(call("read_file", given, str(number)) for number, given in enumerate(inputs))
    first, near, far, other = (each.reads for each in check_calls(content, {}, TOOL_ARGUMENTS).calls)
    assert first == near
    assert len({first, far, other, ""}) == 4


def test_a_call_that_cannot_be_shown_whole_is_refused_instead_of_asked_about() -> None:
    commands = ["rm -rf ~ # " + "x" * size for size in (15_000, 16_000)]
    content = tuple(call("bash", {"command": command}, str(index)) for index, command in enumerate(commands))
    checked = check_calls(content, {}, TOOL_ARGUMENTS, autonomy=Autonomy.BALANCED)
    assert [(True, False), (False, True)] == [(each.needs_approval, each.rejected) for each in checked.calls]
    assert commands[0] == checked.calls[0].shown
    assert "put what is long into a file first" in checked.rejections["1"]
    freely = check_calls(content, {}, TOOL_ARGUMENTS, autonomy=Autonomy.FULL)
    assert {} == freely.rejections


def test_all_calls_of_an_answer_that_wait_for_a_person_fit_into_one_value() -> None:
    content = tuple(call("bash", {"command": "rm -rf ~ # " + "x" * 15_000}, str(index)) for index in range(12))
    checked = check_calls(content, {}, TOOL_ARGUMENTS, autonomy=Autonomy.BALANCED)
    assert ["10", "11"] == list(checked.rejections)
