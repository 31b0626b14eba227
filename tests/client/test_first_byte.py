"""The time to the first byte, or to the first event of a stream, after which the client hangs up."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import math
import socket
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import pytest
from apps.faulty_server import (
    Conversation,
    every_request,
    once,
    read_request,
    response,
    server,
    wait_for_the_client_to_leave,
)
from apps.http2_server import http2
from flask import Flask
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import Event, RequestReceived, StreamReset
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from perfcheck.client.client import Client
from perfcheck.client.first_event import FirstEvent
from perfcheck.client.in_process import InProcessClient
from perfcheck.model import Endpoint, Failure, MetricOf, Sample, Service
from perfcheck.text import Redactor

IT = Endpoint(name="it", path="/it", line=1, metric_of=MetricOf.FIRST_BYTE)
WHOLE = Endpoint(name="it", path="/it", line=1, timeout_s=0.3)
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
EVENT = b": hello\n\nid: 1\ndata: first\n\n"


def then_nothing(*pieces: bytes) -> Conversation:
    def converse(connection: socket.socket) -> None:
        read_request(connection)
        for piece in pieces:
            connection.sendall(piece)
        wait_for_the_client_to_leave(connection)

    return converse


def samples_of(
    converse: Conversation, endpoint: Endpoint = IT, times: int = 1, **service: Any
) -> tuple[list[Sample], int]:
    """The samples, and how many connections it took."""
    with server(converse) as running, Client(Service(running.url(), **service), redact=Redactor()) as client:
        return [client.send(endpoint) for _ in range(times)], running.connections


def judged_to_the_first_byte(sample: Sample) -> None:
    assert sample.failure is None, sample.detail
    assert sample.latency_ms == sample.phases.wait_ms
    assert sample.phases.download_ms is None


def judged_to_the_first_event(sample: Sample) -> None:
    assert sample.failure is None, sample.detail
    assert sample.latency_ms == (sample.phases.wait_ms or 0) + (sample.phases.download_ms or 0)
    assert sample.phases.download_ms is not None
    assert sample.body_bytes is None


# --- What an event is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize(
    "lines",
    [
        [b"data: x", b""],
        [b"data", b""],
        [b"data:", b""],
        [b"\xef\xbb\xbfdata: x", b""],
        [b": comment", b"", b"", b"event: e", b"", b"data:x", b"data:y", b""],
    ],
)
def test_an_event_is_complete_with_its_last_byte_and_no_earlier(lines: list[bytes], end: bytes) -> None:
    stream = b"".join(line + end for line in lines)
    last = len(stream) - (end == b"\r\n")  # the CR ends the line
    is_complete = FirstEvent(())
    assert [is_complete(stream[at : at + 1]) for at in range(last)] == [False] * (last - 1) + [True]


@pytest.mark.parametrize(
    "stream",
    [
        b"\n\n\n",
        b": comment\n\n",
        b"id: 1\nevent: e\nretry: 10\n\n",
        b"database: x\n\n",
        b"Data: x\n\n",
        b" data: x\n\n",
        b"id: 1\n\xef\xbb\xbfdata: x\n\n",
        b"data: x\n",
        b"data: x\r\n",
        b"data: " + b"x" * 1000,
    ],
)
def test_what_is_no_event(stream: bytes) -> None:
    is_complete = FirstEvent(())
    assert not any(is_complete(stream[at : at + 1]) for at in range(len(stream)))
    assert not FirstEvent(())(stream)


@given(st.lists(st.sampled_from([b"data", b":", b" ", b"\r", b"\n", b"x", b"\xef\xbb\xbf", b"id"])), st.data())
def test_where_a_stream_is_cut_into_pieces_makes_no_difference(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    is_complete = FirstEvent(())
    pieces = [stream[low:high] for low, high in itertools.pairwise([0, *cuts, len(stream)])]
    assert any(is_complete(piece) for piece in pieces) == FirstEvent(())(stream)


@given(st.lists(st.binary()), st.lists(st.sampled_from(["gzip", "deflate", "br", "zstd", "identity"])))
def test_no_bytes_are_an_error(pieces: list[bytes], codings: list[str]) -> None:
    is_complete = FirstEvent(codings)
    for piece in pieces:
        is_complete(piece)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_an_event_in_a_compressed_stream(coding: str) -> None:
    if coding == "br":
        compressor = pytest.importorskip("brotli").Compressor()
        packed = compressor.process(EVENT) + compressor.flush()
    else:
        compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | (16 if coding == "gzip" else 0))
        packed = compressor.compress(EVENT) + compressor.flush(zlib.Z_SYNC_FLUSH)
    head = STREAM + b"Content-Encoding: " + coding.encode() + b"\r\nConnection: close\r\n\r\n"
    (sample,), _ = samples_of(then_nothing(head, packed))
    judged_to_the_first_event(sample)


# --- HTTP/1.1 ------------------------------------------------------------------------------------------------------


def test_a_stream_is_judged_by_its_first_event_and_hung_up() -> None:
    left = threading.Event()

    def converse(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(STREAM + b"\r\n: no event\n\n")
        connection.sendall(b"data: 1\n\n")
        wait_for_the_client_to_leave(connection)
        left.set()

    samples, connections = samples_of(converse, times=2)
    assert left.wait(10)
    for sample in samples:
        judged_to_the_first_event(sample)
    assert connections == 2


def test_a_chunked_stream() -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b"data: 1\n", b"\n"))
    (sample,), _ = samples_of(then_nothing(STREAM + b"Transfer-Encoding: chunked\r\n\r\n", chunks))
    judged_to_the_first_event(sample)


def test_a_stream_that_has_ended_keeps_its_connection() -> None:
    samples, connections = samples_of(
        every_request(response(b"data: 1\n\n", "Content-Type: text/event-stream")), times=3
    )
    assert [sample.failure for sample in samples] == [None] * 3
    assert connections == 1


def test_a_stream_without_an_event() -> None:
    (sample,), _ = samples_of(once(STREAM + b"\r\n: hello\n\n"))
    assert (sample.failure, sample.latency_ms) == (Failure.TRUNCATED, None)
    assert sample.detail == "the event stream ended before its first event"
    (sample,), _ = samples_of(
        then_nothing(STREAM + b"\r\n: hello\n\n"), Endpoint("it", "/it", 1, timeout_s=0.3, metric_of=IT.metric_of)
    )
    assert (sample.failure, sample.latency_ms) == (Failure.TIMEOUT, math.inf)
    assert sample.detail == "no event within 300 ms"


def test_a_stream_measured_to_its_end_names_the_key() -> None:
    (sample,), _ = samples_of(then_nothing(STREAM + b"\r\n" + EVENT), WHOLE)
    assert sample.failure is Failure.TIMEOUT
    remedy = "text/event-stream: metric_of: first_byte judges the first event"
    assert sample.detail == f"the response was not complete within 300 ms; {remedy}"


def test_an_unexpected_status_of_a_stream_is_the_failure() -> None:
    (sample,), _ = samples_of(then_nothing(STREAM.replace(b"200 OK", b"503 Busy") + b"\r\n" + EVENT))
    assert (sample.failure, sample.detail) == (Failure.STATUS, "503 Busy")
    assert sample.body_excerpt == ": hello id: 1 data: first"


def test_a_short_body_is_read_to_its_end_for_the_sake_of_the_connection() -> None:
    samples, connections = samples_of(every_request(response(b"x" * 500)[:-400], b"x" * 400), times=3)
    for sample in samples:
        judged_to_the_first_byte(sample)
        assert sample.body_bytes == 500
    assert connections == 1


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 2000000\r\n",
        b"Content-Length: 99999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"",
        b"Content-Encoding: gzip\r\n",
    ],
)
def test_a_body_that_is_long_or_of_unknown_length_is_not_read_on(head: bytes) -> None:
    body = b"3\r\nabc\r\n" if b"chunked" in head else gzip.compress(b"x" * 100)[:15]
    (sample,), _ = samples_of(then_nothing(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n", body))
    judged_to_the_first_byte(sample)
    assert sample.body_bytes is None


def test_a_chunked_body_that_has_arrived_whole_keeps_its_connection() -> None:
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    samples, connections = samples_of(every_request(whole), times=3)
    for sample in samples:
        judged_to_the_first_byte(sample)
    assert connections == 1


def test_a_response_without_a_body() -> None:
    head = Endpoint("it", "/it", 1, method="HEAD", metric_of=MetricOf.FIRST_BYTE)
    for line in (b"Content-Length: 5000000\r\n", b"Content-Type: text/event-stream\r\nContent-Length: 9\r\n"):
        samples, connections = samples_of(every_request(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n"), head, times=2)
        for sample in samples:
            judged_to_the_first_byte(sample)
        assert connections == 1


def test_a_redirect_leads_to_a_stream() -> None:
    def converse(connection: socket.socket) -> None:
        while request := read_request(connection):
            if b"/it " in request:
                connection.sendall(response(b"", "Location: /events", status="302 Found"))
            else:
                connection.sendall(STREAM + b"\r\n" + EVENT)

    following = Endpoint("it", "/it", 1, metric_of=MetricOf.FIRST_BYTE, follow_redirects=True)
    samples, connections = samples_of(converse, following, times=2)
    for sample in samples:
        judged_to_the_first_event(sample)
    assert connections == 2  # one for a redirect and its stream, after which it is lost


def test_a_stream_that_never_ends_does_not_delay_readiness() -> None:
    with (
        server(then_nothing(STREAM + b"\r\n" + EVENT)) as running,
        Client(Service(running.url()), redact=Redactor()) as client,
    ):
        client.wait_until_ready([IT])
        judged_to_the_first_event(client.send(IT))


# --- HTTP/2 --------------------------------------------------------------------------------------------------------


def test_http2_resets_the_stream_and_keeps_the_connection() -> None:
    codes: list[Any] = []

    def on_event(state: H2Connection, stream: int, event: Event) -> None:
        if isinstance(event, StreamReset):
            codes.append(event.error_code)
        if isinstance(event, RequestReceived):
            is_stream = (b":path", b"/it") in (event.headers or [])
            kind = "text/event-stream" if is_stream else "application/json"
            state.send_headers(stream, [(":status", "200"), ("content-type", kind)])
            state.send_data(stream, b"data: 1\n\n" if is_stream else b"{}")
            state.send_data(stream, b"data: 2\n\n")

    other = Endpoint("other", "/other", 1, metric_of=MetricOf.FIRST_BYTE)
    with server(http2(on_event)) as running, Client(Service(running.url(), http2=True), redact=Redactor()) as client:
        for _ in range(3):
            judged_to_the_first_event(client.send(IT))
            judged_to_the_first_byte(client.send(other))
        assert running.connections == 1
    assert set(codes) <= {ErrorCodes.CANCEL, ErrorCodes.STREAM_CLOSED}
    assert codes.count(ErrorCodes.CANCEL) >= 5  # that of the last request may not have been read


# --- In this process -----------------------------------------------------------------------------------------------


def in_process(application: object, endpoint: Endpoint = IT) -> Sample:
    raised: list[BaseException] = []
    with InProcessClient(
        Service("http://testserver"), redact=Redactor(), application=application, raised=raised.append
    ) as client:
        sample = client.send(endpoint)
    assert raised == []
    return sample


def flask_app(closed: list[str], content_type: str, piece: str) -> Flask:
    app = Flask("stream")

    @app.get("/it")
    def stream() -> Any:
        def pieces() -> Iterator[str]:
            try:
                for _ in itertools.count():
                    yield piece
            finally:
                closed.append("closed")

        return app.response_class(pieces(), content_type=content_type)

    return app


def starlette_app(closed: list[str], content_type: str, piece: str) -> Starlette:
    async def stream(_: object) -> StreamingResponse:
        async def pieces() -> Any:
            try:
                yield piece
                await asyncio.Event().wait()
            finally:
                closed.append("closed")

        return StreamingResponse(pieces(), media_type=content_type)

    return Starlette(routes=[Route("/it", stream)])


@pytest.mark.parametrize("app", [flask_app, starlette_app])
def test_an_endless_response_in_this_process(app: Callable[[list[str], str, str], object]) -> None:
    closed: list[str] = []
    judged_to_the_first_event(in_process(app(closed, "text/event-stream", "data: x\n\n")))
    judged_to_the_first_byte(in_process(app(closed, "application/x-ndjson", "{}\n")))
    assert closed == ["closed", "closed"]


@pytest.mark.parametrize("app", [flask_app, starlette_app])
def test_an_endless_response_without_the_key_ends_with_the_timeout(
    app: Callable[[list[str], str, str], object],
) -> None:
    closed: list[str] = []
    sample = in_process(app(closed, "text/event-stream", "data: x\n\n"), WHOLE)
    assert (sample.failure, closed) == (Failure.TIMEOUT, ["closed"])
    assert "metric_of: first_byte" in (sample.detail or "")


def test_what_an_application_does_after_a_short_response_is_not_interrupted() -> None:
    done: list[str] = []

    async def application(
        scope: MutableMapping[str, Any], receive: Any, send: Callable[[Any], Awaitable[None]]
    ) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"all of it"})
        await receive()
        done.append(scope["path"])

    judged_to_the_first_byte(in_process(application))
    assert done == ["/it"]
