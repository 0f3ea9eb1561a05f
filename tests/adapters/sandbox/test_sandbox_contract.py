"""What every sandbox backend keeps to, run for real; a new backend inherits the contract."""

import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from longshift.adapters.sandbox.bubblewrap import PROXY_SOCKET, Bubblewrap, BubblewrapOptions
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand, WrappedCommand
from longshift.contracts.errors import BadInput, HostError
from tests.sandboxing import BWRAP, requires_bubblewrap

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
        (tmp_path / "tmp").mkdir()
        return tmp_path / "workspace"

    def command(self, workspace: Path, script: str, **env: str) -> SandboxCommand:
        return SandboxCommand(
            argv=("bash", "-c", script),
            cwd=str(workspace / "below"),
            workspace_root=str(workspace),
            home=str(workspace.parent / "home"),
            tmp=str(workspace.parent / "tmp"),
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

    def test_what_a_command_leaves_in_tmp_is_there_for_the_next_one(self, sandbox: Sandbox, workspace: Path) -> None:
        name = f"left-{os.getpid()}"
        assert "kept\n" == run(sandbox.wrap(self.command(workspace, f"echo kept > /tmp/{name}; cat /tmp/{name}")))
        assert "kept\n" == run(sandbox.wrap(self.command(workspace, f"cat /tmp/{name}; rm /tmp/{name}")))

    async def test_a_command_that_fails_is_not_taken_for_a_broken_sandbox(
        self, sandbox: Sandbox, workspace: Path
    ) -> None:
        assert "" == await sandbox.broken(self.command(workspace, "false"), "bwrap: I am made up")


class TestNoSandbox(SandboxContract):
    """Runs as it is."""

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        return NoSandbox()

    def test_the_command_line_is_left_as_it_is(self, sandbox: Sandbox, workspace: Path) -> None:
        command = self.command(workspace, "true")
        assert ("none", command.argv) == (sandbox.name, sandbox.wrap(command).argv)

    def test_nothing_can_be_shown_elsewhere(self, workspace: Path) -> None:
        with pytest.raises(ValueError, match="where it is"):
            NoSandbox().wrap(replace(self.command(workspace, "true"), seen_root="/elsewhere"))

    def test_the_operator_may_add_to_the_path(self, workspace: Path) -> None:
        wrapped = NoSandbox(path="/opt/tools:/usr/bin").wrap(self.command(workspace, "true"))
        assert "/opt/tools:/usr/bin" == wrapped.env["PATH"]


@requires_bubblewrap()
class TestBubblewrap(SandboxContract):
    """What is not allowed is not there."""

    @pytest.fixture
    def sandbox(self, tmp_path: Path) -> Sandbox:
        return self.bubblewrap(tmp_path)

    @pytest.mark.parametrize("place", ["/srv/lead", "/tmp/lead", "/home/lead"])
    def test_a_workspace_can_be_seen_elsewhere(self, sandbox: Sandbox, workspace: Path, place: str) -> None:
        command = self.command(workspace, f"pwd; cd ~; pwd; echo $HOME; touch {place}/tree/made; ls {workspace}")
        seen = replace(command, seen_root=f"{place}/tree", seen_home=f"{place}/home")
        wrapped = sandbox.wrap(seen)
        done = subprocess.run(
            wrapped.argv, env=dict(wrapped.env), cwd=wrapped.cwd, check=False, capture_output=True, text=True
        )
        assert [f"{place}/tree/below", f"{place}/home", f"{place}/home"] == done.stdout.splitlines()
        assert (workspace / "made").exists()
        assert str(workspace) in done.stderr

    def bubblewrap(self, tmp_path: Path, **options: tuple[str, ...]) -> Bubblewrap:
        data = tmp_path / "data"
        return Bubblewrap(
            executable=BWRAP,
            folder=data / "sandbox",
            hidden=(data,),
            options=BubblewrapOptions(**options),  # pyright: ignore[reportArgumentType]  # paths alone are given
        )

    def test_what_lies_beside_the_workspace_is_not_there(self, sandbox: Sandbox, workspace: Path) -> None:
        (workspace.parent / "data" / "other").mkdir()
        listed = run(sandbox.wrap(self.command(workspace, f"ls {workspace.parent}"))).split()
        assert ["home", "workspace"] == listed

    def test_odd_names_are_no_trouble(self, tmp_path: Path) -> None:
        odd = tmp_path / "a b\nc'$(x)"
        for name in ("workspace/below", "home", "tmp"):
            (odd / name).mkdir(parents=True)
        command = self.command(odd / "workspace", "pwd; touch made")
        assert f"{odd}/workspace/below\n" == run(self.bubblewrap(tmp_path).wrap(command))
        assert (odd / "workspace" / "below" / "made").is_file()

    def test_people_and_hosts_are_made_up(self, sandbox: Sandbox, workspace: Path) -> None:
        text = run(sandbox.wrap(self.command(workspace, "whoami; hostname; wc -l < /etc/passwd; getent passwd agent")))
        assert ["agent", "sandbox", "2"] == text.splitlines()[:3]
        assert "/run/longshift/home" in text

    def test_only_workspace_home_and_tmp_can_be_written(self, sandbox: Sandbox, workspace: Path) -> None:
        script = 'for at in / /dev /etc /run /usr /tmp/*/ "$HOME/.."; do touch "$at/x" 2>/dev/null && echo "$at"; done'
        assert "" == run(sandbox.wrap(self.command(workspace, f"{script}; true")))
        assert "x\n" == run(sandbox.wrap(self.command(workspace, "touch ../x ~/x /tmp/x /dev/shm/x; cd ..; ls x")))

    def test_the_way_to_the_workspace_cannot_be_swapped_in_tmp(self, sandbox: Sandbox, workspace: Path) -> None:
        first = Path("/tmp") / Path(os.path.relpath(workspace, "/tmp")).parts[0]
        if not workspace.is_relative_to("/tmp"):
            pytest.skip("the folder of this test does not lie below /tmp")
        script = f"mv {first} /tmp/moved || ln -sfn /oldroot/etc {first} || rm -rf {first}; ls -d {first}"
        assert f"{first}\n" == run(sandbox.wrap(self.command(workspace, script)))
        assert (workspace.parent / "tmp" / first.name).is_dir()

    def test_a_link_in_the_way_of_the_workspace_is_refused(self, sandbox: Sandbox, workspace: Path) -> None:
        if not workspace.is_relative_to("/tmp"):
            pytest.skip("the folder of this test does not lie below /tmp")
        name = Path(os.path.relpath(workspace, "/tmp")).parts[0]
        (workspace.parent / "tmp" / name).symlink_to("/oldroot/etc")
        with pytest.raises(HostError, match="is in the way of"):
            sandbox.wrap(self.command(workspace, "true"))

    def test_a_toolchain_is_seen_where_it_lies_and_found(self, tmp_path: Path, workspace: Path) -> None:
        tool = tmp_path / "chain" / "bin" / "tool"
        tool.parent.mkdir(parents=True)
        tool.write_text("#!/bin/sh\ntouch $0 2>/dev/null && echo written || echo 'read only'\n")
        tool.chmod(0o755)
        (tmp_path / "link").symlink_to(tmp_path / "chain")
        sandbox = self.bubblewrap(tmp_path, readable=(str(tmp_path / "link"),), path=(str(tmp_path / "link" / "bin"),))
        assert "read only\n" == run(sandbox.wrap(self.command(workspace, "tool")))

    @pytest.mark.parametrize(
        "path", ["/", "/home", "/root", "/etc", "/proc/self", "/var", "/tmp", "/run/x", "relative"]
    )
    def test_a_path_that_shows_secrets_is_refused(self, tmp_path: Path, path: str) -> None:
        with pytest.raises(BadInput, match=f"^sandbox_readable: {path} "):
            self.bubblewrap(tmp_path, readable=(path,))

    def test_the_data_directory_is_never_shown(self, tmp_path: Path) -> None:
        (tmp_path / "data" / "in").mkdir(parents=True)
        (tmp_path / "link").symlink_to(tmp_path / "data" / "in")
        for path in (tmp_path, tmp_path / "data", tmp_path / "data" / "in", tmp_path / "link"):
            with pytest.raises(BadInput, match=r"^sandbox_readable: .* (would show|lies in)"):
                self.bubblewrap(tmp_path, readable=(str(path),))

    def test_a_data_directory_in_usr_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match=r"^data_dir: /usr/local/data lies in /usr"):
            Bubblewrap(executable=BWRAP, folder=tmp_path, hidden=(Path("/usr/local/data"),))

    def test_a_path_that_is_not_there_is_named(self, sandbox: Sandbox, workspace: Path) -> None:
        command = replace(self.command(workspace, "true"), readable_paths=(f"{workspace.parent}/gone",))
        with pytest.raises(HostError, match=r"gone is to be seen by a command and does not exist"):
            sandbox.wrap(command)

    def test_too_many_arguments_are_refused(self, sandbox: Sandbox, workspace: Path) -> None:
        command = replace(self.command(workspace, "true"), argv=("echo", *("x" for _ in range(9_000))))
        with pytest.raises(BadInput, match="bubblewrap takes 9000"):
            sandbox.wrap(command)

    def test_the_proxys_socket_is_in_a_fixed_place(
        self, sandbox: Sandbox, workspace: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = workspace.parent / "p.sock"
        with socket.socket(socket.AF_UNIX) as server:
            monkeypatch.chdir(workspace.parent)  # a socket's name is short
            server.bind("p.sock")
            server.listen()
            script = f"python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{PROXY_SOCKET}\")' && echo ok"
            command = replace(self.command(workspace, script), proxy_socket=str(place))
            assert "ok\n" == run(sandbox.wrap(command))

    def test_a_tmp_of_its_own_has_a_size(self, tmp_path: Path, workspace: Path) -> None:
        sandbox = replace(
            self.bubblewrap(tmp_path), options=BubblewrapOptions(tmp_bytes=1_000_000, shm_bytes=1_000_000)
        )
        command = replace(
            self.command(workspace, "for at in /tmp /dev/shm; do head -c 2000000 /dev/zero > $at/x || echo full; done"),
            tmp="",
        )
        assert "full\nfull\n" == run(sandbox.wrap(command))

    def test_variables_are_not_in_the_arguments(self, sandbox: Sandbox, workspace: Path) -> None:
        wrapped = sandbox.wrap(self.command(workspace, "true", TOKEN="hush"))
        assert "hush" not in "\0".join(wrapped.argv)

    async def test_a_sandbox_that_cannot_be_entered_is_told(self, tmp_path: Path, workspace: Path) -> None:
        gone = replace(self.bubblewrap(tmp_path), executable="/nonexistent/bwrap")
        said = "cannot run '/nonexistent/bwrap': No such file or directory\n"
        assert "No such file" in await gone.broken(self.command(workspace, "true"), said)
        sandbox = self.bubblewrap(tmp_path)
        (workspace.parent / "home").rmdir()
        assert "home is to be seen" in await sandbox.broken(self.command(workspace, "true"), "bwrap: no home")
