"""`write_file`: whole contents, only where they belong, whole or not at all."""

import errno
import hashlib
import os
import stat
from pathlib import Path

import pytest
from tools_workshop import Workshop

from longshift.adapters.tools.located import failure_of
from longshift.adapters.tools.openers import WalkingOpener
from longshift.adapters.tools.outcome import ToolRefused
from longshift.adapters.tools.paths import Tree
from longshift.adapters.tools.write_file import write_file
from longshift.contracts.errors import DiskFull
from longshift.contracts.tools import ToolStatus, WriteFileArguments


async def test_a_file_and_its_folders_are_created(workshop: Workshop) -> None:
    outcome = await workshop.call("write_file", path="a/b/c.txt", content="one\ntwo\n")
    assert (ToolStatus.OK, "Wrote a/b/c.txt: 2 lines, 8 bytes.") == (outcome.status, outcome.text)
    assert "one\ntwo\n" == (workshop.root / "a/b/c.txt").read_text()
    assert outcome.changes_workspace
    assert "wrote a/b/c.txt" == outcome.summary


async def test_nothing_else_is_left_beside_it(workshop: Workshop) -> None:
    await workshop.call("write_file", path="a.txt", content="x")
    assert ["a.txt"] == os.listdir(workshop.root)


async def test_the_mode_of_an_existing_file_is_kept(workshop: Workshop) -> None:
    file = workshop.write("run.sh", "old")
    file.chmod(0o750)
    await workshop.call("write_file", path="run.sh", content="new")
    assert (0o750, "new") == (stat.S_IMODE(file.stat().st_mode), file.read_text())


async def test_a_link_to_a_file_inside_stays_a_link(workshop: Workshop) -> None:
    file = workshop.write("a/real.txt", "old")
    (workshop.root / "link").symlink_to("a/real.txt")
    outcome = await workshop.call("write_file", path="link", content="new")
    assert "Wrote a/real.txt: 1 line, 3 bytes." == outcome.text
    assert ("new", True) == (file.read_text(), (workshop.root / "link").is_symlink())


async def test_a_repeated_call_takes_over_what_a_crash_has_left(workshop: Workshop) -> None:
    digest = hashlib.sha256(workshop.context(1).run_key.encode()).hexdigest()[:16]
    workshop.write(f".longshift-{digest}.tmp", "ne")
    outcome = await workshop.call("write_file", path="a.txt", content="new", index=1)
    assert "Wrote a.txt: 1 line, 3 bytes." == outcome.text
    assert ["a.txt"] == os.listdir(workshop.root)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("folder", "folder is a folder; give the path of a file."),
        ("folder/", "folder/ is a folder; give the path of a file."),
        ("new/", "new/ names a folder; give the path of a file."),
        (".", ". is a folder; give the path of a file."),
        ("file/x", "file/x uses a file as if it were a folder."),
        ("dangling", "dangling goes through dangling, a symbolic link whose target is missing."),
        ("new/../x", "new/../x has .. beneath a folder that does not exist."),
        (".git/config", ".git/config lies in .git, which file tools do not change; use git through bash."),
        ("sub/.GIT/hooks/pre-commit", "lies in .git"),
        ("innocent/config", "lies in .git"),
        (".git", "lies in .git"),
        ("../x", "leads out of the workspace"),
        ("outward/x", "leads out of the workspace"),
        ("/etc/longshift-test", "is outside of the workspace"),
        ("pipe", "pipe is not an ordinary file."),
    ],
)
async def test_no_place_for_a_file_is_refused(workshop: Workshop, path: str, reason: str) -> None:
    workshop.write("file", "")
    (workshop.root / "folder").mkdir()
    (workshop.root / "real" / ".git").mkdir(parents=True)
    (workshop.root / "innocent").symlink_to("real/.git")
    (workshop.root / "dangling").symlink_to("nowhere")
    (workshop.root / "outward").symlink_to("..")
    os.mkfifo(workshop.root / "pipe")
    before = _everything(workshop.folder)
    outcome = await workshop.call("write_file", path=path, content="x")
    assert ToolStatus.ERROR == outcome.status
    assert reason in outcome.text
    assert before == _everything(workshop.folder)


def _everything(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


async def test_half_a_character_is_refused(workshop: Workshop) -> None:
    outcome = await workshop.call("write_file", path="a.txt", content="ab\ud800")
    assert ToolStatus.ERROR == outcome.status
    assert "at position 2; nothing was written" in outcome.text
    assert [] == os.listdir(workshop.root)


async def test_an_absolute_path_inside_is_fine(workshop: Workshop) -> None:
    outcome = await workshop.call("write_file", path=str(workshop.root / "a.txt"), content="")
    assert "Wrote a.txt: 0 lines, 0 bytes." == outcome.text


def test_a_kernel_without_openat2_is_no_less_safe(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("..")
    tree = Tree(tmp_path, WalkingOpener())
    write_file(WriteFileArguments(path="a/b", content="x"), tree, run_key="key")
    assert "x" == (tmp_path / "a" / "b").read_text()
    with pytest.raises(ToolRefused, match="leads out of the workspace"):
        write_file(WriteFileArguments(path="out/b", content="x"), tree, run_key="key")


async def test_a_name_that_is_too_long_is_an_error_for_the_model(workshop: Workshop) -> None:
    outcome = await workshop.call("write_file", path="x" * 300, content="x")
    assert (ToolStatus.ERROR, True) == (outcome.status, "too long for the file system" in outcome.text)


def test_a_full_disk_is_no_error_of_the_models() -> None:
    assert isinstance(failure_of(OSError(errno.ENOSPC, "no space"), "a.txt"), DiskFull)
    assert isinstance(failure_of(OSError(errno.EDQUOT, "quota"), "a.txt"), ToolRefused)
