"""Looking for secrets that a setup has left in a workspace: in the bytes and names of files, and in what links say.

Nothing is interpreted, and no link is followed. What is compressed or enciphered is not found.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from longshift.contracts.errors import WorkspaceFailed
from longshift.policy.secret_forms import SHORTEST_SECRET, forms

CHUNK_BYTES = 4_000_000
LINE_CHARACTERS = 57
"""A longer form may be broken by a line end; then two pieces of its end are looked for, of which one is whole."""
PIECE_CHARACTERS = 24
_UNBROKEN = re.compile(r"[A-Za-z0-9+/_=-]+")


def refuse_leftovers(folder: Path, secrets: Mapping[str, str]) -> None:
    """Make sure that no file below `folder` holds one of the secrets. Blocks, for about a second per GB and secret.

    Raises:
        WorkspaceFailed: one does, or cannot be read; the message names the secret, the file and the remedy.
    """
    needles = {name: _needles(value) for name, value in secrets.items()}
    for path in _files(folder):
        shown = os.fsencode(path.relative_to(folder)).decode(errors="replace")
        name = _found(path, needles)
        if name is not None:
            raise WorkspaceFailed(
                f"the setup left secret {name} in {shown}: an agent must not find it. Let a setup command remove it "
                "(from a git remote, a configuration file, a cache), or give the program a way to read the variable "
                "that writes nothing"
            )


def _needles(value: str) -> tuple[bytes, ...]:
    found: set[str] = set()
    for form in forms(value):
        if len(form) > LINE_CHARACTERS and _UNBROKEN.fullmatch(form):
            found |= {form[-PIECE_CHARACTERS:], form[-2 * PIECE_CHARACTERS : -PIECE_CHARACTERS]}
        else:
            found.add(form)
    return tuple(each.encode("utf-8", "surrogatepass") for each in found if len(each) >= SHORTEST_SECRET)


def _files(folder: Path) -> Iterator[Path]:
    def failed(error: OSError) -> None:
        raise _unreadable(folder, error)

    for parent, folders, files in os.walk(folder, onerror=failed):
        for name in (*folders, *files):
            yield Path(parent, name)


def _found(path: Path, needles: Mapping[str, tuple[bytes, ...]]) -> str | None:
    mode = path.lstat().st_mode
    said = os.fsencode(path.name)
    if stat.S_ISLNK(mode):
        said += b"\0" + os.fsencode(path.readlink())
    found = _within(said, needles)
    if found is None and stat.S_ISREG(mode):
        found = _in_content(path, needles)
    return found


def _in_content(path: Path, needles: Mapping[str, tuple[bytes, ...]]) -> str | None:
    overlap_bytes = max((len(each) for some in needles.values() for each in some), default=1) - 1
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            carried = b""
            while _skip_hole(file.fileno()) and (chunk := file.read(CHUNK_BYTES)):
                carried += chunk
                found = _within(carried, needles)
                if found is not None:
                    return found
                carried = carried[-overlap_bytes:] if overlap_bytes else b""
    except OSError as error:
        raise _unreadable(path, error) from None
    return None


def _skip_hole(descriptor: int) -> bool:
    """Go on to the next data of a sparse file; False at its end."""
    try:
        os.lseek(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR), os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return False
        if error.errno != errno.EINVAL:  # a file system without holes
            raise
    return True


def _within(data: bytes, needles: Mapping[str, tuple[bytes, ...]]) -> str | None:
    return next((name for name, some in needles.items() if any(each in data for each in some)), None)


def _unreadable(path: Path, error: OSError) -> WorkspaceFailed:
    named = error.filename or path
    return WorkspaceFailed(
        f"whether the setup left a secret in {named} cannot be seen ({error.strerror}): let a setup command remove it "
        "or make it readable"
    )
