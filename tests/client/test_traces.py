"""The header with which each request begins a trace."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from apps.faulty_server import Conversation, read_request, response, server
from apps.http2_server import http2
from flask import Flask, request
from h2.connection import H2Connection
from h2.events import Event, RequestReceived

from perfcheck.client.client import Client
from perfcheck.client.in_process import InProcessClient
from perfcheck.model import Endpoint, MetricOf, Sample, Service
from perfcheck.text import Redactor

IT = Endpoint(name="it", path="/it", line=1)
HEADER = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01")


def answering(seen: list[bytes], answer: Callable[[bytes], bytes] = lambda _: response()) -> Conversation:
    def converse(connection: socket.socket) -> None:
        while data := read_request(connection):
            seen.append(data)
            connection.sendall(answer(data))

    return converse


def parents(seen: list[bytes]) -> list[str]:
    return [value for data in seen for value in re.findall(r"(?im)^traceparent: (.*)\r$", data.decode())]


def samples_of(converse: Conversation, endpoint: Endpoint = IT, times: int = 3, **service: Any) -> list[Sample]:
    with (
        server(converse) as running,
        Client(Service(running.url(), **{"trace": True, **service}), redact=Redactor()) as client,
    ):
        samples = [client.send(endpoint) for _ in range(times)]
    assert [sample.failure for sample in samples] == [None] * times
    return samples


def ids_of(values: list[str]) -> tuple[list[str], list[str]]:
    matches = [HEADER.fullmatch(value) for value in values]
    return [match[1] for match in matches if match], [match[2] for match in matches if match]


def test_each_request_begins_a_trace_of_its_own() -> None:
    seen: list[bytes] = []
    samples = samples_of(answering(seen))
    traces, spans = ids_of(parents(seen))
    assert traces == [sample.trace_id for sample in samples]
    assert len(set(traces)) == len(set(spans)) == 3


def test_none_without_the_setting() -> None:
    seen: list[bytes] = []
    samples = samples_of(answering(seen), trace=False)
    assert parents(seen) == []
    assert [sample.trace_id for sample in samples] == [None] * 3


def test_the_rest_of_a_request_stays_as_it_is() -> None:
    seen: list[bytes] = []
    endpoint = replace(IT, method="POST", content="a\r\n\r\nb" * 1000, headers=(("X-Key", "k"),))
    samples_of(answering(seen), endpoint, times=1)
    samples_of(answering(seen), endpoint, times=1, trace=False)
    with_trace, without = seen
    host = re.compile(rb"Host: \S+")
    assert host.sub(b"", re.sub(rb"traceparent: .*\r\n", b"", with_trace)) == host.sub(b"", without)


def test_a_header_of_the_baseline_wins() -> None:
    seen: list[bytes] = []
    samples = samples_of(answering(seen), replace(IT, headers=(("TraceParent", "mine"),)))
    assert parents(seen) == ["mine"] * 3
    assert [sample.trace_id for sample in samples] == [None] * 3


def test_redirects_are_of_one_trace() -> None:
    def answer(data: bytes) -> bytes:
        return response(b"", "Location: /there", status="302 Found") if b"/it " in data else response()

    seen: list[bytes] = []
    (sample,) = samples_of(answering(seen, answer), replace(IT, follow_redirects=True), times=1)
    traces, spans = ids_of(parents(seen))
    assert traces == [sample.trace_id] * 2
    assert len(set(spans)) == 2


def test_the_steps_of_a_workflow_are_of_one_trace() -> None:
    seen: list[bytes] = []
    steps = (replace(IT, name="first"), replace(IT, name="second", metric_of=MetricOf.FIRST_BYTE))
    samples = samples_of(answering(seen), replace(IT, steps=steps))
    traces, spans = ids_of(parents(seen))
    assert traces == [sample.trace_id for sample in samples for _ in steps]
    assert len(set(traces)) == 3
    assert len(set(spans)) == 6


def test_http2() -> None:
    seen: list[str] = []

    def on_event(state: H2Connection, stream: int, event: Event) -> None:
        if isinstance(event, RequestReceived):
            seen.extend(value.decode() for name, value in event.headers or [] if name == b"traceparent")
            state.send_headers(stream, [(":status", "204")], end_stream=True)

    samples = samples_of(http2(on_event), http2=True)
    assert ids_of(seen)[0] == [sample.trace_id for sample in samples]


def test_an_application_in_this_process() -> None:
    app, seen = Flask("app"), list[str]()

    @app.get("/it")
    def it() -> str:
        seen.append(request.headers["traceparent"])
        return ""

    with InProcessClient(Service("http://testserver", trace=True), redact=Redactor(), application=app) as client:
        samples = [client.send(IT) for _ in range(2)]
    assert ids_of(seen)[0] == [sample.trace_id for sample in samples]
