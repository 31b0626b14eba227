"""A request into which values are inserted: what is the same each time is made once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from perfcheck.client.exchange import RequestFailedError
from perfcheck.model import ENCODERS, Encoding, Failure

_LENGTH = b"content-length"


class Inserted(NamedTuple):
    name: str
    encoding: Encoding

    def encoded(self, values: Mapping[str, str]) -> bytes:
        return ENCODERS[self.encoding](values[self.name], self.name).encode()


Pieces: TypeAlias = bytes | tuple[bytes | Inserted, ...]  # the same in every request, or with what each inserts
Headers: TypeAlias = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    method: bytes
    target: Pieces
    headers: tuple[tuple[bytes, Pieces], ...]
    content: Pieces = b""

    @property
    def is_static(self) -> bool:
        texts = (self.target, self.content, *(pieces for _, pieces in self.headers))
        return all(isinstance(pieces, bytes) for pieces in texts)

    def filled(self, values: Mapping[str, str]) -> tuple[bytes, Headers, bytes]:
        """Target, headers and content; a header whose value is not known yet is left out.

        Raises KeyError for a value that is missing elsewhere, RequestFailedError for one that cannot be inserted.
        """
        with _insertable():
            target, content = _joined(self.target, values), _joined(self.content, values)
            length = None if content is self.content else b"%d" % len(content)
            headers: Headers = []
            for name, pieces in self.headers:
                if not isinstance(pieces, bytes):
                    with suppress(KeyError):
                        headers.append((name, _joined(pieces, values).strip()))
                else:
                    headers.append((name, length if length is not None and _is_length(name) else pieces))
        return target, headers, content

    def data(self, values: Mapping[str, str]) -> bytes:
        """As HTTP/1.1 sends it. Raises as ``filled`` does."""
        target, headers, content = self.filled(values)
        return as_http1(self.method, target, headers, content)

    def with_known(self, values: Mapping[str, str]) -> RequestTemplate:
        """With those of ``values`` inserted; others are left. Raises RequestFailedError."""
        with _insertable():
            headers = tuple((name, _stripped(_with_known(pieces, values))) for name, pieces in self.headers)
            target, content = _with_known(self.target, values), _with_known(self.content, values)
        if isinstance(content, bytes) and content is not self.content:
            headers = tuple((name, b"%d" % len(content) if _is_length(name) else pieces) for name, pieces in headers)
        return RequestTemplate(self.method, target, headers, content)

    def with_header(self, name: bytes, value: Pieces) -> RequestTemplate:
        return RequestTemplate(self.method, self.target, (*self.headers, (name, value)), self.content)


def as_http1(method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]], content: bytes) -> bytes:
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"".join((b"%b %b HTTP/1.1\r\n" % (method, target), *lines, b"\r\n", content))


def _joined(pieces: Pieces, values: Mapping[str, str]) -> bytes:
    if isinstance(pieces, bytes):
        return pieces
    return b"".join([piece if isinstance(piece, bytes) else piece.encoded(values) for piece in pieces])


def _with_known(pieces: Pieces, values: Mapping[str, str]) -> Pieces:
    if isinstance(pieces, bytes):
        return pieces
    known = [
        piece.encoded(values) if isinstance(piece, Inserted) and piece.name in values else piece for piece in pieces
    ]
    texts = [piece for piece in known if isinstance(piece, bytes)]
    return b"".join(texts) if len(texts) == len(known) else tuple(known)


def _stripped(pieces: Pieces) -> Pieces:
    return pieces.strip() if isinstance(pieces, bytes) else pieces


def _is_length(header: bytes) -> bool:
    return len(header) == len(_LENGTH) and header.lower() == _LENGTH


@contextmanager
def _insertable() -> Iterator[None]:
    try:
        yield
    except UnicodeError:
        raise RequestFailedError(Failure.WRONG_ANSWER, "cannot be sent: a value is not valid Unicode") from None
    except ValueError as error:
        raise RequestFailedError(Failure.WRONG_ANSWER, f"cannot be sent: {error}") from None
