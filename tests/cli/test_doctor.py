"""`doctor`: every finding has a level, what is broken has a remedy, and no fault keeps it from looking further."""

import socket
from pathlib import Path
from typing import Any

import pytest

from longshift.cli.diagnosis import Finding, Level
from longshift.cli.doctor import table, worst
from tests.cli.conftest import Command
from tests.cli.pages import HOSTILE, UNSAFE, shown
from tests.old_git import put_old_git_first
from tests.sandboxing import requires_bubblewrap, why_not


def levels(found: Any) -> dict[str, str]:
    return {finding["name"]: finding["level"] for finding in found["findings"]}


def finding(found: Any, name: str) -> Any:
    return next(each for each in found["findings"] if each["name"] == name)


def test_without_engine_and_key_the_key_is_the_fault_and_both_remedies_are_named(longshift: Command) -> None:
    outcome = longshift("doctor", "--json")
    found = outcome.document
    assert (1, "fail", "") == (outcome.code, found["level"], outcome.err)
    assert {
        "configuration": "ok",
        "engine binary": "ok",
        "engine": "warn",
        "data directory": "ok",
        "disk": "ok",
        "store": "ok",
        "intake": "ok",
        "git": "ok",
        "bash": "ok",
        "ripgrep": "ok",
        "model": "fail",
        "secrets": "ok",
        "encryption": "warn",
        "people": "ok",
        "sandbox": "warn" if why_not() else "ok",
        "limits": "ok",
        "network": "ok",
    } == {**levels(found), "disk": "ok", "limits": "ok"}
    assert "start one with `longshift up`" in finding(found, "engine")["detail"]
    assert "set MOONSHOT_API_KEY or LONGSHIFT_MODEL_API_KEY" in finding(found, "model")["remedy"]


def test_with_a_key_nothing_is_broken(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHIFT_MODEL_API_KEY", "sk-secret")
    monkeypatch.setenv("LONGSHIFT_DISK_FLOOR_BYTES", "0")
    outcome = longshift("doctor")
    assert (0, False) == (outcome.code, "sk-secret" in outcome.out)


def test_a_git_that_cannot_merge_is_no_fault_but_there_are_no_swarms(
    longshift: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_old_git_first(tmp_path / "bin", monkeypatch)
    git = finding(longshift("doctor", "--json").document, "git")
    assert "warn" == git["level"]
    assert "no swarms here: git 2.34.1 cannot merge" in git["remedy"]


def test_the_variable_of_the_key_is_named_once(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHIFT_MODEL_PROFILE", "generic")
    monkeypatch.setenv("LONGSHIFT_MODEL_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LONGSHIFT_MODEL_NAME", "m")
    model = finding(longshift("doctor", "--json").document, "model")
    assert "set LONGSHIFT_MODEL_API_KEY, or choose another LONGSHIFT_MODEL_PROFILE" == model["remedy"]


def test_an_external_engine_that_does_not_answer_is_a_fault(
    longshift: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{closed.getsockname()[1]}")
    found = longshift("doctor", "--json").document
    assert ("fail", False) == (levels(found)["engine"], "engine binary" in levels(found))
    assert 1 == str(finding(found, "engine")).count("check TEMPORAL_ADDRESS")


def test_a_store_that_cannot_be_opened_does_not_end_the_diagnosis(
    longshift: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGSHIFT_STORE_URL", "ftp://example.invalid/x")
    outcome = longshift("doctor", "--json")
    found = outcome.document
    assert (1, "fail", "ok") == (outcome.code, levels(found)["store"], levels(found)["git"])
    assert "LONGSHIFT_STORE_URL" in finding(found, "store")["remedy"]


def test_a_data_directory_that_cannot_be_made_is_a_fault(longshift: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = longshift("doctor", "--json", "--data-dir", str(tmp_path / "file" / "data")).document
    assert ("fail", False) == (levels(found)["data directory"], "store" in levels(found))
    assert "LONGSHIFT_DATA_DIR or --data-dir" in finding(found, "data directory")["remedy"]


def test_too_little_space_is_a_fault(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHIFT_DISK_FLOOR_BYTES", str(10**18))
    disk = finding(longshift("doctor", "--json").document, "disk")
    assert ("fail", True) == (disk["level"], "LONGSHIFT_DISK_FLOOR_BYTES" in disk["remedy"])


def test_a_program_that_is_missing_is_a_fault(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = longshift("doctor", "--json").document
    assert ("fail", "fail") == (levels(found)["git"], levels(found)["bash"])
    assert "install git" in finding(found, "git")["remedy"]


def test_a_wrong_setting_is_the_one_finding(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHIFT_NONSENSE", "1")
    outcome = longshift("doctor", "--json")
    assert (1, {"configuration": "fail"}) == (outcome.code, levels(outcome.document))
    assert "LONGSHIFT_NONSENSE is not a setting" in finding(outcome.document, "configuration")["detail"]


def test_a_probe_tells_whether_the_address_answers(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        monkeypatch.setenv("LONGSHIFT_MODEL_BASE_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
    found = longshift("doctor", "--json", "--probe").document
    assert ("fail", True) == (levels(found)["endpoint"], "check the address" in finding(found, "endpoint")["remedy"])


def test_the_worst_finding_counts() -> None:
    findings = [Finding("a", Level.WARN, ""), Finding("b", Level.OK, "")]
    assert (Level.OK, Level.WARN) == (worst([]), worst(findings))
    assert Level.FAIL is worst([*findings, Finding("c", Level.FAIL, "")])


def test_a_finding_has_its_remedy_below_it_and_no_control_characters() -> None:
    text = shown(table([Finding("model", Level.FAIL, HOSTILE, "set the key")]))
    assert (True, set[str]()) == ("→ set the key" in text, UNSAFE & set(text))


def test_secrets_are_looked_up_and_open_files_are_warned_of(
    longshift: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    monkeypatch.setenv("LONGSHIFT_GITHUB_TOKEN", f"file:{file}")
    outcome = longshift("doctor", "--json")
    missing = finding(outcome.document, "secrets")
    assert ("fail", 1) == (missing["level"], outcome.code)
    assert f"github_token: file:{file} cannot be read (No such file or directory)" in missing["detail"]
    file.write_text("hunter2-hunter2")
    file.chmod(0o644)
    outcome = longshift("doctor", "--json")
    open_to_all = finding(outcome.document, "secrets")
    assert ("warn", f"github_token ({file})") == (open_to_all["level"], open_to_all["detail"].partition(": ")[2])
    file.chmod(0o600)
    monkeypatch.setenv("LONGSHIFT_SECRETS", '{"NPM": {"env": "NPM_TOKEN"}}')
    monkeypatch.setenv("NPM_TOKEN", "hunter2-hunter2")
    outcome = longshift("doctor", "--json")
    assert "no task may use: NPM" == finding(outcome.document, "secrets")["detail"]
    assert "hunter2" not in outcome.out + outcome.err


def test_what_the_command_line_says_holds_no_secret_that_it_knows(
    longshift: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hunter2-hunter2"
    monkeypatch.setenv("LONGSHIFT_GITHUB_TOKEN", "hunter2-hunter2")
    for options in ([], ["--json"]):
        outcome = longshift("doctor", "--data-dir", str(folder), *options)
        assert (True, False) == ("[redacted]" in outcome.out, "hunter2" in outcome.out)


def test_the_limits_of_a_session_are_shown_with_who_enforces_them(
    longshift: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGSHIFT_SESSION_LIMITS", "rlimits")
    monkeypatch.setenv("LONGSHIFT_SESSION_MEMORY_BYTES", "2500000000")
    limits = finding(longshift("doctor", "--json").document, "limits")
    assert "warn" == limits["level"]
    assert "limits of processes and a watchdog; a session: 1024 processes, 2.5 GB of memory" in limits["detail"]
    assert "(session_limits is rlimits)" in limits["detail"]
    assert "Delegate=yes" in limits["remedy"]


def test_a_limit_that_makes_no_sense_is_named(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHIFT_SESSION_PROCESSES", "1")
    configuration = finding(longshift("doctor", "--json").document, "configuration")
    assert ("fail", True) == (configuration["level"], "session_processes" in configuration["detail"])


def test_no_sandbox_is_a_warning_that_names_what_to_do(longshift: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHIFT_SANDBOX", "none")
    found = finding(longshift("doctor", "--json").document, "sandbox")
    assert ("warn", True, True) == (found["level"], "unsandboxed" in found["detail"], "can lose" in found["remedy"])


@requires_bubblewrap()
def test_a_sandbox_is_attacked_and_the_attacks_are_counted(longshift: Command) -> None:
    assert "bubblewrap stopped 18 of 18 attacks" == finding(longshift("doctor", "--json").document, "sandbox")["detail"]


def test_a_missing_bubblewrap_is_a_fault_with_its_remedies(
    longshift: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LONGSHIFT_SANDBOX", "bubblewrap")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = finding(longshift("doctor", "--json").document, "sandbox")
    assert ("fail", "bubblewrap (bwrap) is not on the PATH: no host starts") == (found["level"], found["detail"])
    assert "apt-get install bubblewrap" in found["remedy"]
    assert "LONGSHIFT_SANDBOX=none" in found["remedy"]


def test_a_container_without_an_image_is_named_with_what_it_needs(
    longshift: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGSHIFT_SANDBOX", "container")
    found = finding(longshift("doctor", "--json").document, "sandbox")
    assert ("fail", True) == (found["level"], '"container" needs container_image' in found["detail"])
