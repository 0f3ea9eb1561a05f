"""Reading archives: which members a tar or zip file has. What may be written where is decided in `unpacking.py`."""

import datetime
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from longshift.adapters.workspace.quota import Quota, in_thread
from longshift.adapters.workspace.unpacking import Unpacking
from longshift.contracts.errors import BadInput
from longshift.contracts.task import WorkspaceSource

CHUNK_BYTES = 1_048_576
LINK_LIMIT_BYTES = 4_096
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError)


async def unpack_archive(source: WorkspaceSource, into: Path) -> None:
    """Unpack `source.archive` to `into`; a single folder at its top is stripped.

    Raises:
        BadInput: it is missing, damaged, too large, or has a member that leads outside or is not a file.
    """
    path = _path(source.archive or "")
    if not path.is_file():
        raise BadInput(f"workspace.archive: {path} is not a file on this host; give an existing archive")
    quota = Quota("archive", source.max_bytes)
    await in_thread(lambda: _unpack(path, into, quota), quota)


def _path(address: str) -> Path:
    parts = urlsplit(address)
    path = Path(unquote(parts.path)) if parts.scheme == "file" and parts.netloc in ("", "localhost") else Path(address)
    if not path.is_absolute():
        raise BadInput(f"workspace.archive: {address!r} is not an absolute path; give one, or a file: URL")
    return path


def _unpack(path: Path, into: Path, quota: Quota) -> None:
    raw = into.with_name(f"{into.name}.raw")
    raw.mkdir(parents=True)
    unpacking = Unpacking(raw, path, quota)
    with _damage_named(path):
        if path.name.lower().endswith(".zip"):
            _unpack_zip(unpacking)
        else:
            _unpack_tar(unpacking)
    unpacking.make_links()
    entries = list(raw.iterdir())
    root = entries[0] if len(entries) == 1 and entries[0].is_dir() and not entries[0].is_symlink() else raw
    root.rename(into)
    if root is not raw:
        raw.rmdir()
    unpacking.refuse_links_outside(into, root.relative_to(raw).as_posix())


@contextmanager
def _damage_named(path: Path) -> Generator[None]:
    try:
        yield
    except (*_DAMAGE, NotImplementedError) as error:
        raise BadInput(
            f"workspace.archive: {path} cannot be read ({error}); "
            "give an undamaged .tar, .tar.gz, .tar.xz, .tar.bz2 or .zip without a password"
        ) from error


def _unpack_tar(unpacking: Unpacking) -> None:
    with tarfile.open(unpacking.archive, "r:*") as archive:
        for member in archive:
            if member.isdir():
                unpacking.folder(member.name)
            elif member.isreg():
                content = archive.extractfile(member)
                assert content is not None
                with content:
                    unpacking.file(member.name, content, mode=member.mode, mtime=member.mtime)
            elif member.issym():
                unpacking.link(member.name, member.linkname)
            elif member.islnk():
                unpacking.hard_link(member.name, member.linkname)
            else:
                raise unpacking.refusal(member.name, "is a device or a pipe")
        # The checksum stands behind the last member, where nobody has read yet.
        while rest := archive.fileobj.read(CHUNK_BYTES):
            unpacking.quota.take(len(rest))


def _unpack_zip(unpacking: Unpacking) -> None:
    with zipfile.ZipFile(unpacking.archive) as archive:
        for member in archive.infolist():
            if member.flag_bits & 0x1:
                raise unpacking.refusal(member.filename, "is encrypted")
            mode = member.external_attr >> 16
            kind = stat.S_IFMT(mode)
            if member.is_dir():
                unpacking.folder(member.filename)
            elif kind == stat.S_IFLNK:
                with archive.open(member) as content:
                    target = content.read(LINK_LIMIT_BYTES)
                unpacking.link(member.filename, os.fsdecode(target))
            elif kind in (0, stat.S_IFREG):
                with archive.open(member) as content:
                    mtime = _zip_time(member)
                    unpacking.file(member.filename, content, mode=stat.S_IMODE(mode) or 0o644, mtime=mtime)
            else:
                raise unpacking.refusal(member.filename, "is a device or a pipe")


def _zip_time(member: zipfile.ZipInfo) -> float | None:
    """The member's time, read as UTC because a zip file names no time zone."""
    try:
        return datetime.datetime(*member.date_time, tzinfo=datetime.UTC).timestamp()
    except ValueError:
        return None
