"""One place where a secret is: a variable of this process, a file, or what a command prints. Nothing is kept here."""

import os
import shlex
import signal
import stat
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from longshift.contracts.errors import BadInput

LIMIT_BYTES = 65_536
COMMAND_SECONDS = 10.0
NOT_THE_OWNER = stat.S_IROTH | stat.S_IWOTH


class Place(StrEnum):
    """What kind of place it is."""

    ENV = "env"
    FILE = "file"
    COMMAND = "command"


@dataclass(frozen=True)
class SecretReference:
    """A secret that is somewhere else."""

    place: Place
    target: tuple[str, ...]
    """The variable, the path, or the command with its arguments."""

    @classmethod
    def parse(cls, text: str) -> "SecretReference | None":
        """`env:NAME`, `file:/path` or `command:program argument …`; None for text that is none of them.

        Raises: BadInput, for one that names nothing.
        """
        place, colon, target = text.strip().partition(":")
        if not colon or place not in list(Place):
            return None
        return cls.of(Place(place), target)

    @classmethod
    def of(cls, place: Place, target: str | tuple[str, ...]) -> "SecretReference":
        """A reference in parts. A command in one piece is cut as a shell would, but no shell runs it.

        Raises: BadInput.
        """
        if isinstance(target, str) and place is Place.COMMAND:
            try:
                target = tuple(shlex.split(target))
            except ValueError as error:
                raise BadInput(f"command: {error}; mend the quotes, or give a list") from None
        parts = (target.strip(),) if isinstance(target, str) else target
        if not parts or not parts[0] or any("\0" in part for part in parts):
            raise BadInput(f"{place.value}: names nothing; write env:NAME, file:/path or command:program argument")
        if place is Place.FILE and not Path(parts[0]).expanduser().is_absolute():
            raise BadInput(f"file: {parts[0]} is not an absolute path; write the whole path")
        return cls(place, parts)

    def __str__(self) -> str:
        """What it is called in messages: without a command's arguments, which may tell too much."""
        return f"{self.place.value}:{self.target[0]}{' …' if len(self.target) > 1 else ''}"

    @property
    def path(self) -> Path | None:
        """The file, where it is one."""
        return Path(self.target[0]).expanduser() if self.place is Place.FILE else None

    def resolve(self, environment: Mapping[str, str] = os.environ, *, command_seconds: float = COMMAND_SECONDS) -> str:
        """The value, without line ends behind it. Blocks, for a command as long as it may take.

        Raises: BadInput, which names the reference and the remedy and never the value.
        """
        match self.place:
            case Place.ENV:
                raw = environment.get(self.target[0], "")
            case Place.FILE:
                raw = self._text(self._file())
            case Place.COMMAND:
                raw = self._text(self._printed(environment, command_seconds))
        value = raw.rstrip("\r\n")
        if not value.strip():
            raise BadInput(f"{self} is {'not set' if self.place is Place.ENV else 'empty'}; give it a value")
        return value

    def _file(self) -> bytes:
        path = Path(self.target[0]).expanduser()
        try:
            with open(path, "rb", opener=_without_waiting) as file:  # a path's own takes no opener
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise BadInput(f"{self} is no regular file; name one")
                return file.read(LIMIT_BYTES + 1)
        except OSError as error:
            raise BadInput(f"{self} cannot be read ({error.strerror}); mend the path or its permissions") from None

    def _printed(self, environment: Mapping[str, str], command_seconds: float) -> bytes:
        try:
            process = subprocess.Popen(
                self.target,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # it may quote what it read
                env=dict(environment),
                start_new_session=True,
            )
        except OSError as error:
            raise BadInput(f"{self} cannot be run ({error.strerror}); mend the command") from None
        late = threading.Event()

        def end() -> None:
            late.set()
            os.killpg(process.pid, signal.SIGKILL)

        alarm = threading.Timer(command_seconds, end)
        alarm.start()
        with process:
            assert process.stdout is not None
            body = process.stdout.read(LIMIT_BYTES + 1)
            if len(body) > LIMIT_BYTES:
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            alarm.cancel()
        if late.is_set():
            raise BadInput(f"{self} took longer than {command_seconds:g} seconds; run it by hand to see why")
        if code != 0 and len(body) <= LIMIT_BYTES:
            raise BadInput(f"{self} failed with exit code {code}; run it by hand to see why")
        return body

    def _text(self, body: bytes) -> str:
        if len(body) > LIMIT_BYTES:
            raise BadInput(f"{self} gives more than {LIMIT_BYTES} bytes; a secret is shorter")
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise BadInput(f"{self} is no text in UTF-8; encode it, for example in base64") from None
        if "\0" in text:
            raise BadInput(f"{self} holds a NUL byte; encode it, for example in base64")
        return text


def readable_by_others(path: Path) -> bool:
    """Whether users of this machine who are neither owner nor in the group may read or write a file."""
    try:
        return bool(path.stat().st_mode & NOT_THE_OWNER)
    except OSError:
        return False


def _without_waiting(path: str, flags: int) -> int:
    """A named pipe is opened at once, so that it can be refused."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
