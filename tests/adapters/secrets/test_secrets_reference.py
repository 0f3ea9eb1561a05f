"""A reference is looked up when it is used; what fails is named, and the value never is."""

import os
import time
from pathlib import Path

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from longshift.adapters.secrets import (
    PossiblyReferred,
    ReferredSecret,
    SecretBook,
    SecretDefinition,
    SecretReference,
    readable_by_others,
    values_seen,
)
from longshift.contracts.errors import BadInput
from longshift.contracts.task import TaskSpec

VALUE = "hunter2-hunter2"


def reference(text: str) -> SecretReference:
    found = SecretReference.parse(text)
    assert found is not None
    return found


def task(**fields: object) -> TaskSpec:
    return TaskSpec.model_validate({"id": "t", "title": "T", "instructions": "Do.", **fields})


def test_each_place_gives_its_value_without_the_line_end(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{VALUE}\n")
    assert VALUE == reference(f"file:{file}").resolve()
    assert VALUE == reference("env:GIVEN").resolve({"GIVEN": VALUE})
    assert VALUE == reference(f"command:cat '{file}'").resolve()
    assert "two\nlines" == reference("command:printf 'two\\nlines\\n\\n'").resolve()


def test_a_command_is_run_by_no_shell_and_has_the_workers_environment() -> None:
    assert "a; echo b $X" == reference("command:echo 'a; echo b' $X").resolve({"PATH": os.environ["PATH"], "X": "x"})
    assert VALUE == reference("command:printenv X").resolve({"PATH": os.environ["PATH"], "X": VALUE})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("env:MISSING", "env:MISSING is not set"),
        ("file:/nonexistent/secret", r"file:/nonexistent/secret cannot be read \(No such file"),
        ("file:/tmp", r"file:/tmp (cannot be read|is no regular file)"),
        ("file:/dev/null", "file:/dev/null is no regular file"),
        ("command:/nonexistent/program", "command:/nonexistent/program cannot be run"),
        ("command:sh -c 'echo hunter2-hunter2; exit 3'", "command:sh … failed with exit code 3"),
        ("command:true", "command:true is empty"),
        ("command:head -c 70000 /dev/zero", "gives more than 65536 bytes"),
        ("command:printf '\\377'", "is no text in UTF-8"),
        ("command:printf 'a\\000b'", "holds a NUL byte"),
    ],
)
def test_what_cannot_be_found_is_named_and_the_value_is_not(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as refused:
        reference(text).resolve()
    assert VALUE not in str(refused.value)


def test_a_named_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="no regular file"):
        reference(f"file:{tmp_path}/pipe").resolve()


def test_a_command_that_hangs_is_ended_with_its_children() -> None:
    begun = time.monotonic()
    with pytest.raises(BadInput, match=r"took longer than 0\.3 seconds"):
        reference("command:sh -c 'sleep 60 & sleep 60'").resolve(command_seconds=0.3)
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("text", ["env:", "file:", "command:", "file:relative/path", "command:'open"])
def test_a_reference_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        SecretReference.parse(text)


@pytest.mark.parametrize("text", ["sk-123", "https://hooks.example/x", "environment:X", "", "xoxb-1:2"])
def test_anything_else_is_the_value_itself(text: str) -> None:
    assert SecretReference.parse(text) is None


def test_a_rotated_value_counts_after_a_minute_and_the_old_one_stays_known(tmp_path: Path) -> None:
    file, now = tmp_path / "secret", [0.0]
    file.write_text("first-value")
    secret = ReferredSecret(reference(f"file:{file}"), clock=lambda: now[0])
    assert "first-value" == secret.get_secret_value()
    file.write_text("second-value")
    now[0] = 59.0
    assert "first-value" == secret.get_secret_value()
    now[0] = 61.0
    assert "second-value" == secret.get_secret_value()
    assert {"first-value", "second-value"} == values_seen(secret)


def test_a_setting_takes_a_value_or_a_reference_and_shows_neither(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(VALUE)
    adapter: TypeAdapter[SecretStr] = TypeAdapter(PossiblyReferred)
    literal, referred = adapter.validate_python(VALUE), adapter.validate_python(f"file:{tmp_path}/x")
    named = adapter.validate_python(f"orders=file:{tmp_path}/x")
    assert (VALUE, VALUE, f"orders={VALUE}") == tuple(each.get_secret_value() for each in (literal, referred, named))
    assert VALUE not in f"{literal!r}{referred!r}{named!r}{referred}"
    assert {VALUE} == values_seen(named)
    with pytest.raises(ValidationError, match="names nothing"):
        adapter.validate_python("env:")


def test_a_file_that_others_can_read_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text(VALUE)
    file.chmod(0o600)
    assert not readable_by_others(file)
    file.chmod(0o644)
    assert readable_by_others(file)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "exactly one of env, file, command; none is set"),
        ({"env": "A", "file": "/x"}, "env and file is set"),
        ({"value": VALUE, "env": "A"}, "Extra inputs"),
        ({"file": "relative"}, "not an absolute path"),
        ({"env": "A", "phases": ["agent"]}, "'setup'"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as refused:
        SecretDefinition.model_validate(fields)
    assert VALUE not in str(refused.value)


def test_a_secret_is_nobodys_until_tenants_are_spelled_out(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(VALUE)
    place = {"file": str(tmp_path / "x")}
    scopes: dict[str, dict[str, object]] = {
        "NOBODYS": {},
        "EVERYBODYS": {"tenants": ["*"]},
        "OURS": {"tenants": ["team-*"], "repositories": ["https://git.example/acme/*"]},
        "OFF": {"tenants": ["*"], "phases": []},
        "REPOSITORY_ALONE": {"repositories": ["*"]},
    }
    book = SecretBook({name: SecretDefinition.model_validate({**place, **scope}) for name, scope in scopes.items()})
    ours = {"tenant": "team-a", "workspace": {"git": "https://git.example/acme/x"}}
    assert {"OURS": VALUE, "EVERYBODYS": VALUE} == book.resolved(task(setup_secrets=["OURS", "EVERYBODYS"], **ours))
    assert {} == book.resolved(task())
    climbing = {**ours, "workspace": {"git": "https://git.example/acme/../evil/x"}}
    refused = [
        task(setup_secrets=["NOBODYS"]),
        task(setup_secrets=["OFF"]),
        task(setup_secrets=["REPOSITORY_ALONE"]),
        task(setup_secrets=["OURS"], workspace=ours["workspace"]),
        task(setup_secrets=["OURS"], tenant="team-a"),
        task(setup_secrets=["OURS"], **climbing),
    ]
    unknown = _refusal(book, task(setup_secrets=["UNKNOWN"]))
    assert "setup_secrets: no secret 'UNKNOWN' for tenant 'default'" in unknown
    for each in refused:
        name = each.setup_secrets[0]
        assert unknown.partition(" for ")[0].replace("UNKNOWN", name) == _refusal(book, each).partition(" for ")[0]


def test_a_secret_too_short_to_be_found_again_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("short")
    book = SecretBook({"X": SecretDefinition(file=str(tmp_path / "x"), tenants=("*",))})
    with pytest.raises(BadInput, match=r"secrets\.X: has 5 characters"):
        book.resolved(task(setup_secrets=["X"]))


def _refusal(book: SecretBook, asked: TaskSpec) -> str:
    with pytest.raises(BadInput) as refused:
        book.resolved(asked)
    return str(refused.value)
