"""The file of tokens, `tokens.json` in the data directory: readable by its owner only, written in one piece.

Who reads it for requests looks at every request whether it has changed, so a revoked token is refused at once.
"""

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from longshift.contracts.errors import BadInput, LongshiftError
from longshift.intake.http.tokens import Token, matching

FILE = "tokens.json"
LOCK = "tokens.lock"
VERSION = 1
ONLY_OWNER = 0o600


class TokensUnreadable(LongshiftError):
    """The file is there, but damaged or not readable; until it is mended nobody is let in."""

    kind = "tokens"
    retryable = True


class TokenFile:
    """Reads and changes the file."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE
        self._lock = data_dir / LOCK

    def read(self) -> tuple[Token, ...]:
        """All tokens, expired ones too; none when there is no file.

        Raises:
            TokensUnreadable: the file makes no sense.
        """
        try:
            table: Any = json.loads(self.path.read_text(encoding="utf-8"))
            return tuple(Token.model_validate(each) for each in table["tokens"])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            raise TokensUnreadable(
                f"{self.path}: cannot be read ({type(error).__name__}); restore it, or remove it and add tokens anew"
            ) from None

    def add(self, token: Token) -> None:
        """Keep one more.

        Raises:
            BadInput: its name is taken, or the directory cannot be written.
        """

        def added(known: tuple[Token, ...]) -> tuple[Token, ...]:
            if any(each.name == token.name for each in known):
                raise BadInput(
                    f"NAME: a token is named {token.name!r} already; revoke that one first, or choose another name"
                )
            return (*known, token)

        self._change(added)

    def revoke(self, name: str) -> Token:
        """Remove one; the next request with it is refused.

        Raises:
            BadInput: none has this name.
        """
        found: list[Token] = []

        def removed(known: tuple[Token, ...]) -> tuple[Token, ...]:
            found.extend(each for each in known if each.name == name)
            if not found:
                raise BadInput(f"NAME: no token is named {name!r}; `longshift token list` shows the ones there are")
            return tuple(each for each in known if each.name != name)

        self._change(removed)
        return found[0]

    def _change(self, change: Callable[[tuple[Token, ...]], tuple[Token, ...]]) -> None:
        try:
            with self._locked():
                self._write(change(self.read()))
        except OSError as error:
            raise BadInput(f"{self.path}: cannot be written ({error.strerror}); check the directory") from error

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        """Two commands at once would lose one of their changes."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(self._lock, os.O_RDWR | os.O_CREAT, ONLY_OWNER), "r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, tokens: tuple[Token, ...]) -> None:
        table = {"version": VERSION, "tokens": [token.model_dump(mode="json") for token in tokens]}
        part = self.path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, ONLY_OWNER), "w", encoding="utf-8") as file:
            json.dump(table, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Tokens:
    """The tokens as requests need them: by their text, as fresh as the file."""

    def __init__(self, data_dir: Path) -> None:
        self._file = TokenFile(data_dir)
        self._by_id: dict[str, Token] = {}
        self._seen: tuple[int, ...] | None = None

    async def find(self, text: str) -> Token | None:
        """The token that `text` is; None when it is none, or no longer.

        Raises:
            TokensUnreadable: the file makes no sense.
        """
        known = await asyncio.to_thread(self._fresh)
        return matching(text, known, datetime.now(UTC))

    def _fresh(self) -> dict[str, Token]:
        mark = self._mark()
        if mark is None or mark != self._seen:
            self._by_id = {token.id: token for token in self._file.read()}
            self._seen = mark
        return self._by_id

    def _mark(self) -> tuple[int, ...] | None:
        """What changes with the file: every change is a new file."""
        try:
            about = self._file.path.stat()
        except OSError:
            return None
        return about.st_ino, about.st_mtime_ns, about.st_ctime_ns, about.st_size
