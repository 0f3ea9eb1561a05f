"""Reads the body of a successful response, whatever form it has: an event stream, one JSON message, or neither.

Sans-I/O: bytes in, an `Assembly` out. The form is told by the first byte, as content types are often wrong.
"""

from collections.abc import Callable

from longshift.adapters.model.assembly import Assembly
from longshift.adapters.model.stream import EventParser, ServerEvent
from longshift.contracts.errors import ProviderError, ProviderFailure

ANSWER_LIMIT_BYTES = 64_000_000
"""No answer is that long; what is, is a fault, and must not fill the memory."""


class AnswerReader:
    """Takes the bytes of a response in pieces of any size."""

    def __init__(self, reject: Callable[[bytes], ProviderError]) -> None:
        self.assembly = Assembly(reject)
        self._reject = reject
        self._parser = EventParser()
        self._document: bytearray | None = None
        """Collects a body that is no event stream."""
        self._is_told = False
        self._size_bytes = 0

    def feed(self, chunk: bytes) -> bool:
        """Take a piece; returns whether it brought the answer forward, which pings and comments do not.

        Raises:
            ProviderError: The stream reports an error, cannot be read, or never ends.
        """
        self._size_bytes += len(chunk)
        if self._size_bytes > ANSWER_LIMIT_BYTES:
            raise ProviderError(ProviderFailure.SERVER, f"the answer is longer than {ANSWER_LIMIT_BYTES:,} bytes")
        if not self._is_told and (start := chunk.removeprefix(b"\xef\xbb\xbf").lstrip()):
            self._is_told = True
            if start[:1] in (b"{", b"[", b"<"):
                self._document = bytearray()
        if self._document is not None:
            self._document += chunk
            return True
        forward = [self.assembly.take(event) for event in self._parser.feed(chunk)]
        return any(forward)

    def finish(self) -> None:
        """The response has ended.

        Raises:
            ProviderError: What came at the end is an error, or makes no sense.
        """
        if self._document is None:
            for event in self._parser.finish():
                self.assembly.take(event)
            return
        body = bytes(self._document)
        # A page is a gateway's word for an outage; a cut document is an answer that was not finished.
        if body.lstrip().startswith(b"<"):
            raise self._reject(body)
        self.assembly.take(ServerEvent("", body))
        if not self.assembly.complete:
            raise self._reject(body)
