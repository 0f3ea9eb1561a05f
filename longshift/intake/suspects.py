"""Messages that were delivered too often: who among them ends the process, and who merely met our own outages.

A broker counts deliveries, and an engine that is down for an hour makes many of each message. So beyond the limit each
try is noted in a file before it begins, and the note goes with its outcome, whatever that is. What is left behind
counts: those tries ended with the process.
"""

import asyncio
import hashlib
from pathlib import Path


class Suspects:
    """Tries without an outcome, by message."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def begin(self, source: str, message_id: str) -> int:
        """Note a try; gives how many before it had no outcome."""
        return await asyncio.to_thread(self._begin, self._file(source, message_id))

    async def end(self, source: str, message_id: str) -> None:
        """The message has an outcome."""
        await asyncio.to_thread(self._file(source, message_id).unlink, missing_ok=True)

    def _file(self, source: str, message_id: str) -> Path:
        return self._folder / hashlib.sha256(f"{source}\0{message_id}".encode("utf-8", "surrogatepass")).hexdigest()

    def _begin(self, file: Path) -> int:
        """One byte for each try: appending needs no reading, and is whole or not there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as notes:
            before = notes.tell()
            notes.write(b".")
        return before
