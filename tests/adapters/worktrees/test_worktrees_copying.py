"""A copy has what can be copied, follows nothing out, waits for nothing, and ties no repository to another."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from longshift.adapters.workspace.quota import Interrupted, Quota, in_thread
from longshift.adapters.worktrees import copying
from longshift.adapters.worktrees.copying import Copying
from tests.user_git import USER_ENVIRONMENT


def copied(origin: Path, into: Path) -> Copying:
    work = Copying(origin, into, Quota("copy", sys.maxsize))
    work.all_files()
    return work


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    folder = tmp_path / "origin"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "file").write_text("content\n")
    return folder


def test_content_mode_and_time_are_kept(origin: Path, tmp_path: Path) -> None:
    file = origin / "deep" / "er" / "file"
    file.chmod(0o4755)
    os.utime(file, ns=(1_000_000_000, 2_000_000_001))
    os.utime(origin / "deep", ns=(1_000_000_000, 3_000_000_001))
    (origin / "empty").mkdir(mode=0o500)
    (origin / os.fsdecode(b"\xff\n")).write_bytes(bytes(range(256)) * 400)
    copied(origin, tmp_path / "copy")
    made = tmp_path / "copy" / "deep" / "er" / "file"
    assert ("content\n", 0o755, 2_000_000_001) == (
        made.read_text(),
        stat.S_IMODE(made.stat().st_mode),
        made.stat().st_mtime_ns,
    )
    assert 3_000_000_001 == (tmp_path / "copy" / "deep").stat().st_mtime_ns
    assert 0o700 == stat.S_IMODE((tmp_path / "copy" / "empty").stat().st_mode)
    assert bytes(range(256)) * 400 == (tmp_path / "copy" / os.fsdecode(b"\xff\n")).read_bytes()
    assert made.stat().st_ino != file.stat().st_ino


def test_links_are_copied_and_never_followed(origin: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret\n")
    (origin / "folder").symlink_to(tmp_path / "outside")
    (origin / "file").symlink_to("../outside/secret")
    (origin / "nowhere").symlink_to("/does/not/exist")
    copied(origin, tmp_path / "copy")
    for name in ("folder", "file", "nowhere"):
        assert os.readlink(origin / name) == os.readlink(tmp_path / "copy" / name)


def test_pipes_and_sockets_are_left_out_and_nothing_waits_for_them(origin: Path, tmp_path: Path) -> None:
    os.mkfifo(origin / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(origin / "sock"))
        copied(origin, tmp_path / "copy")
    assert ["deep"] == os.listdir(tmp_path / "copy")


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_named(origin: Path, tmp_path: Path) -> None:
    (origin / "closed").mkdir(mode=0)
    (origin / "closed-file").touch(mode=0)
    try:
        assert ["closed", "closed-file"] == sorted(copied(origin, tmp_path / "copy").unreadable)
    finally:
        (origin / "closed").chmod(0o700)


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, env=USER_ENVIRONMENT, capture_output=True, text=True, check=True).stdout


def test_a_repository_stands_on_its_own_and_shares_objects_alone(origin: Path, tmp_path: Path) -> None:
    git(origin, "init", "-q")
    git(origin, "add", "-A")
    git(origin, "commit", "-qm", "first")
    git(origin, "worktree", "add", "-q", str(tmp_path / "other"), "-b", "other")
    (origin / ".git" / "index.lock").touch()
    (origin / ".git" / "objects" / "info").mkdir(exist_ok=True)
    (origin / ".git" / "objects" / "info" / "alternates").write_text("/elsewhere\n")
    copied(origin, tmp_path / "copy")
    copy = tmp_path / "copy"
    assert "" == git(copy, "status", "--porcelain")
    (copy / "new").touch()
    git(copy, "stash", "--include-untracked")
    git(copy, "commit", "-q", "--allow-empty", "-m", "second")
    assert "first\n" == git(origin, "log", "--format=%s")
    assert "" == git(origin, "stash", "list")
    for left_out in ("worktrees", "index.lock", "objects/info/alternates"):
        assert not os.path.lexists(copy / ".git" / left_out)
    objects = [path for path in (origin / ".git" / "objects").glob("??/*") if path.is_file()]
    assert objects
    assert all(path.samefile(copy / path.relative_to(origin)) for path in objects)
    assert not (origin / ".git" / "config").samefile(copy / ".git" / "config")


def test_a_pointer_to_another_repository_is_copied_as_it_is(origin: Path, tmp_path: Path) -> None:
    (origin / ".git").write_text("gitdir: /elsewhere/.git/worktrees/x\n")
    copied(origin, tmp_path / "copy")
    assert "gitdir: /elsewhere/.git/worktrees/x\n" == (tmp_path / "copy" / ".git").read_text()


def test_very_deep_folders_are_copied(origin: Path, tmp_path: Path) -> None:
    inner = os.open(origin, os.O_PATH | os.O_DIRECTORY)
    for _ in range(1_200):
        os.mkdir("d", dir_fd=inner)
        inner, outer = os.open("d", os.O_PATH | os.O_DIRECTORY, dir_fd=inner), inner
        os.close(outer)
    os.close(inner)
    copied(origin, tmp_path / "copy")
    found = subprocess.run(["find", str(tmp_path / "copy"), "-name", "d"], capture_output=True, text=True, check=True)
    assert 1_200 == len(found.stdout.splitlines())
    subprocess.run(["rm", "-rf", str(origin), str(tmp_path / "copy")], check=True)


async def test_a_large_copy_tells_how_far_it_is_and_can_be_given_up(origin: Path, tmp_path: Path) -> None:
    with (origin / "large").open("wb") as file:
        file.truncate(2 * copying.REPORT_BYTES)
        file.seek(0)
        file.write(b"x")
    told: list[str] = []
    work = Copying(origin, tmp_path / "copy", Quota("copy", sys.maxsize), told.append)
    work.can_clone = False
    await in_thread(work.all_files, work.quota)
    assert told
    stopped = Copying(origin, tmp_path / "second", Quota("copy", sys.maxsize))
    stopped.quota.stop.set()
    with pytest.raises(Interrupted):
        await in_thread(stopped.all_files, stopped.quota)


async def test_a_copy_while_files_come_and_go_is_no_failure(origin: Path, tmp_path: Path) -> None:
    for number in range(300):
        (origin / f"file-{number}").write_text("x" * 100)
    churn = "while :; do for i in $(seq 300); do rm -f file-$i; echo y > file-$i; mv file-$i moved-$i; done; done"
    process = await asyncio.create_subprocess_exec("bash", "-c", churn, cwd=origin)
    try:
        until = time.monotonic() + 2
        number = 0
        while time.monotonic() < until:
            await asyncio.to_thread(copied, origin, tmp_path / f"copy-{number}")
            number += 1
    finally:
        process.kill()
        await process.wait()
    assert "content\n" == (tmp_path / "copy-0" / "deep" / "er" / "file").read_text()
