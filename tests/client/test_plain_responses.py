"""The quick way to read a plain response, against h11: what it takes, h11 takes in the same way."""

from __future__ import annotations

import random

import h11
import pytest
from apps.faulty_server import response

from perfcheck.client.http1 import plain_response

PLAIN = [
    response(b"hello", "Server: x", "Content-Type: text/plain; charset=utf-8"),
    response(b"", "Connection: keep-alive", "X-Empty:", "X-Spaces: \t a  b \t ", "Set-Cookie: a=b; c", status="404 "),
    response(b"\xff\r\n\r\n", "X-Byte: \xe9", "connection: keep-alive", status="503 Out \xe9f order"),
    b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthe beginning",
]
NOT_PLAIN = [
    b"",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more",
    b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive, close\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nX: y\r\n folded\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 5\r\n\r\nhello",
]


def by_h11(data: bytes) -> tuple[int, bytes, list[tuple[bytes, bytes]], bytes]:
    """Raises h11.RemoteProtocolError."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(data)
    head = parser.next_event()
    assert isinstance(head, h11.Response)
    body = b""
    while isinstance(event := parser.next_event(), h11.Data):
        body += bytes(event.data)
    assert event is h11.NEED_DATA or parser.their_state is h11.DONE
    assert not parser.trailing_data[0]
    return head.status_code, head.reason, list(head.headers), body


def agrees_with_h11(data: bytes) -> bool:
    """Whether ``data`` is plain."""
    plain = plain_response(data)
    if plain is None:
        return False
    found, missing = plain
    status, reason, headers, expected_body = by_h11(data)
    body = b"".join(found.pieces)
    assert (found.status, found.headers, body) == (status, headers, expected_body)
    assert not reason or found.reason == reason.decode("utf-8", "replace")
    assert len(body) + missing == int(found.header(b"content-length"))
    return True


@pytest.mark.parametrize("data", PLAIN)
def test_a_plain_response_is_read_as_h11_reads_it(data: bytes) -> None:
    assert agrees_with_h11(data)


@pytest.mark.parametrize("data", NOT_PLAIN)
def test_anything_else_is_left_to_h11(data: bytes) -> None:
    assert plain_response(data) is None


def test_what_is_taken_for_plain_is_never_read_in_another_way() -> None:
    chance = random.Random(5)
    pieces = [b"\r\n", b"\n", b":", b" ", b"\t", b"\0", b"\x7f", b"\xff", b"5", b"Connection: close\r\n"]
    plain = 0
    for _ in range(20_000):
        data = bytearray(chance.choice(PLAIN))
        for _ in range(chance.randint(1, 3)):
            at, size = chance.randrange(len(data) + 1), chance.randint(0, 4)
            data[at : at + size] = chance.choice((*pieces, chance.randbytes(size)))
        plain += agrees_with_h11(bytes(data))
    assert plain > 1000
