"""Where an HTTP/1.1 response ends, from its bytes alone (RFC 9112, section 6.3).

The HTTP library reads a piece, parses it, and reads the next: the time it parses would be in the latency of every
response that comes in more than one piece. So the stream reads on by itself as long as more is certain to come.
Where that is not certain the library decides, which costs some microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d\d\d)")
_HEAD_END = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r?\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\ntransfer-encoding:[ \t]*chunked[ \t]*\r?\n", re.IGNORECASE)
_ANY_FRAMING = re.compile(rb"\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
_CHUNK_LINE = re.compile(rb"([0-9a-fA-F]{1,12})[ \t]*(?:;[^\r\n]*)?\r\n")
_LONGEST_LINE = 1024
_LONGEST_TRAILER = 65536


class ResponseEnd:
    """Fed with the bytes of one response as they come; ``more`` is whether some are certainly missing."""

    __slots__ = ("_bodiless", "_limit", "_missing", "_state", "_unparsed", "more", "overlong")

    def __init__(self, *, head_request: bool, limit: int) -> None:
        """``limit``: a body announced longer is not read ahead, so that it can be rejected."""
        self._bodiless = head_request
        self._limit = limit
        self._unparsed = b""  # not parsed yet
        self._missing = 0  # bytes of the body, or of the current chunk
        self._state: Callable[[bytes], None] = self._in_head
        self.more = False  # bytes are certainly missing
        self.overlong = False  # bytes came after the end of the response

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; returns ``more``."""
        self._state(data)
        return self.more

    def _in_head(self, data: bytes) -> None:
        data = self._unparsed + data
        status, end = _STATUS_LINE.match(data), _HEAD_END.search(data)
        if status is None or end is None or status[1] == b"101":
            self._give_up()  # garbage, a head in pieces, another protocol
        elif status[1].startswith(b"1"):  # an interim response: the real one follows
            self._unparsed, self.more = b"", True
            if rest := data[end.end() :]:
                self._in_head(rest)
        else:
            self._bodiless = self._bodiless or status[1] in {b"204", b"304"}
            self._enter_body(data[: end.start() + 1], data[end.end() :])

    def _enter_body(self, head: bytes, rest: bytes) -> None:
        lengths = _LENGTH.findall(head)
        framings = len(_ANY_FRAMING.findall(head))
        if self._bodiless:
            self._state = self._in_length
        elif framings == 0:
            self._state = self._until_close
        elif framings == 1 and lengths and int(lengths[0]) <= self._limit:
            self._missing, self._state = int(lengths[0]), self._in_length
        elif framings == 1 and _CHUNKED.search(head):
            self._state = self._in_chunks
        else:
            self._state = self._unknown
        self._state(rest)

    def _in_length(self, data: bytes) -> None:
        self._missing -= len(data)
        self.more, self.overlong = self._missing > 0, self._missing < 0

    def _in_chunks(self, data: bytes) -> None:
        data, self._unparsed = self._unparsed + data, b""
        at, self.more = 0, True
        while self._missing < len(data) - at:
            at += self._missing
            self._missing = 0
            line = _CHUNK_LINE.match(data, at)
            if line is None:
                self._unparsed = data[at:]
                if b"\n" in self._unparsed or len(self._unparsed) > _LONGEST_LINE:
                    self._give_up()
                return
            at, size = line.end(), int(line[1], 16)
            if size == 0:
                self._state = self._in_trailer
                self._in_trailer(data[at - len(b"\r\n") :])
                return
            self._missing = size + len(b"\r\n")
        self._missing -= len(data) - at

    def _in_trailer(self, data: bytes) -> None:
        """The end of the line of the last chunk, header lines (usually none), and an empty line."""
        self._unparsed += data
        end = self._unparsed.find(b"\r\n\r\n")
        self.more, self.overlong = end < 0, 0 <= end < len(self._unparsed) - len(b"\r\n\r\n")
        if len(self._unparsed) > _LONGEST_TRAILER and self.more:
            self._give_up()

    def _until_close(self, _data: bytes) -> None:
        self.more = True

    def _unknown(self, _data: bytes) -> None:
        self.more = False

    def _give_up(self) -> None:
        self._state, self.more = self._unknown, False
