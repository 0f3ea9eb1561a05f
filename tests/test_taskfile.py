"""Task files: what is read, what is derived, and that every fault names its place, its field and the remedy."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from longshift.contracts.errors import BadInput
from longshift.contracts.task import OnDeadline
from longshift.taskfile import load_task, task_hash, task_schema
from longshift.taskfile.document import read_document

ROOT = Path(__file__).parents[1]
FRONT = "---\ntitle: Mend it\n{}---\nDo it.\n"


def written(folder: Path, text: str, name: str = "task.md") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(BadInput) as caught:
        load_task(path, **options)
    return str(caught.value)


def fault(folder: Path, front: str) -> str:
    """The complaint about a Markdown task with these lines in its front matter, from line 3 on."""
    path = written(folder, FRONT.format(front))
    return refusal(path).replace(f"{path}:", "")


class TestReading:
    def test_markdown_gives_the_body_as_instructions(self, tmp_path: Path) -> None:
        task = load_task(written(tmp_path, "---\nid: a\ntitle: T\n---\n\n# What\n\n- one\n- two\n\n"))
        assert ("a", "T", "# What\n\n- one\n- two") == (task.id, task.title, task.instructions)

    def test_a_rule_in_the_body_does_not_end_it(self, tmp_path: Path) -> None:
        assert "one\n\n---\n\ntwo" == load_task(written(tmp_path, "---\ntitle: T\n---\none\n\n---\n\ntwo")).instructions

    def test_markdown_without_front_matter_is_a_task(self, tmp_path: Path) -> None:
        task = load_task(written(tmp_path, "Intro.\n\n## Mend the parser ##\n\nNow."))
        assert "Mend the parser" == task.title
        assert task.instructions.startswith("Intro.")

    def test_without_title_and_heading_the_file_name_is_the_title(self, tmp_path: Path) -> None:
        assert "mend the parser" == load_task(written(tmp_path, "Now.", "mend-the_parser.md")).title

    @pytest.mark.parametrize("name", ["task.yaml", "task.yml", "TASK.YAML"])
    def test_yaml_is_read(self, tmp_path: Path, name: str) -> None:
        task = load_task(written(tmp_path, "title: T\ninstructions: |\n  one\n  two\non_deadline: ask\n", name))
        assert ("one\ntwo\n", OnDeadline.ASK) == (task.instructions, task.on_deadline)

    def test_json_is_read(self, tmp_path: Path) -> None:
        body = json.dumps({"title": "T", "instructions": "Do it.", "budget": {"usd": 1.5}}, indent="\t")
        assert 1.5 == load_task(written(tmp_path, body, "task.json")).budget.usd

    def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(self, tmp_path: Path) -> None:
        path = tmp_path / "task.md"
        path.write_bytes("\ufeff---\r\ntitle: T\r\n---\r\none\r\ntwo\r\n".encode())
        assert "one\ntwo" == load_task(path).instructions

    @pytest.mark.parametrize("name", ["fix-a-bug.md", "speed-up.md"])
    def test_the_examples_are_tasks(self, name: str) -> None:
        task = load_task(ROOT / "examples" / name)
        assert task.checks


class TestWhatTheRunnerAloneWrites:
    def test_nobody_submits_a_sub_agents_task(self, tmp_path: Path) -> None:
        said = fault(tmp_path, "id: mend.swarm1.one\n")
        assert "id: 'mend.swarm1.one' names a sub-agent's task, which only the runner makes" in said
        assert "a.swarm2-1.integration" in fault(tmp_path, "id: a.swarm2-1.integration\n")

    def test_nobody_says_that_a_task_is_one(self, tmp_path: Path) -> None:
        own = "{session: a, swarm: a.swarm1, item: b, base_step: 1, base_agent: a/lead}"
        assert "sub_agent: only the runner itself sets it; remove it" in fault(tmp_path, f"sub_agent: {own}\n")

    @pytest.mark.parametrize("name", ["swarm1", "my.swarm", "mend.swarms1", "swarm1.one"])
    def test_other_names_with_a_swarm_in_them_are_free(self, tmp_path: Path, name: str) -> None:
        assert name == load_task(written(tmp_path, FRONT.format(f"id: {name}\n"))).id


class TestDerived:
    def test_an_id_is_derived_from_title_and_content(self, tmp_path: Path) -> None:
        text = "---\ntitle: Größe, neu!\n---\nDo it."
        first, second = load_task(written(tmp_path, text)), load_task(written(tmp_path, text, "other.md"))
        assert first.id == second.id
        assert "groe-neu" == first.id.rpartition("-")[0]

    def test_changed_content_gives_another_id(self, tmp_path: Path) -> None:
        path = written(tmp_path, "Do it.")
        first = load_task(path).id
        assert first != load_task(written(tmp_path, "Do it now.")).id

    def test_a_comment_does_not_change_the_id(self, tmp_path: Path) -> None:
        first = load_task(written(tmp_path, "---\ntitle: T\n---\nDo it.")).id
        assert first == load_task(written(tmp_path, "---\ntitle: T # or so\n---\nDo it.")).id

    @pytest.mark.parametrize("title", ["日本語", "-", "x" * 200])
    def test_any_title_gives_a_valid_id(self, tmp_path: Path, title: str) -> None:
        assert len(load_task(written(tmp_path, f'---\ntitle: "{title}"\n---\nDo it.')).id) <= 100

    def test_a_given_id_replaces_the_file_s_own(self, tmp_path: Path) -> None:
        assert "b" == load_task(written(tmp_path, "---\nid: a\n---\nDo it."), task_id="b").id

    def test_the_hash_tells_tasks_apart_and_is_the_same_for_the_same(self, tmp_path: Path) -> None:
        path = written(tmp_path, "Do it.")
        task = load_task(path)
        assert task_hash(task) == task_hash(load_task(path))
        assert task_hash(task) != task_hash(task.model_copy(update={"setup": ("true",)}))


class TestPlaces:
    def test_relative_paths_start_at_the_task_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "code").mkdir()
        (tmp_path / "tasks").mkdir()
        monkeypatch.chdir("/")
        task = load_task(written(tmp_path / "tasks", FRONT.format("workspace: {directory: ../code}\n")))
        assert str(tmp_path / "code") == task.workspace.directory

    def test_a_home_folder_is_filled_in(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "code").mkdir()
        task = load_task(written(tmp_path, FRONT.format("workspace: {directory: ~/code}\n")))
        assert str(tmp_path / "code") == task.workspace.directory

    @pytest.mark.parametrize(
        "address", ["https://example.com/a.git", "ssh://git@example.com/a.git", "git@example.com:a/b.git", "host:a.git"]
    )
    def test_addresses_of_git_servers_stay_as_they_are(self, tmp_path: Path, address: str) -> None:
        task = load_task(written(tmp_path, FRONT.format(f"workspace: {{git: '{address}'}}\n")))
        assert address == task.workspace.git

    def test_a_local_repository_is_taken(self, tmp_path: Path) -> None:
        (tmp_path / "code" / ".git").mkdir(parents=True)
        task = load_task(written(tmp_path, FRONT.format("workspace:\n  git: ./code\n  ref: main\n")))
        assert str(tmp_path / "code") == task.workspace.git

    @pytest.mark.parametrize("key", ["git", "directory", "archive"])
    def test_a_missing_source_is_refused(self, tmp_path: Path, key: str) -> None:
        text = fault(tmp_path, f"workspace:\n  {key}: ./nowhere\n")
        assert text.startswith(f"4: workspace.{key}: {tmp_path}/nowhere does not exist; give an existing path")

    def test_a_missing_file_url_is_refused(self, tmp_path: Path) -> None:
        assert "does not exist" in fault(tmp_path, "workspace: {git: 'file:///no/where'}\n")

    def test_a_missing_source_may_be_on_another_machine(self, tmp_path: Path) -> None:
        path = written(tmp_path, FRONT.format("workspace: {directory: /no/where}\n"))
        assert "/no/where" == load_task(path, check_places=False).workspace.directory

    @pytest.mark.parametrize(
        ("key", "remedy"),
        [
            ("archive", "task.md is no archive that can be unpacked; use one of .tar,"),
            ("directory", "task.md is not a directory; use workspace.archive"),
        ],
    )
    def test_a_source_of_the_wrong_kind_is_refused(self, tmp_path: Path, key: str, remedy: str) -> None:
        assert remedy in fault(tmp_path, f"workspace: {{{key}: task.md}}\n")

    def test_a_folder_without_a_repository_is_no_git_source(self, tmp_path: Path) -> None:
        assert "is not a git repository; use workspace.directory" in fault(tmp_path, "workspace: {git: .}\n")
        assert "is not a file; use workspace.directory" in fault(tmp_path, "workspace: {archive: .}\n")


FAULTS = [
    ("buget: {usd: 1}", "3: buget: is not a known key; did you mean budget?"),
    ("budget:\n  hours: 3", "4: budget.hours: is not a known key; remove it (there are: active_hours, steps,"),
    ("active_hours: 3", "3: active_hours: is not a known key here; did you mean budget.active_hours?"),
    ("run: x", "3: run: is not a known key here; did you mean checks[].run?"),
    ("checks:\n  - name: a\n    comand: x", "5: checks.0.comand: is not a known key"),
    ("checks:\n  - name: a", "4: checks.0.run: is missing; add it"),
    ("checks: pytest", "3: checks: must be a list; begin each entry with '- '; found 'pytest'"),
    ("checks:\n  - pytest", "4: checks.0: must be a table with some of the keys name, run, timeout_seconds,"),
    ("checks:\n  - name: a/b\n    run: x", "4: checks.0.name: must be letters, digits, spaces,"),
    ("setup:", "3: setup: is empty; give it a value or remove the key"),
    ("setup:\n  - ''", "4: setup.0: must not be empty; found ''"),
    ("setup:\n  - echo: hi", "4: setup.0: must be text; put it into quotes; found {'echo': 'hi'}"),
    ("workspace: ./here", "3: workspace: must be a table with some of the keys git, ref, directory, archive,"),
    ("workspace:\n  ref: main", "3: workspace.ref needs workspace.git; set it or remove ref"),
    ("workspace: {git: a, directory: b}", "3: workspace: git and directory are both set; keep one of them"),
    ("id: Über", "3: id: must be lower-case letters, digits, '.', '_' or '-', begin and end with"),
    ("id: 42", "3: id: must be text; put it into quotes; found 42"),
    ("tenant: 2026-01-02", "3: tenant: must be text; put it into quotes; found 2026-01-02"),
    ("on_deadline: wait", "3: on_deadline: must be one of 'continue', 'stop' or 'ask'; found 'wait'"),
    ("budget:\n  active_hours: 0", "4: budget.active_hours: must be more than 0; found 0"),
    ("budget:\n  active_hours: 1000", "4: budget.active_hours: must be at most 720; found 1000"),
    ("budget:\n  active_hours: long", "4: budget.active_hours: must be a number; found 'long'"),
    ("budget:\n  steps: 1.5", "4: budget.steps: must be a whole number; found 1.5"),
    ("budget:\n  usd: .inf", "4: budget.usd: must be a number; found inf; leave it out for no limit"),
    ("budget:\n  tokens: 100", "4: budget.tokens: 100 do not pay for one model call, which takes about 4,001; raise"),
    ("workspace:\n  allow_dirty: maybe", "4: workspace.allow_dirty: must be true or false; found 'maybe'"),
    (
        "budget: {active_hours: 0.5}\nchecks:\n  - name: a\n    run: x\n    timeout_seconds: 3600",
        "7: checks.0.timeout_seconds: 3600 s is longer than the whole session (budget.active_hours: 0.5); lower it,",
    ),
    ("checks:\n  - {name: a, run: x, measure: {}}", "measure: set exactly one of at_most, at_least,"),
    ("checks:\n  - {name: a, run: x}\n  - {name: a, run: y}", "checks: two are named 'a'; names must differ"),
    ("tenant: a\ntenant: b", "4: tenant: stands there twice; keep one of them"),
    ("on: x", "3: on: YAML does not read this key as text; remove it"),
    ("? [a]\n: b", "3: a key must be plain text"),
    ("budget: &b {usd: 1}\nworkspace: *b", "3: is referred to by an alias (*name); write it out where it is needed"),
    ("budget:\n  <<: {usd: 1}", "4: <<: merged keys are not supported; write the keys out"),
    ("setup: [a", "is not valid YAML: "),
    ("title: a: b", "3: is not valid YAML: mapping values are not allowed here (column 9); check indentation, and put"),
    ("tenant: 2026-13-45", "a value is no valid YAML"),
    ("tenant: !!python/name:os.system", "3: is not valid YAML: could not determine a constructor"),
    ("instructions: x", "3: instructions: stand in the front matter and below it; keep one of them"),
]


class TestFaults:
    @pytest.mark.parametrize(("front", "said"), FAULTS)
    def test_a_fault_names_line_field_and_remedy(self, tmp_path: Path, front: str, said: str) -> None:
        assert said in fault(tmp_path, front + "\n")

    def test_all_faults_are_named_at_once(self, tmp_path: Path) -> None:
        text = fault(tmp_path, "tenantt: a\nbudget:\n  usd: -1\n")
        assert 2 == len(text.splitlines())
        assert "did you mean tenant?" in text
        assert "budget.usd: must be more than 0" in text

    def test_every_fault_names_the_file(self, tmp_path: Path) -> None:
        path = written(tmp_path, FRONT.format("x: 1\ny: 2\n"))
        assert [f"{path}:3", f"{path}:4"] == [":".join(line.split(":")[:2]) for line in refusal(path).splitlines()]

    def test_missing_instructions_are_asked_for(self, tmp_path: Path) -> None:
        assert "instructions: is missing" in refusal(written(tmp_path, "---\ntitle: T\n---\n\n"))

    def test_front_matter_without_an_end_is_refused(self, tmp_path: Path) -> None:
        assert "close it with a line that is just ---" in refusal(written(tmp_path, "---\ntitle: T\n"))

    @pytest.mark.parametrize("text", ["", "---\n---\n", "---\n# nothing\n---\n"])
    def test_an_empty_file_is_refused(self, tmp_path: Path, text: str) -> None:
        assert any(said in refusal(written(tmp_path, text)) for said in ("is empty", "instructions: is missing"))

    def test_a_list_is_no_task(self, tmp_path: Path) -> None:
        assert "must be a table of keys and values" in refusal(written(tmp_path, "- a\n", "task.yaml"))

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('{"title": "T",\n "x"}', ":2: is not valid JSON: "),
            ('{"title": "T",\n "title": "U"}', "title: stands there twice"),
            ('{"title": "T", "instructions": "x",\n "budget": {"usd": NaN}}', ":2: budget.usd: must be a number"),
            ('{"title": "T", "instructions": "x",\n\t"x": 1}', "x: is not a known key"),
            ("[" * 100_000, "is nested too deeply"),
        ],
    )
    def test_faults_of_json_are_named(self, tmp_path: Path, text: str, said: str) -> None:
        assert said in refusal(written(tmp_path, text, "task.json"))

    def test_deep_yaml_is_refused(self, tmp_path: Path) -> None:
        assert "is nested too deeply" in refusal(written(tmp_path, "a: " + "[" * 20_000, "task.yaml"))

    def test_an_unknown_kind_of_file_is_refused(self, tmp_path: Path) -> None:
        assert "ends in .md, .markdown, .yaml, .yml, .json; rename it" in refusal(written(tmp_path, "x", "task.txt"))

    def test_a_missing_file_and_a_folder_are_refused(self, tmp_path: Path) -> None:
        assert "there is no such file" in refusal(tmp_path / "none.md")
        (tmp_path / "folder.md").mkdir()
        assert "is a directory" in refusal(tmp_path / "folder.md")

    def test_text_that_is_not_utf8_is_refused_with_its_line(self, tmp_path: Path) -> None:
        path = tmp_path / "task.md"
        path.write_bytes(b"one\ntwo \xff\n")
        assert f"{path}:2: is not UTF-8 text" in refusal(path)

    def test_a_huge_file_is_refused(self, tmp_path: Path) -> None:
        assert "put large inputs into the workspace" in refusal(written(tmp_path, "x" * 4_000_001))

    def test_long_instructions_are_refused_with_the_limit(self, tmp_path: Path) -> None:
        assert "at most 200,000 characters" in refusal(written(tmp_path, "x" * 200_001))

    def test_a_long_value_is_shown_shortened(self, tmp_path: Path) -> None:
        assert len(fault(tmp_path, f"tenant: {'x' * 5_000}\n")) < 300


class TestSchema:
    def test_the_published_schema_is_current(self) -> None:
        published = json.loads((ROOT / "docs" / "task.schema.json").read_text(encoding="utf-8"))
        assert task_schema() == published, "write it anew: longshift task-schema > docs/task.schema.json"

    def test_the_schema_is_one(self) -> None:
        jsonschema.Draft202012Validator.check_schema(task_schema())

    @pytest.mark.parametrize("name", ["fix-a-bug.md", "speed-up.md"])
    def test_the_examples_keep_to_the_schema_and_name_it(self, name: str) -> None:
        path = ROOT / "examples" / name
        jsonschema.validate(read_document(path).values, task_schema())
        assert "# yaml-language-server: $schema=../docs/task.schema.json" in path.read_text(encoding="utf-8")

    @pytest.mark.parametrize("bad", [{"buget": {}}, {"on_deadline": "wait"}, {"checks": "pytest"}])
    def test_the_schema_refuses_what_is_refused(self, bad: dict[str, Any]) -> None:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"title": "T", **bad}, task_schema())

    def test_every_field_is_described(self) -> None:
        budget = task_schema()["$defs"]["Budget"]["properties"]
        assert budget["active_hours"]["description"].startswith("Hours of active time")
        assert yaml.safe_dump(task_schema())
