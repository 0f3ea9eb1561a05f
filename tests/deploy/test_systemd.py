"""The units: systemd takes them without a word, and commands outlive a worker's restart."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.files import ROLES, SERVICES, SYSTEMD, complaints, required, unit

UNITS = sorted(path for path in SYSTEMD.iterdir() if path.suffix != ".conf")
RUN_COMMANDS = [path for path in SERVICES if path.name in {"longshift.service", "longshift-host.service"}]
RUN_NONE = [path for path in SERVICES if path not in RUN_COMMANDS]
WOULD_END_OR_ROB_COMMANDS = {"PrivateTmp", "DynamicUser", "RuntimeDirectory", "RemoveIPC", "ProtectProc"}
EXPOSURE_LIMITS = {True: 5.5, False: 2.0}
"""Of systemd's own measure, from 0 to 10: with commands, and without."""


def ids(path: Path) -> str:
    """The name of a unit."""
    return path.name


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """All units in one folder, their programs replaced by one that exists."""
    for path in UNITS:
        text = re.sub(r"/opt/longshift/bin/\w+", "/bin/true", path.read_text(encoding="utf-8"))
        (tmp_path / path.name.replace("@.", "@control.")).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("path", UNITS, ids=ids)
def test_systemd_takes_it_without_a_word(path: Path, units: Path) -> None:
    name = path.name.replace("@.", "@control.")
    assert "" == complaints([required("systemd-analyze"), "verify", "--man=no", units / name])


@pytest.mark.parametrize("path", SERVICES, ids=ids)
def test_it_is_as_shut_as_it_can_be(path: Path, units: Path) -> None:
    name = path.name.replace("@.", "@control.")
    command = [required("systemd-analyze"), "security", "--offline=true", "--no-pager", units / name]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert found is not None
    assert float(found[1]) <= EXPOSURE_LIMITS[path in RUN_COMMANDS]


@pytest.mark.parametrize("path", RUN_COMMANDS, ids=ids)
def test_commands_outlive_the_worker(path: Path) -> None:
    settings = unit(path)
    assert ["process"] == settings["KillMode"]
    assert ["continue"] == settings["OOMPolicy"]
    assert set() == WOULD_END_OR_ROB_COMMANDS & set(settings)
    assert ["longshift-host.slice"] == settings["Slice"]


@pytest.mark.parametrize("path", SERVICES, ids=ids)
def test_it_is_started_again_however_often(path: Path) -> None:
    assert ["always"] == unit(path)["Restart"]
    assert ["0"] == unit(path)["StartLimitIntervalSec"]


@pytest.mark.parametrize("path", SERVICES, ids=ids)
def test_configuration_comes_from_where_no_command_can_write(path: Path) -> None:
    assert ["/"] == unit(path)["WorkingDirectory"]
    assert "XDG_CONFIG_HOME=/etc" in unit(path)["Environment"]


def test_hosts_are_another_user_and_are_not_given_the_keys_of_providers() -> None:
    host, others = unit(SYSTEMD / "longshift-host.service"), [unit(path) for path in RUN_NONE]
    assert all(each["User"] != host["User"] for each in others)
    assert not any("model.env" in file or "%i.env" in file for file in host["EnvironmentFile"])


def test_users_and_folders_are_made_with_the_modes_that_they_need(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    assert (
        0
        == subprocess.run(
            [required("systemd-sysusers"), f"--root={tmp_path}", SYSTEMD / "sysusers.conf"], check=False
        ).returncode
    )
    named = {unit(path)["User"][0] for path in SERVICES}
    made = [line.split(":")[0] for line in (tmp_path / "etc/passwd").read_text(encoding="utf-8").splitlines()]
    assert named <= set(made)
    # As another than root it cannot give the folders away; what it makes is seen all the same.
    subprocess.run(
        [required("systemd-tmpfiles"), f"--root={tmp_path}", "--create", SYSTEMD / "tmpfiles.conf"], check=False
    )
    files = {Path(file).name for path in SERVICES for file in unit(path)["EnvironmentFile"]}
    wanted = {each.replace("%i", role) for each in files for role in ROLES - {"host"}}
    for name in wanted:
        file = tmp_path / "etc/longshift" / name
        assert 0o600 == file.stat().st_mode & 0o777, name
        assert file.read_text(encoding="utf-8").endswith("\n"), name
