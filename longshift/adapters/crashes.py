"""What a worker was in the middle of when it crashed, and how often: so that one task cannot take all others along.

Whatever could crash the process is done under a mark, a small file that goes when it ends, well or badly. Marks that a
dead process has left say what it was doing. Several things are being done at any moment, and only one of them is to
blame; so what was there at two crashes is done one at a time from then on. The culprit is the one that is there at the
third: it is refused, with the evidence. Whatever ends well is innocent again.

Following a command that runs under its supervisor is no risk: it rests meanwhile.
"""

import asyncio
import itertools
import json
import os
import time
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from longshift.adapters.process.process_identity import ProcessIdentity
from longshift.adapters.process.process_table import process_stat
from longshift.contracts.errors import Poisoned

SUSPECT_AFTER = 2
"""Crashes after which something is done alone among its like."""
EVIDENCE_KEPT = 10


@dataclass
class _Doing:
    """One thing that is being done."""

    file: Path
    body: bytes
    alone: asyncio.Lock | None
    """Held by a suspect."""

    async def begin(self) -> None:
        if self.alone is not None:
            await self.alone.acquire()
        self.file.write_bytes(self.body)

    def end(self) -> None:
        self.file.unlink(missing_ok=True)
        if self.alone is not None:
            self.alone.release()


_doing: ContextVar[_Doing | None] = ContextVar("doing", default=None)


@dataclass
class CrashJournal:
    """The marks and the counts in one folder; processes of one host share it."""

    folder: Path
    limit: int = 3
    """Crashes at which something is refused."""
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    _counts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def open(self) -> dict[str, list[str]]:
        """Count what dead processes were in the middle of; what is suspected now, with its evidence."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._counts = self._read()
        for file in sorted(self.folder.glob("*.mark")):
            pid, starttime = (int(part) for part in file.name.split("~")[:2])
            if ProcessIdentity(pid, starttime).is_alive():
                continue
            told = _load(file)
            if told is not None:
                when = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(file.stat().st_mtime))
                evidence = self._counts.setdefault(told["key"], [])
                evidence.append(f"{when}: worker {pid} died during {told['what']}")
                del evidence[:-EVIDENCE_KEPT]
            file.unlink(missing_ok=True)
        self._write()
        return dict(self._counts)

    @asynccontextmanager
    async def doing(self, key: str, what: str) -> AsyncGenerator[None]:
        """Do something that could crash this process; `key` names it over attempts, `what` is for people.

        Raises:
            Poisoned: it was there at too many crashes. Who asks again after this is allowed one more try.
        """
        evidence = self._counts.get(key, [])
        if len(evidence) >= self.limit:
            self._counts[key] = evidence[-(self.limit - 1) :]
            self._write()
            raise Poisoned(f"{what} crashed its worker {len(evidence)} times: {'; '.join(evidence)}")
        alone = self._alone if len(evidence) >= SUSPECT_AFTER else None
        doing = _Doing(self._file(), orjson.dumps({"key": key, "what": what}), alone)
        await doing.begin()
        token = _doing.set(doing)
        try:
            yield
        finally:
            _doing.reset(token)
            doing.end()
        if self._counts.pop(key, None) is not None:
            self._write()

    def _file(self) -> Path:
        return self.folder / f"{self._own}~{next(self._numbers)}.mark"

    @cached_property
    def _own(self) -> str:
        """How the names of this journal's marks begin: the process, and what tells its journals apart."""
        pid = os.getpid()
        stat = process_stat(pid)
        return f"{pid}~{stat[1] if stat else 0}~{uuid.uuid4().hex}"

    @property
    def _counts_file(self) -> Path:
        return self.folder / "crashes.json"

    def _read(self) -> dict[str, list[str]]:
        return _load(self._counts_file) or {}

    def _write(self) -> None:
        part = self._counts_file.with_suffix(".part")
        part.write_text(json.dumps(self._counts))
        part.replace(self._counts_file)


@asynccontextmanager
async def at_rest() -> AsyncGenerator[None]:
    """While the block runs, what is being done could not crash this process."""
    doing = _doing.get()
    if doing is None:
        yield
        return
    doing.end()
    try:
        yield
    finally:
        await doing.begin()


def _load(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
