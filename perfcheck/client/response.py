"""A response as far as it came: whether its status is expected, and its body, raw and decoded, within a cap."""

from __future__ import annotations

import http.client
import importlib
import importlib.util
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpcore

from perfcheck.client.exchange import RequestFailedError
from perfcheck.model import Failure
from perfcheck.units import format_size

_MOST_DIGITS = 20


class ReceivedResponse:
    """The last response of a sample, as far as it came."""

    def __init__(self) -> None:
        self.response: httpcore.Response | None = None
        self.pieces: list[bytes] = []

    @property
    def status(self) -> int | None:
        return None if self.response is None else self.response.status

    def header(self, name: bytes) -> str:
        """The value of a header by its lower-case name; of repeated ones, all. Empty when there is none."""
        return "" if self.response is None else _header(self.response, name)

    def problem(
        self, expect: tuple[tuple[int, int], ...], failed: RequestFailedError | None
    ) -> RequestFailedError | None:
        """An unexpected status is a better reason than what happened to its body, unless that timed out."""
        status = self.status
        if status is None or (failed is not None and failed.failure is Failure.TIMEOUT):
            return failed
        if any(low <= status <= high for low, high in expect):
            return failed
        line = f"{status} {self._reason(status)}".strip()
        if status in {429, 503} and (retry := self.header(b"retry-after")):
            line = f"{line}, Retry-After: {retry}"
        if 300 <= status <= 399 and (location := self.header(b"location")):  # noqa: PLR2004
            remedy = "follow_redirects: true would follow it"
            return RequestFailedError(Failure.STATUS, f"{line}, to {location}", remedy)
        return RequestFailedError(Failure.STATUS, line)

    def _reason(self, status: int) -> str:
        reason: bytes = b"" if self.response is None else self.response.extensions.get("reason_phrase", b"")
        if reason:
            return reason.decode("utf-8", "replace")
        return http.client.responses.get(status, "")


def content_length(request: httpcore.Request, response: httpcore.Response) -> int:
    """The announced length of the body; 0 when it is not announced, or when no body follows."""
    value = _header(response, b"content-length")
    return int(value[:_MOST_DIGITS]) if request.method != b"HEAD" and value.isascii() and value.isdigit() else 0


def _header(response: httpcore.Response, name: bytes) -> str:
    values = [value for key, value in response.headers if key.lower() == name]
    return b", ".join(values).decode("utf-8", "replace")


# --- Bodies ----------------------------------------------------------------------------------------------------------

BODY_CAP = 64 * 1024 * 1024  # on the wire, and decoded
_PIECE = 64 * 1024
_MOST_CODINGS = 4


def accepted_codings() -> str:
    """The value of Accept-Encoding: what can be decoded here."""
    return "gzip, deflate, br" if importlib.util.find_spec("brotli") else "gzip, deflate"


def read_raw(stream: Iterable[bytes], *, announced: int) -> list[bytes]:
    """A body as it comes. Raises RequestFailedError when it is over the cap, as announced or as received."""
    if announced > BODY_CAP:
        raise _too_large(announced, "announced:")
    pieces, size = [], 0
    for piece in stream:
        pieces.append(piece)
        size += len(piece)
        if size > BODY_CAP:
            raise _too_large(size, "received so far:")
    return pieces


def decoded(pieces: list[bytes], content_encoding: str) -> Iterable[bytes]:
    """The body once its codings are undone, piece by piece. An unknown coding is left as it is.

    Raises RequestFailedError: DECODING, or BODY_TOO_LARGE.
    """
    codings = [name.strip().lower() for name in content_encoding.split(",") if name.strip()]
    if len(codings) > _MOST_CODINGS:
        raise RequestFailedError(Failure.DECODING, f"{len(codings)} content codings on one body")
    if not any(pieces):
        return ()  # the response to HEAD, or a 304
    stream: Iterable[bytes] = pieces
    for name in reversed(codings):
        decode = _DECODERS.get(name)
        if decode is None:
            break
        stream = _capped(decode(stream))
    return stream


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


def _garbage(coding: str, reason: object) -> RequestFailedError:
    return RequestFailedError(Failure.DECODING, f"the body is not valid {coding}: {reason}")


def _gunzip(stream: Iterable[bytes]) -> Iterator[bytes]:
    return _inflate(stream, "gzip", lambda _: zlib.decompressobj(zlib.MAX_WBITS | 16))


def _deflate(stream: Iterable[bytes]) -> Iterator[bytes]:
    # RFC 9110 means zlib's format; some servers send the bare one, which starts differently (RFC 1950, section 2.2).
    return _inflate(
        stream,
        "deflate",
        lambda data: zlib.decompressobj(zlib.MAX_WBITS if data[0] & 15 == 8 else -zlib.MAX_WBITS),  # noqa: PLR2004
    )


def _inflate(stream: Iterable[bytes], coding: str, start: Callable[[bytes], Any]) -> Iterator[bytes]:
    decoder: Any = None
    for piece in stream:
        data = piece
        if decoder is None and data:
            decoder = start(data)
        while data and not decoder.eof:  # what follows the end is padding
            try:
                yield decoder.decompress(data, _PIECE)
            except zlib.error as error:
                raise _garbage(coding, error) from None
            data = decoder.unconsumed_tail
    while decoder is not None and not decoder.eof:
        rest = decoder.decompress(b"", _PIECE)
        if not rest:
            raise _garbage(coding, "it ends too early")
        yield rest


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


_DECODERS: dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _deflate,
    **({"br": _unbrotli} if importlib.util.find_spec("brotli") else {}),
}
