"""What an edit was about to do, written down before it is done: a repeated call then knows whether it happened.

Without it the second attempt of an edit that had succeeded would say that the old text is not there.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

_FOLDER: Final = ".edits"


@dataclass(frozen=True)
class EditRecord:
    """One edit, as decided from the file's content before it."""

    path: str
    before: str
    """SHA-256 of the content before."""
    after: str
    text: str
    """The result for the model, the same for every attempt."""

    @classmethod
    def load(cls, outputs_root: Path, run_key: str) -> "EditRecord | None":
        """The record of an earlier attempt at the same call."""
        try:
            values = json.loads(_file(outputs_root, run_key).read_bytes())
        except FileNotFoundError:
            return None
        return cls(**{name: values[name] for name in cls.__dataclass_fields__})

    def keep(self, outputs_root: Path, run_key: str) -> None:
        """Write the record durably; a record of an earlier attempt is replaced."""
        file = _file(outputs_root, run_key)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        with part.open("wb") as opened:
            opened.write(json.dumps(asdict(self)).encode())
            opened.flush()
            os.fsync(opened.fileno())
        part.rename(file)
        descriptor = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def forget_edits(outputs_root: Path, prefix: str) -> None:
    """Remove the records of all calls whose run keys lie below `prefix`, such as a task's id."""
    shutil.rmtree(outputs_root / _FOLDER / prefix.strip("/"), ignore_errors=True)


def content_hash(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def _file(outputs_root: Path, run_key: str) -> Path:
    return outputs_root / _FOLDER / f"{run_key}.json"
