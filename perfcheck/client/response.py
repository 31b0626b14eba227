"""A response as far as it came: whether its status is expected, and its body, raw and decoded, within a cap."""

from __future__ import annotations

import email.utils
import http.client
import importlib
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from perfcheck.client.exchange import Exchange, RequestFailedError
from perfcheck.client.first_event import EVENT_STREAM, FirstEvent
from perfcheck.model import Failure
from perfcheck.units import format_size

_MOST_DIGITS = 20
REDIRECTS = {301, 302, 303, 307, 308}
_FOLLOWABLE = re.compile(r"https?:|(?![a-z][a-z0-9+.-]*:)", re.IGNORECASE)  # not myapp:callback


class Response:
    """A response as far as it came: ``pieces`` are its body, raw, within the cap."""

    def __init__(self, status: int, reason: bytes, headers: list[tuple[bytes, bytes]], version: str) -> None:
        """Names of ``headers`` are in lower case; ``version`` is such as HTTP/1.1."""
        self.status = status
        self.reason = reason.decode("utf-8", "replace") or http.client.responses.get(status, "")
        self.headers = headers
        self.version = version
        self.earlier: Response | None = None  # the redirect that led to it
        self.pieces: list[bytes] = []
        self._size = 0
        self.is_enough = False  # what has come suffices: the rest is not read
        self._suffices: Callable[[bytes], bool] = lambda _: False  # given the next piece

    def header(self, name: bytes) -> str:
        """The value of a header by its lower-case name; of repeated ones, all. Empty when there is none."""
        return b", ".join([value for key, value in self.headers if key == name]).decode("utf-8", "replace")

    @property
    def is_event_stream(self) -> bool:
        return self.header(b"content-type").partition(";")[0].strip().lower() == EVENT_STREAM

    @property
    def _announced(self) -> int | None:
        """The length of the body, where it is announced."""
        digits = self.header(b"content-length")[:_MOST_DIGITS]
        return int(digits) if digits.isascii() and digits.isdigit() else None

    def retry_after_s(self) -> float | None:
        """The seconds in Retry-After, or until its date (RFC 9110, section 10.2.3); None for anything else.

        A date is compared with that of the response, since the clock of the service may differ from ours.
        """
        text = self.header(b"retry-after")
        if text.isascii() and text.isdigit():
            return float(text[:_MOST_DIGITS])
        until_s = _timestamp(text)
        sent_s = _timestamp(self.header(b"date"))
        return None if until_s is None else max(until_s - (time.time() if sent_s is None else sent_s), 0.0)

    def check_length(self) -> None:
        """Raises RequestFailedError when the body that is announced is over the cap."""
        if (announced := self._announced) is not None and announced > BODY_CAP:
            raise _too_large(announced, "announced:")

    def stop_early(self, exchange: Exchange, *, has_body: bool) -> None:
        """Its first byte is judged, or its first event: no more is read than that takes.

        A short body is read to its end all the same, so that the connection can be used again; and one that is checked.
        """
        has_events = has_body and self.is_event_stream
        exchange.ends_at_first_byte = not has_events
        if has_events:
            exchange.unfinished = "no event"
            self._suffices = FirstEvent(self._codings)
        elif has_body and not exchange.needs_body and (self._announced is None or self._announced > _SHORT_BODY):
            self._suffices = bool
        self.is_enough = any(map(self._suffices, self.pieces))

    def check_event(self) -> None:
        """Once it has ended. Raises RequestFailedError where it was to have an event."""
        if isinstance(self._suffices, FirstEvent) and not self.is_enough:
            raise RequestFailedError(Failure.TRUNCATED, "the event stream ended before its first event")

    def add(self, piece: bytes) -> None:
        """Raises RequestFailedError when the body is over the cap by now."""
        self.pieces.append(piece)
        self._size += len(piece)
        self.is_enough = self.is_enough or self._suffices(piece)
        if self._size > BODY_CAP:
            raise _too_large(self._size, "received so far:")

    def problem(
        self, expect: tuple[tuple[int, int], ...], failed: RequestFailedError | None
    ) -> RequestFailedError | None:
        """An unexpected status is a better reason than what happened to its body, unless that timed out."""
        status = self.status
        if failed is not None and failed.failure is Failure.TIMEOUT:
            if self.is_event_stream and not isinstance(self._suffices, FirstEvent):
                failed.remedy = f"{EVENT_STREAM}: metric_of: first_byte judges the first event"
            return failed
        if any(low <= status <= high for low, high in expect):
            return failed
        line = f"{status} {self.reason}".strip()
        if status in {429, 503} and (retry := self.header(b"retry-after")):
            line = f"{line}, Retry-After: {retry}"
        if 300 <= status <= 399 and (location := self.header(b"location")):  # noqa: PLR2004
            would_follow = status in REDIRECTS and _FOLLOWABLE.match(location)
            remedy = "follow_redirects: true would follow it" if would_follow else None
            return RequestFailedError(Failure.STATUS, f"{line}, to {location}", remedy)
        return RequestFailedError(Failure.STATUS, line)

    @property
    def _codings(self) -> list[str]:
        return [name.strip().lower() for name in self.header(b"content-encoding").split(",") if name.strip()]

    def decoded(self) -> Iterable[bytes]:
        """The body once its codings are undone, piece by piece. An unknown coding is left as it is.

        Raises RequestFailedError: DECODING, or BODY_TOO_LARGE.
        """
        codings = self._codings
        if len(codings) > _MOST_CODINGS:
            raise RequestFailedError(Failure.DECODING, f"{len(codings)} content codings on one body")
        if not any(self.pieces):
            return ()  # the response to HEAD, or a 304
        stream: Iterable[bytes] = self.pieces
        for name in reversed(codings):
            decode = _DECODERS.get(name)
            if decode is None:
                break
            stream = _capped(decode(stream))
        return _as_far_as_it_goes(stream) if self.is_enough else stream


def _timestamp(date: str) -> float | None:
    """None for what is no date."""
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


# --- Bodies ----------------------------------------------------------------------------------------------------------

BODY_CAP = 64 * 1024 * 1024  # on the wire, and decoded
_PIECE = 64 * 1024
_SHORT_BODY = 1_000_000
_MOST_CODINGS = 4
_GZIP_MEMBER = 0x1F  # its first byte; a body may have several (RFC 1952, section 2.2)


def _too_large(size: int, how: str) -> RequestFailedError:
    return RequestFailedError(
        Failure.BODY_TOO_LARGE, f"the body is over {format_size(BODY_CAP)} ({how} {format_size(size)})"
    )


def _capped(stream: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for piece in stream:
        size += len(piece)
        if size > BODY_CAP:
            raise RequestFailedError(Failure.BODY_TOO_LARGE, f"the body is over {format_size(BODY_CAP)} once decoded")
        yield piece


def _as_far_as_it_goes(stream: Iterable[bytes]) -> Iterator[bytes]:
    with suppress(RequestFailedError):
        yield from stream


def _garbage(coding: str, reason: object) -> RequestFailedError:
    return RequestFailedError(Failure.DECODING, f"the body is not valid {coding}: {reason}")


def _gunzip(stream: Iterable[bytes]) -> Iterator[bytes]:
    return _inflate(stream, "gzip", lambda _: zlib.MAX_WBITS | 16)


def _deflate(stream: Iterable[bytes]) -> Iterator[bytes]:
    # RFC 9110 means zlib's format; some servers send the bare one, which starts differently (RFC 1950, section 2.2).
    return _inflate(stream, "deflate", lambda first: zlib.MAX_WBITS if first & 15 == 8 else -zlib.MAX_WBITS)  # noqa: PLR2004


def _inflate(stream: Iterable[bytes], coding: str, window_bits: Callable[[int], int]) -> Iterator[bytes]:
    decoder: Any = None
    for piece in stream:
        data = piece
        while data:
            if decoder is None or (decoder.eof and coding == "gzip" and data[0] == _GZIP_MEMBER):
                decoder = zlib.decompressobj(window_bits(data[0]))
            if decoder.eof:
                break  # padding
            yield _decompressed(decoder, data, coding)
            data = decoder.unconsumed_tail or decoder.unused_data
    while decoder is not None and not decoder.eof:
        rest = _decompressed(decoder, b"", coding)
        if not rest:
            raise _garbage(coding, "it ends too early")
        yield rest


def _decompressed(decoder: Any, data: bytes, coding: str) -> bytes:
    try:
        return bytes(decoder.decompress(data, _PIECE))
    except zlib.error as error:
        raise _garbage(coding, error) from None


def _unbrotli(stream: Iterable[bytes]) -> Iterator[bytes]:
    brotli = importlib.import_module("brotli")
    decoder = brotli.Decompressor()
    try:
        for piece in stream:
            yield decoder.process(piece, output_buffer_limit=_PIECE)
            while not decoder.can_accept_more_data():
                yield decoder.process(b"", output_buffer_limit=_PIECE)
    except brotli.error as error:
        raise _garbage("brotli", error) from None
    if not decoder.is_finished():
        raise _garbage("brotli", "it ends too early")


def has_brotli() -> bool:
    """Before version 1.2 it decodes without a limit, so that a small body could fill the memory."""
    try:
        return hasattr(importlib.import_module("brotli").Decompressor, "can_accept_more_data")
    except ImportError:
        return False


_DECODERS: dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _deflate,
    **({"br": _unbrotli} if has_brotli() else {}),
}
ACCEPTED_CODINGS = ", ".join(name for name in _DECODERS if name != "x-gzip")
