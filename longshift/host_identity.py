"""The name by which this data directory's host is known to the engine: random, made once, kept for ever.

It is the address of the workspaces that lie here, so a new one would orphan them.
"""

import contextlib
import os
import re
import secrets
from pathlib import Path

from longshift.contracts.errors import BadInput

FILE = "host-id"
PATTERN = r"^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$"


def persisted_host_id(data_dir: Path) -> str:
    """The id in `<data>/host-id`, made at the first call; of several first calls one wins.

    Raises:
        BadInput: it can neither be read nor made, or is damaged.
    """
    path = data_dir / FILE
    try:
        if not path.exists():
            _create(path, secrets.token_hex(4))
        found = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadInput(
            f"data_dir: {data_dir} cannot be used ({error.strerror}); set LONGSHIFT_DATA_DIR to a directory "
            "that can be written"
        ) from error
    if re.fullmatch(PATTERN, found) is None:
        raise BadInput(f"{path}: holds no host id; restore it, or set LONGSHIFT_HOST to the name used before")
    return found


def _create(path: Path, host_id: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{FILE}.{secrets.token_hex(8)}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(host_id + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link fails if the name is taken, and is complete when it is there: nobody reads half an id.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(part)
    finally:
        part.unlink(missing_ok=True)
