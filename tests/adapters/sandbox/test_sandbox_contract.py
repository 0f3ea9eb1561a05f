"""What every sandbox backend keeps to, run for real; a new backend inherits the contract."""

import subprocess
from pathlib import Path

import pytest

from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand, WrappedCommand

SECRETS = {
    "LONGSHIFT_ENCRYPTION_KEY": "hush",
    "ANTHROPIC_API_KEY": "hush",
    "TEMPORAL_API_KEY": "hush",
    "TEMPORAL_ADDRESS": "hush",
    "SSH_AUTH_SOCK": "hush",
    "CI": "hush",
}


def run(wrapped: WrappedCommand) -> str:
    return subprocess.run(
        wrapped.argv, env=dict(wrapped.env), cwd=wrapped.cwd, check=True, capture_output=True, text=True
    ).stdout


class SandboxContract:
    """Inherited by the test class of each backend."""

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        raise NotImplementedError

    @pytest.fixture
    def workspace(self, tmp_path: Path) -> Path:
        (tmp_path / "workspace" / "below").mkdir(parents=True)
        (tmp_path / "home").mkdir()
        return tmp_path / "workspace"

    def command(self, workspace: Path, script: str, **env: str) -> SandboxCommand:
        return SandboxCommand(
            argv=("bash", "-c", script),
            cwd=str(workspace / "below"),
            workspace_root=str(workspace),
            home=str(workspace.parent / "home"),
            env=env,
        )

    def test_the_environment_is_clean(self, sandbox: Sandbox, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in SECRETS.items():
            monkeypatch.setenv(name, value)
        text = run(sandbox.wrap(self.command(workspace, "env", GIVEN="on purpose")))
        variables = dict(line.split("=", 1) for line in text.splitlines())
        assert {"PATH", "HOME", "LANG", "TERM", "GIVEN"} == variables.keys() - {"PWD", "SHLVL", "_"}
        assert ("C.UTF-8", "dumb", "on purpose") == (variables["LANG"], variables["TERM"], variables["GIVEN"])
        assert str(workspace.parent / "home") == variables["HOME"]

    def test_a_variable_given_on_purpose_goes_before_the_sandboxs_own(self, sandbox: Sandbox, workspace: Path) -> None:
        assert "xterm\n" == run(sandbox.wrap(self.command(workspace, "echo $TERM", TERM="xterm")))

    def test_the_command_runs_in_its_folder(self, sandbox: Sandbox, workspace: Path) -> None:
        assert f"{workspace}/below\n" == run(sandbox.wrap(self.command(workspace, "pwd")))

    def test_workspace_and_home_are_writable(self, sandbox: Sandbox, workspace: Path) -> None:
        run(sandbox.wrap(self.command(workspace, "echo a > ../made; echo b > ~/made")))
        assert "a\n" == (workspace / "made").read_text()
        assert "b\n" == (workspace.parent / "home" / "made").read_text()


class TestNoSandbox(SandboxContract):
    """Runs as it is."""

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        return NoSandbox()

    def test_the_command_line_is_left_as_it_is(self, sandbox: Sandbox, workspace: Path) -> None:
        command = self.command(workspace, "true")
        assert ("none", command.argv) == (sandbox.name, sandbox.wrap(command).argv)

    def test_the_operator_may_add_to_the_path(self, workspace: Path) -> None:
        wrapped = NoSandbox(path="/opt/tools:/usr/bin").wrap(self.command(workspace, "true"))
        assert "/opt/tools:/usr/bin" == wrapped.env["PATH"]
