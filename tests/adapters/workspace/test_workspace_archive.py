"""Archives are unpacked whole or refused, and never outside their folder."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from longshift.adapters.workspace.sources import fetch
from longshift.contracts.errors import BadInput
from longshift.contracts.task import WorkspaceSource

Member = tuple[tarfile.TarInfo, bytes]


def file(name: str, content: bytes = b"x", mode: int = 0o644) -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), mode, 1_700_000_000
    return info, content


def special(name: str, kind: bytes, target: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, 0o755
    return info, b""


def tar(path: Path, *members: Member) -> Path:
    mode = {"gz": "w:gz", "xz": "w:xz", "bz2": "w:bz2"}.get(path.suffix.removeprefix("."), "w:")
    with tarfile.open(path, mode) as archive:  # pyright: ignore[reportCallIssue, reportArgumentType, reportUnknownVariableType] # the mode is computed
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))  # pyright: ignore[reportUnknownMemberType] # as above
    return path


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder / "tree"


def files(tree: Path) -> dict[str, bytes]:
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.xz", "tar.bz2"])
async def test_tar_is_unpacked_and_its_single_top_folder_stripped(tmp_path: Path, into: Path, suffix: str) -> None:
    path = tar(tmp_path / f"a.{suffix}", file("top/a.txt"), file("top/.b/run.sh", b"#!", 0o4755))
    await fetch(WorkspaceSource(archive=str(path)), into)
    assert {"a.txt": b"x", ".b/run.sh": b"#!"} == files(into)
    assert 0o755 == (into / ".b" / "run.sh").stat().st_mode & 0o7777
    assert [into] == list(into.parent.iterdir())


async def test_several_entries_at_the_top_stay_as_they_are(tmp_path: Path, into: Path) -> None:
    path = tar(tmp_path / "a.tar", file("./one/a"), file("two"))
    await fetch(WorkspaceSource(archive=path.as_uri()), into)
    assert {"one/a": b"x", "two": b"x"} == files(into)


async def test_later_member_replaces_an_earlier_one(tmp_path: Path, into: Path) -> None:
    path = tar(tmp_path / "a.tar", file("a", b"old"), file("b"), file("a", b"new"))
    await fetch(WorkspaceSource(archive=str(path)), into)
    assert {"a": b"new", "b": b"x"} == files(into)


async def test_links_inside_are_kept(tmp_path: Path, into: Path) -> None:
    members = (file("t/d/a"), special("t/d/l", tarfile.SYMTYPE, "../d/a"), special("t/h", tarfile.LNKTYPE, "t/d/a"))
    await fetch(WorkspaceSource(archive=str(tar(tmp_path / "a.tar", *members))), into)
    assert "../d/a" == os.readlink(into / "d" / "l")
    assert b"x" == (into / "h").read_bytes()
    assert (into / "h").stat().st_ino != (into / "d" / "a").stat().st_ino


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ((file("/etc/x"),), "absolute"),
        ((file("a/../../x"),), "leads outside"),
        ((special("l", tarfile.SYMTYPE, "/etc/passwd"), file("x")), "outside"),
        ((special("l", tarfile.SYMTYPE, "../../etc"), file("x")), "outside"),
        ((file("t/x"), special("t/l", tarfile.SYMTYPE, "../y")), "outside"),
        ((special("l", tarfile.SYMTYPE, "d"), file("l/x"), file("d/y")), "is a link and something else"),
        ((special("d/l", tarfile.SYMTYPE, "."), special("d/l/m", tarfile.SYMTYPE, "x"), file("y")), "below a link"),
        (
            (
                file("a/b/c/f"),
                special("s", tarfile.SYMTYPE, "a/b/c"),
                special("l", tarfile.SYMTYPE, "s/../../../.."),
            ),
            "outside",
        ),
        ((special("h", tarfile.LNKTYPE, "../../etc/passwd"),), "leads outside"),
        ((special("h", tarfile.LNKTYPE, "missing"),), "does not hold"),
        ((special("d", tarfile.CHRTYPE),), "device"),
        ((special("p", tarfile.FIFOTYPE),), "device or a pipe"),
        ((file("a"), file("a/b")), "below a file"),
        ((file("a/b"), file("a")), "a file and a folder"),
    ],
)
async def test_members_that_lead_outside_are_refused(
    tmp_path: Path, into: Path, members: tuple[Member, ...], why: str
) -> None:
    path = tar(tmp_path / "a.tar", *members)
    with pytest.raises(BadInput, match=f"workspace.archive: .*{why}"):
        await fetch(WorkspaceSource(archive=str(path)), into)
    assert [] == list(into.parent.iterdir())


async def test_a_bomb_is_stopped_by_its_real_size(tmp_path: Path, into: Path) -> None:
    path = tar(tmp_path / "a.tar.gz", file("zeros", b"\0" * 5_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(BadInput, match=r"workspace\.max_bytes"):
        await fetch(WorkspaceSource(archive=str(path), max_bytes=1_000_000), into)
    assert [] == list(into.parent.iterdir())


async def test_zip_is_unpacked_with_modes_and_links(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/plain.txt", "x")
        for name, mode, content in (("top/run.sh", 0o100755, "#!"), ("top/link", 0o120777, "plain.txt")):
            info = zipfile.ZipInfo(name, (2020, 1, 2, 3, 4, 6))
            info.external_attr = mode << 16
            archive.writestr(info, content)
        archive.mkdir("top/empty")
    await fetch(WorkspaceSource(archive=str(path)), into)
    assert ("plain.txt", "x") == (os.readlink(into / "link"), (into / "link").read_text())
    assert os.access(into / "run.sh", os.X_OK)
    assert (into / "empty").is_dir()


@pytest.mark.parametrize(
    ("name", "mode", "content", "why"),
    [
        ("../x", 0o100644, "x", "leads outside"),
        ("/x", 0o100644, "x", "absolute"),
        ("l", 0o120777, "/etc/passwd", "outside"),
        ("p", 0o010644, "", "device or a pipe"),
    ],
)
async def test_zip_members_that_lead_outside_are_refused(
    tmp_path: Path, into: Path, name: str, mode: int, content: str, why: str
) -> None:
    path = tmp_path / "a.zip"
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, content)
        archive.writestr("other", "x")
    with pytest.raises(BadInput, match=f"workspace.archive: .*{why}"):
        await fetch(WorkspaceSource(archive=str(path)), into)
    assert [] == list(into.parent.iterdir())


def damaged(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(256 - byte & 0xFF for byte in data[middle : middle + 40]) + data[middle + 40 :]


def halved(data: bytes) -> bytes:
    return data[: len(data) // 2]


def replaced(data: bytes) -> bytes:
    return b"no archive at all" * (len(data) > 0)


@pytest.mark.parametrize("spoil", [damaged, halved, replaced])
@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar.xz", "a.tar.bz2", "a.zip"])
async def test_damaged_archives_are_refused(
    tmp_path: Path, into: Path, name: str, spoil: Callable[[bytes], bytes]
) -> None:
    path, content = tmp_path / name, os.urandom(40_000)
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", content)
    else:
        tar(path, file("a", content), file("b", content))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BadInput, match=r"workspace.archive: .* cannot be read"):
        await fetch(WorkspaceSource(archive=str(path)), into)
    assert [] == list(into.parent.iterdir())
