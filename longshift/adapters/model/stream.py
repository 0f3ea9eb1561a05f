"""A sans-I/O parser of server-sent events: bytes in, events out, however the bytes are cut.

It follows the WHATWG rules (comments, CR, LF and CRLF, several data lines, a byte-order mark) except that an event
which the end of the stream leaves without its blank line is still handed out: whether it is whole shows in its JSON.
What the events mean is in `assembly.py`.
"""

from dataclasses import dataclass

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event as dispatched."""

    name: str
    """Empty where no `event:` line came."""
    data: bytes


class EventParser:
    """Turns chunks of any size into events; each byte is looked at a constant number of times."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[bytes] = []
        self._name = ""
        self._at_start = True
        self._after_carriage_return = False

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that `chunk` completes."""
        if self._after_carriage_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_carriage_return = False
        if not chunk:
            return []
        self._after_carriage_return = chunk.endswith(b"\r")
        first, *others = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._line += first
        events: list[ServerEvent] = []
        for part in others:
            self._take_line(events)
            self._line += part
        return events

    def finish(self) -> list[ServerEvent]:
        """The event that the end of the stream cut off before its blank line, if there is one."""
        events: list[ServerEvent] = []
        if self._line:
            self._take_line(events)
        self._take_line(events)
        return events

    def _take_line(self, events: list[ServerEvent]) -> None:
        line = bytes(self._line)
        self._line.clear()
        if self._at_start:
            line = line.removeprefix(_BYTE_ORDER_MARK)
            self._at_start = False
        if not line:
            if self._data:
                events.append(ServerEvent(self._name, b"\n".join(self._data)))
            self._data = []
            self._name = ""
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
