"""Reads what a run has put out, as text for a model: head and tail, harmless to show. Files stay as they are."""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

from longshift.adapters.process.kept_output import HEAD, TAIL, TAIL_HEADER
from longshift.adapters.process.run_state import RunOutput

TAIL_TEXT = "output-tail.txt"
"""The end of output that outgrew the cap, in order, once the run is over."""

_LONGEST_CHARACTER_BYTES = 4
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, erase
    r"|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # OSC (titles, links, clipboard), DCS, SOS, PM, APC
    r"|[ -/]*[0-~])"  # everything shorter
)
_PICTURES = {
    **{code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"},
    0x7F: 0x2421,
    **dict.fromkeys([*range(0x80, 0xA0), *range(0xDC80, 0xDD00)], 0xFFFD),
}


def harmless(text: str) -> str:
    """Without terminal escapes; other control characters as pictures (`␀`), undecodable bytes as `�`."""
    return _ESCAPES.sub("", text.replace("\r\n", "\n")).replace("\r", "\n").translate(_PICTURES)


class OutputReader:
    """The output files of one run directory; safe to use while the run goes on."""

    def __init__(self, directory: Path, clean: Callable[[str], str] = str) -> None:
        """`clean` takes out what must not be shown, before anything is cut."""
        self._clean = clean
        self.path = directory / HEAD
        self._ring_path = directory / TAIL
        self._tail_text_path = directory / TAIL_TEXT

    def total_bytes(self) -> int:
        """What was put out and kept, or kept for a while, so far."""
        return self._head_bytes() + self._ring_header()[1]

    def read(self, limit_characters: int, *, is_over: bool, total_bytes: int | None = None) -> RunOutput:
        """The text, cut to head and tail when it is longer than the limit; `total_bytes` when the run knows better."""
        head_bytes = self._head_bytes()
        ring = self._ring()
        total_bytes = max(total_bytes or 0, head_bytes + self._ring_header()[1])
        if total_bytes == head_bytes and total_bytes <= limit_characters * _LONGEST_CHARACTER_BYTES:
            text = _decode(self._slice(0, head_bytes))
            if len(text) <= limit_characters:
                return RunOutput(harmless(self._clean(text)), total_bytes, 0, self.path)
        half = limit_characters // 2
        span_bytes = half * _LONGEST_CHARACTER_BYTES
        first_span = _decode(self._slice(0, span_bytes))
        first = first_span[:half]
        shown_bytes = len(_encode(first))
        # The end lies in the ring, preceded by the head only where the two join without a gap.
        end = ring[-span_bytes:] if span_bytes else b""
        if len(end) < span_bytes and head_bytes + len(ring) == total_bytes:
            start = max(shown_bytes, head_bytes - (span_bytes - len(end)))
            end = self._slice(start, head_bytes - start) + end
        last_span = _decode(_from_character(end))
        last = last_span[-half:] if half else ""
        omitted_bytes = total_bytes - shown_bytes - len(_encode(last))
        notice = f"[… {omitted_bytes} bytes omitted; {self._where(head_bytes, total_bytes, ring, is_over)}]"
        if omitted_bytes:
            first, last = self._clean(first_span)[:half], self._clean(last_span)[-half:] if half else ""
            text = f"{harmless(first)}\n{notice}\n{harmless(last)}"
        else:
            text = harmless(self._clean(first + last))
        return RunOutput(text, total_bytes, omitted_bytes, self.path)

    def remove(self) -> None:
        """Remove all output."""
        for path in (self.path, self._ring_path, self._tail_text_path):
            path.unlink(missing_ok=True)

    def _where(self, head_bytes: int, total_bytes: int, ring: bytes, is_over: bool) -> str:
        if head_bytes == total_bytes:
            return f"whole output: {self.path}"
        first = f"the first {head_bytes} bytes: {self.path}"
        if not ring or not is_over or not self._write_tail_text(ring):
            return f"not kept whole; {first}"
        return f"not kept whole; {first}; the last {len(ring)} bytes: {self._tail_text_path}"

    def _write_tail_text(self, ring: bytes) -> bool:
        if self._tail_text_path.exists():
            return True
        part = self._tail_text_path.with_suffix(f".{os.getpid()}")
        try:
            part.write_bytes(ring)
            part.rename(self._tail_text_path)
        except OSError as error:
            part.unlink(missing_ok=True)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            return False
        return True

    def _head_bytes(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def _slice(self, start: int, size: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                return file.read(size)
        except FileNotFoundError:
            return b""

    def _ring_header(self) -> tuple[int, int]:
        try:
            with self._ring_path.open("rb") as file:
                header = file.read(TAIL_HEADER.size)
        except FileNotFoundError:
            return 0, 0
        return TAIL_HEADER.unpack(header) if len(header) == TAIL_HEADER.size else (0, 0)

    def _ring(self) -> bytes:
        """The ring in order. Read while the run goes on, its oldest part may be newer than it seems."""
        size, written = self._ring_header()
        if written == 0:
            return b""
        try:
            data = self._ring_path.read_bytes()[TAIL_HEADER.size :]
        except FileNotFoundError:
            return b""
        return data[:written] if written <= size else data[written % size : size] + data[: written % size]


def _decode(data: bytes) -> str:
    return data.decode("utf-8", errors="surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogateescape")


def _from_character(data: bytes) -> bytes:
    """Without the rest of a character that was cut at the front."""
    start = 0
    while start < min(len(data), _LONGEST_CHARACTER_BYTES - 1) and data[start] & 0xC0 == 0x80:
        start += 1
    return data[start:]
