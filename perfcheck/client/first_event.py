"""The first event of a stream of server-sent events (WHATWG HTML, section 9.2.6), found as its bytes arrive."""

from __future__ import annotations

import importlib.util
import re
import zlib
from collections.abc import Callable, Sequence

EVENT_STREAM = "text/event-stream"
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BEGINNING = len(_BYTE_ORDER_MARK + b"data:")  # of a line: what it takes to know its field


class FirstEvent:
    """Called with each piece of the body: whether an event is complete by now.

    An event has at least one line ``data`` and ends with a blank line; comments, and fields without data, are none.
    """

    def __init__(self, codings: Sequence[str]) -> None:
        self._decode: list[Callable[[bytes], bytes]] = [_decoder(coding) for coding in reversed(codings)]
        self._line = b""  # the beginning of one that has not ended
        self._ends_with_cr = False
        self._has_data = False
        self._mark = _BYTE_ORDER_MARK  # may be in front of the first line

    def __call__(self, piece: bytes) -> bool:
        for decode in self._decode:
            piece = decode(piece)
        return bool(piece) and any(map(self._ends_event, self._lines(piece)))

    def _lines(self, piece: bytes) -> list[bytes]:
        """Those that end in ``piece``. A CR ends its line at once: an LF behind it may take until the next event."""
        rest = piece.removeprefix(b"\n") if self._ends_with_cr else piece
        self._ends_with_cr = piece.endswith(b"\r")
        first, *others = _LINE_END.split(rest)
        *lines, unfinished = [self._line + first, *others]
        self._line = unfinished[:_BEGINNING]
        return lines

    def _ends_event(self, line: bytes) -> bool:
        line, self._mark = line.removeprefix(self._mark), b""
        self._has_data = self._has_data or line == b"data" or line.startswith(b"data:")
        return self._has_data and not line


def _decoder(coding: str) -> Callable[[bytes], bytes]:
    """What is not compressed data is an error of the body, which has no event then."""
    if coding == "br" and importlib.util.find_spec("brotli"):
        return _lenient(importlib.import_module("brotli").Decompressor().process)
    if coding in {"gzip", "x-gzip", "deflate"}:
        return _lenient(zlib.decompressobj(zlib.MAX_WBITS | 32).decompress)  # 32: by the header, either format
    return bytes


def _lenient(decode: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def decoded(piece: bytes) -> bytes:
        try:
            return decode(piece)
        except Exception:  # noqa: BLE001 - each has an error of its own
            return b""

    return decoded
