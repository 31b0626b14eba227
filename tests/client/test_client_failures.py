"""What can go wrong with a request, each against a real server: the kind, the words, and no exception."""

from __future__ import annotations

import gzip
import math
import socket
import threading
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
from apps.faulty_server import (
    Conversation,
    every_request,
    once,
    read_request,
    reset,
    response,
    server,
    wait_for_the_client_to_leave,
)

from perfcheck.client.client import Client
from perfcheck.model import Digest, Endpoint, Failure, Sample, Service
from perfcheck.text import Redactor

HEAD = b"HTTP/1.1 200 OK\r\n"
GZIP = "Content-Encoding: gzip"


def ask(base_url: str, *, secrets: tuple[str, ...] = (), timeout_s: float = 10.0, follow: bool = False) -> Sample:
    endpoint = Endpoint(name="it", path="/it", line=1, timeout_s=timeout_s, follow_redirects=follow)
    with Client(Service(base_url=base_url), redact=Redactor(secrets)) as client:
        return client.send(endpoint)


def answer_to(converse: Conversation, *, timeout_s: float = 10.0, follow: bool = False) -> Sample:
    with server(converse) as running:
        return ask(running.url(), timeout_s=timeout_s, follow=follow)


def after_the_request(then: Callable[[socket.socket], None]) -> Conversation:
    def converse(connection: socket.socket) -> None:
        read_request(connection)
        then(connection)

    return converse


def sending(*pieces: bytes, then: Callable[[socket.socket], None]) -> Conversation:
    def send(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
        then(connection)

    return after_the_request(send)


def failed(sample: Sample, failure: Failure, words: str) -> None:
    assert sample.failure is failure, sample
    assert sample.latency_ms is None
    assert words in (sample.detail or "")


# --- What an unexpected response states ----------------------------------------------------------------------------

ERROR_PAGE = b"""<!doctype html>
<html><head><title>500 Internal Server Error</title><style>h1 {color: red}</style></head>
<body><h1>KeyError: &#x27;artist&#x27; for a token of a&amp;b&lt;secret</h1></body></html>"""
JSON = "Content-Type: application/json"


@pytest.mark.parametrize(
    ("body", "headers", "excerpt"),
    [
        (b'{\n  "error": "no such table: videos"\n}\n', [JSON], '{ "error": "no such table: videos" }'),
        (b'{"detail":"x"}', ["Content-Type: application/problem+json; charset=utf-8"], '{"detail":"x"}'),
        (gzip.compress(b'{"detail":"x"}', mtime=0), [JSON, GZIP], '{"detail":"x"}'),
        (b"\n \nworker timed out\nmore", ["Content-Type: text/plain"], "worker timed out"),
        (b"Internal Server Error", ["Content-Type: text/plain"], None),  # as its status
        (ERROR_PAGE, ["Content-Type: text/html; charset=utf-8"], "KeyError: 'artist' for a token of ***"),
        (
            b'{"error": "token a&b<secret is no more, a\\u0026b"}',
            [JSON],
            '{"error": "token *** is no more, a\\u0026b"}',
        ),
        (b"\x1b[31mred\x1b[0m \xff", ["Content-Type: text/plain"], "[31mred[0m \N{REPLACEMENT CHARACTER}"),
        (b"x" * 100_000, ["Content-Type: text/plain"], "x" * 117 + "..."),
        (b"x" * 118 + b" a&b<secret", ["Content-Type: text/plain"], "x" * 117 + "..."),
        (b"{}", [JSON], None),
        (b"text", [], None),
        (b"\x89PNG", ["Content-Type: image/png"], None),
        (gzip.compress(b'{"detail":"x"}', mtime=0)[:9], [JSON, GZIP], None),
        (b"", [JSON], None),
    ],
)
def test_the_body_of_an_unexpected_response_is_kept_in_a_line(
    body: bytes, headers: list[str], excerpt: str | None
) -> None:
    with server(every_request(response(body, *headers, status="500 Internal Server Error"))) as running:
        sample = ask(running.url(), secrets=("a&b<secret",))
    failed(sample, Failure.STATUS, "500 Internal Server Error")
    assert sample.body_excerpt == excerpt


@pytest.mark.parametrize("status", ["200 OK", "302 Found"])
def test_the_body_of_a_redirect_and_of_what_is_expected_is_not(status: str) -> None:
    with server(every_request(response(b'{"a": 1}', JSON, status=status))) as running:
        assert ask(running.url()).body_excerpt is None


# --- The connection ------------------------------------------------------------------------------------------------


def test_a_refused_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    failed(ask(f"http://127.0.0.1:{port}"), Failure.REFUSED, f"connection refused by 127.0.0.1:{port}")


def test_a_name_that_does_not_resolve() -> None:
    failed(ask("http://no-such-host.invalid"), Failure.NAME, "cannot resolve no-such-host.invalid: ")


def test_a_name_that_cannot_be_one() -> None:
    failed(ask(f"http://{'a' * 70}.invalid"), Failure.NAME, "cannot resolve")


def test_a_connection_reset_before_the_answer() -> None:
    failed(answer_to(after_the_request(reset)), Failure.RESET, "the connection was reset without a response")


def test_a_connection_closed_before_the_answer() -> None:
    failed(answer_to(once()), Failure.RESET, "the connection was closed without a response")


def test_a_connection_reset_in_the_body() -> None:
    read = threading.Event()

    def converse(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\nonly this")
        read.wait(0.2)  # a reset throws away what the client has not read yet
        reset(connection)

    sample = answer_to(converse)
    assert sample.status == 200
    failed(sample, Failure.RESET, "the connection was reset in the middle of the response, after ")


# --- Time ----------------------------------------------------------------------------------------------------------


def timed_out(sample: Sample, words: str) -> None:
    assert sample.failure is Failure.TIMEOUT, sample
    assert sample.latency_ms == math.inf
    assert sample.detail == words


def test_no_answer_in_time() -> None:
    timed_out(answer_to(after_the_request(wait_for_the_client_to_leave), timeout_s=0.2), "no response within 200 ms")


def test_a_body_that_stops_in_the_middle() -> None:
    converse = sending(HEAD + b"Content-Length: 100\r\n\r\nonly this", then=wait_for_the_client_to_leave)
    timed_out(answer_to(converse, timeout_s=0.2), "the response was not complete within 200 ms")


@pytest.mark.parametrize(
    "head",
    [HEAD + b"Content-Length: 100000\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n", HEAD + b"\r\n", HEAD],
)
def test_a_dripping_answer_does_not_outlive_the_timeout(head: bytes) -> None:
    gone = threading.Event()

    def drip(connection: socket.socket) -> None:
        try:
            while not gone.wait(0.02):
                connection.sendall(b"X: y\r\n" if head == HEAD else b"1\r\nx\r\n")
        except OSError:
            gone.set()

    timed_out(answer_to(sending(head, then=drip), timeout_s=0.3), "the response was not complete within 300 ms")
    assert gone.is_set()


def test_an_unexpected_status_that_hangs_is_a_timeout() -> None:
    converse = sending(b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\n", then=wait_for_the_client_to_leave)
    timed_out(answer_to(converse, timeout_s=0.2), "the response was not complete within 200 ms")


# --- HTTP ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"HTTP/1.1 9 \x1b[31m\r\n\r\n", b"\x00" * 200_000])
def test_garbage_instead_of_http(garbage: bytes) -> None:
    sample = answer_to(sending(garbage, then=wait_for_the_client_to_leave))
    failed(sample, Failure.PROTOCOL, "")
    assert sample.detail
    assert "\x1b" not in sample.detail


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "illegal status line: SSH-2.0-OpenSSH_9.6"),
        (HEAD + b'it\'s "x" \\ \xc3\xa4\r\n\r\n', 'illegal header line: it\'s "x" \\ \xe4'),
        (b"HTTP/1.1 099 Early\r\n\r\n", "the response has an illegal status"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            "the service changed the protocol, which was not requested",
        ),
        (HEAD + b"X: " + b"x" * 200_000, "the head of the response is too long"),
        (b"\x00\x01", "the response does not begin with a status line"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nhello\r\n", "illegal chunk header: hello"),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", "Only Transfer-Encoding: chunked is supported"),
    ],
)
def test_what_is_not_http_is_described_without_the_words_of_a_parser(answer: bytes, sentence: str) -> None:
    sample = answer_to(sending(answer, then=wait_for_the_client_to_leave))
    assert (sample.failure, sample.detail) == (Failure.PROTOCOL, sentence)


@pytest.mark.parametrize(
    "start",
    [
        HEAD + b"Content-Length: 100\r\n\r\nonly this",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        HEAD + b"Content-Le",
    ],
)
def test_a_truncated_answer(start: bytes) -> None:
    failed(answer_to(once(start)), Failure.TRUNCATED, "the connection was closed in the middle of the response, after ")


def test_a_status_that_is_not_expected() -> None:
    sample = answer_to(every_request(response(status="503 Service Unavailable")))
    failed(sample, Failure.STATUS, "503 Service Unavailable")
    assert sample.status == 503


def test_too_many_requests_has_when_to_retry() -> None:
    sample = answer_to(every_request(response(b"", "Retry-After: 30", status="429 Too Many Requests")))
    failed(sample, Failure.STATUS, "429 Too Many Requests, Retry-After: 30")


def test_a_status_without_a_reason_gets_the_usual_one() -> None:
    failed(answer_to(every_request(response(status="404 "))), Failure.STATUS, "404 Not Found")


def test_an_unexpected_status_is_reported_even_when_its_body_breaks_off() -> None:
    converse = once(b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nTraceback")
    failed(answer_to(converse), Failure.STATUS, "500 Oops")


# --- Redirects -----------------------------------------------------------------------------------------------------


def test_a_redirect_that_is_not_followed() -> None:
    sample = answer_to(every_request(response(b"", "Location: /login", status="302 Found")))
    failed(sample, Failure.STATUS, "302 Found, to /login; follow_redirects: true would follow it")


@pytest.mark.parametrize(
    ("status", "location"), [("302 Found", "myapp:callback"), ("302 Found", "FTP://a/"), ("304 Not Modified", "/login")]
)
def test_a_redirect_that_could_not_be_followed_has_no_advice_to_follow_it(status: str, location: str) -> None:
    sample = answer_to(every_request(response(b"", f"Location: {location}", status=status)))
    assert sample.detail == f"{status}, to {location}"


def test_a_redirect_loop() -> None:
    converse = every_request(response(b"", "Location: /it", status="302 Found"))
    failed(answer_to(converse, follow=True), Failure.REDIRECTS, "over 10 redirects, the last to http://127.0.0.1:")


@pytest.mark.parametrize(
    "location",
    [
        "http://host:port/",
        "ftp://127.0.0.1/",
        "myapp:callback",
        "http://xn--a/",
        "http://:::/",
        "/\x7f",
        "/" + "x" * 70_000,
    ],
)
@pytest.mark.parametrize("follow", [True, False])
def test_a_redirect_to_nowhere(location: str, follow: bool) -> None:  # noqa: FBT001
    sample = answer_to(every_request(response(b"", f"Location: {location}", status="302 Found")), follow=follow)
    shown = location.replace("\x7f", "")[:100]
    failed(
        sample,
        *((Failure.REDIRECTS, f"a redirect to {shown}") if follow else (Failure.STATUS, f"302 Found, to {shown}")),
    )


@pytest.mark.parametrize("host", ["[fe80::1%nope]", "127.0.0.1:-1", "a..b", ".invalid", "[::1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_redirect_to_a_host_that_cannot_be_looked_up(scheme: str, host: str) -> None:
    sample = answer_to(every_request(response(b"", f"Location: {scheme}://{host}/", status="302 Found")), follow=True)
    assert sample.failure in {Failure.NAME, Failure.REDIRECTS, Failure.REFUSED}


def test_a_cookie_that_cannot_be_sent_is_dropped() -> None:
    asked: list[bytes] = []

    def converse(connection: socket.socket) -> None:
        while request := read_request(connection):
            asked.append(request)
            here = response(
                b"", "Location: /there", "Set-Cookie: name=J\xc3\xb6rg", "Set-Cookie: a=b", status="302 Found"
            )
            connection.sendall(here if b"/it " in request else response(b"arrived"))

    sample = answer_to(converse, follow=True)
    assert (sample.failure, sample.body_bytes) == (None, 7)
    assert b"Cookie: a=b\r\n" in asked[1]


# --- Bodies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_without_end_is_cut(announced: bool) -> None:  # noqa: FBT001
    sent = 0

    def flood(connection: socket.socket) -> None:
        nonlocal sent
        block = b"x" * 1_000_000
        while sent < 1_000_000_000:
            connection.sendall(block)
            sent += len(block)

    head = HEAD + (b"Content-Length: 1000000000\r\n\r\n" if announced else b"\r\n")
    sample = answer_to(sending(head, then=flood))
    failed(sample, Failure.BODY_TOO_LARGE, "the body is over 67.1 MB")
    assert sent < 200_000_000


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", lambda body: gzip.compress(body, 1)),
        ("br", lambda body: brotli.compress(body, quality=1)),
        ("deflate, gzip", lambda body: gzip.compress(zlib.compress(body, 1))),
    ],
)
def test_a_body_that_explodes_when_decoded(coding: str, pack: Callable[[bytes], bytes]) -> None:
    converse = every_request(response(pack(bytes(80_000_000)), f"Content-Encoding: {coding}"))
    failed(answer_to(converse), Failure.BODY_TOO_LARGE, "the body is over 67.1 MB once decoded")


@pytest.mark.parametrize("pieces", [1, 7])
def test_every_member_of_a_gzip_body_is_counted(pieces: int) -> None:
    packed = gzip.compress(b"hello ") + gzip.compress(b"world") + gzip.compress(b"") + gzip.compress(b"x" * 100_000)
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(packed[at : at + pieces]), packed[at : at + pieces])
        for at in range(0, len(packed), pieces)
    )
    whole = HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    sample = answer_to(every_request(whole))
    assert (sample.failure, sample.body_bytes) == (None, 100_011)


def test_what_pads_a_gzip_body_is_not() -> None:
    assert answer_to(every_request(response(gzip.compress(b"hello") + bytes(99), GZIP))).body_bytes == 5


def invalid_at_the_end() -> bytes:
    """Raw deflate: all of its output fills one piece, and what follows is no block."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(b"a" * 65536) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-6] + bytes([216])


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", b"this is not gzip"),
        ("deflate", b"this is not deflate either"),
        ("br", b"nor is this brotli, however long it goes on"),
        ("gzip", gzip.compress(b"hello " * 100, mtime=0)[:-9]),
        ("br", brotli.compress(b"hello " * 100)[:-3]),
        ("deflate", invalid_at_the_end()),
        ("gzip, gzip, gzip, gzip, gzip", b"too much"),
    ],
)
def test_a_body_that_cannot_be_decoded(coding: str, packed: bytes) -> None:
    failed(answer_to(every_request(response(packed, f"Content-Encoding: {coding}"))), Failure.DECODING, "")


@pytest.mark.parametrize("keys", ['qop="auth-int"', "algorithm=SHA3"])
def test_a_digest_challenge_that_cannot_be_answered_is_a_failure_each_time(keys: str) -> None:
    challenge = response(b"", f'WWW-Authenticate: Digest realm="r", nonce="n", {keys}', status="401 Unauthorized")
    endpoint = Endpoint(name="it", path="/it", line=1, digest=Digest("user", "password"))
    with server(every_request(challenge)) as running, Client(Service(running.url()), redact=Redactor()) as client:
        assert [client.send(endpoint).detail for _ in range(3)] == ["401 Unauthorized"] * 3


# --- What the service sends is not to be trusted -------------------------------------------------------------------

SECRET = "s3cret/token+value"


@pytest.mark.parametrize(
    "hostile",
    [
        response(status=f"500 \x9b31mOops \x1b[31m{SECRET}"),
        response(b"", f"Location: http://evil.example/?t={SECRET}\x1b[2J", status="302 Found"),
        response(b"", "Retry-After: \u00ad" + SECRET + "x" * 5000, status="429 Slow down"),
        response(b"", f"X-Echo {SECRET}\x1b]0;title\x07"),
        f"{SECRET}\x1b[2J\r\n\r\n".encode("latin-1"),
    ],
)
def test_what_is_shown_of_an_answer_is_clean(hostile: bytes) -> None:
    with server(every_request(hostile)) as running:
        detail = ask(running.url(), secrets=(SECRET,)).detail
    assert detail is not None
    assert detail.isprintable()
    assert SECRET not in detail
    assert "***" in detail
    assert len(detail) <= 200
