"""Values that differ from request to request, as they arrive at a real server."""

from __future__ import annotations

import io
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.baselines import load
from werkzeug.formparser import parse_form_data

from perfcheck.client.client import Client
from perfcheck.client.prepared_request import RequestPlan, wire_request
from perfcheck.client.values import Numbers
from perfcheck.engine.check import check
from perfcheck.engine.compare_live import compare_live
from perfcheck.model import Baseline, DataFile, Endpoint, Failure
from perfcheck.runfile import encode_run
from perfcheck.text import Redactor

POST = "method: POST, repeatable: true"


@dataclass
class Received:
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> list[str]:
        return [unquote(segment, errors="strict") for segment in self.target.partition("?")[0].split("/")[1:]]

    @property
    def query(self) -> list[tuple[str, str]]:
        text = self.target.partition("?")[2]
        return parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")

    @property
    def parts(self) -> tuple[list[tuple[str, str]], dict[str, bytes]]:
        """The texts and the files of a form."""
        environ = {
            "wsgi.input": io.BytesIO(self.body),
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": self.headers["Content-Type"],
            "CONTENT_LENGTH": str(len(self.body)),
        }
        _, form, files = parse_form_data(environ, silent=False)
        contents = {}
        for name, file in files.items():
            with closing(file):
                contents[name] = file.read()
        return list(form.items(multi=True)), contents


@dataclass
class Service:
    url: str
    answers: dict[str, bytes | Iterator[bytes]] = field(default_factory=dict)  # by path
    received: list[Received] = field(default_factory=list)


@contextmanager
def recording() -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            service.received.append(Received(self.path, dict(self.headers.items()), body))
            answer = service.answers.get(self.path, b"{}")
            answer = answer if isinstance(answer, bytes) else next(answer)
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(answer), answer)
            )

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        service = Service(f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield service
        server.shutdown()


def baseline(folder: Path, url: str, endpoints: str, env: dict[str, str] | None = None, *, top: str = "") -> Baseline:
    text = f"version: 1\nservice: {{base_url: '{url}'}}\nsampling: {{warmup: 0}}\n{top}endpoints:\n{endpoints}"
    return load(folder, text, env)


def received(
    folder: Path, keys: str, env: dict[str, str] | None = None, *, seed: int = 1, times: int = 1
) -> list[Received]:
    with recording() as service:
        loaded = baseline(folder, service.url, f"  it: {{{keys}}}\n", env)
        with Client(loaded.service, redact=Redactor(), seed=seed) as client:
            samples = [client.send(loaded.endpoints[0]) for _ in range(times)]
    assert [sample.failure for sample in samples] == [None] * times
    return service.received


# --- Any value -------------------------------------------------------------------------------------------------------

PLACES = {
    "path": "path: '/a/${data.v}/b'",
    "query": "path: /a, query: {v: '${data.v}', fixed: '1'}",
    "header": "path: /a, headers: {X-Value: '(${data.v})'}",
    "form": f"path: /a, {POST}, form: {{v: '${{data.v}}', fixed: '1'}}",
    "json": f"path: /a, {POST}, json: {{v: '${{data.v}}', list: ['<${{data.v}}>'], fixed: 1}}",
    "body": f"path: /a, {POST}, body: '${{data.v}}'",
    "multipart": f"path: /a, {POST}, multipart: {{v: '${{data.v}}', file: {{file: values.csv}}}}",
}


def expected(place: str, value: str) -> Any:
    return {
        "path": ["a", value, "b"],
        "query": [("v", value), ("fixed", "1")],
        "header": f"({value})",
        "form": [("v", value), ("fixed", "1")],
        "json": {"v": value, "list": [f"<{value}>"], "fixed": 1},
        "body": value.encode(),
        "multipart": ([("v", value)], {"file": b"v\nx\n"}),
    }[place]


def arrived(place: str, request: Received) -> Any:
    match place:
        case "path":
            return request.path
        case "query":
            return request.query
        case "header":
            return request.headers["X-Value"]
        case "form":
            return parse_qsl(request.body.decode(), keep_blank_values=True, errors="strict")
        case "json":
            return json.loads(request.body)
        case "body":
            return request.body
    return request.parts


def is_unfit(place: str, value: str) -> bool:
    if place == "header":
        return not value.isascii() or not value.replace("\t", " ").isprintable()
    if place == "multipart":
        return "perfcheck-part-" in value
    return place == "path" and value in {"", ".", ".."}


def test_any_value_arrives_as_it_is_or_is_a_clear_failure(tmp_path: Path) -> None:
    (tmp_path / "values.csv").write_text("v\nx\n")
    endpoints = "".join(f"  {place}: {{data: values.csv, {keys}}}\n" for place, keys in PLACES.items())
    with recording() as service:
        loaded = baseline(tmp_path, service.url, endpoints)
        with Client(loaded.service, redact=Redactor()) as client:
            names = {place: set(headers_of(client, service, loaded, place)) for place in PLACES}

            @given(st.sampled_from(sorted(PLACES)), any_value)
            def check_it(place: str, value: str) -> None:
                service.received.clear()
                sample = client.send(with_value(loaded, place, value))
                if is_unfit(place, value):
                    assert (sample.failure, service.received) == (Failure.WRONG_ANSWER, [])
                    assert sample.latency_ms is None
                    assert sample.detail is not None
                    assert sample.detail.startswith("cannot be sent: ${data.v} ")
                else:
                    assert sample.failure is None
                    (request,) = service.received
                    assert arrived(place, request) == expected(place, value)
                    assert set(request.headers) == names[place]

            check_it()


any_value = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="./\\\r\n\0%+&=;?#\"'{}[]: $\t-é", max_size=12),
    st.sampled_from(
        [".", "..", "", "%2e%2e", "../../admin", "a\r\nX-Evil: 1", "x\r\n\r\nGET /evil HTTP/1.1", '"}', "*"]
    ),
)


def with_value(loaded: Baseline, place: str, value: str) -> Endpoint:
    """As if it had come from a response: what is in a file is checked when the baseline is read."""
    (endpoint,) = (each for each in loaded.endpoints if each.name == place)
    return replace(endpoint, data=DataFile("values.csv", {"v": [value]}, [2]))


def headers_of(client: Client, service: Service, loaded: Baseline, place: str) -> dict[str, str]:
    client.send(with_value(loaded, place, "plain"))
    return service.received[-1].headers


def test_what_is_inserted_is_what_httpx_and_h11_would_send(tmp_path: Path) -> None:
    keys = "path: '/a/${data.v}', query: {v: '${data.v}'}, headers: {X-Value: '${counter}'}, " + POST
    keys += ", json: ['${data.v}']"
    (tmp_path / "values.csv").write_text("v\nx\n")
    loaded = baseline(tmp_path, "http://user:word@localhost:1/base", f"  it: {{data: values.csv, {keys}}}\n")
    plan = RequestPlan(loaded.service, loaded.endpoints[0], None)

    @given(any_value.filter(lambda value: not is_unfit("path", value)))
    def check_it(value: str) -> None:
        prepared = plan.prepared({"data.v": value, "counter": "3"})
        assert prepared.wire_request == wire_request(prepared.request, None)

    check_it()


# --- Which values ----------------------------------------------------------------------------------------------------

ALL = (
    "path: '/${uuid}', query: {n: '${counter}', r: '${random:8}', i: '${now:iso}', u: '${now:unix}', again: '${uuid}'}"
)


def test_a_value_is_the_same_throughout_a_request_and_differs_in_the_next(tmp_path: Path) -> None:
    requests = received(tmp_path, ALL, times=3)
    ids = [request.path[0] for request in requests]
    assert [dict(request.query)["again"] for request in requests] == ids
    assert len(set(ids)) == 3
    assert all(str(uuid.UUID(each)) == each and uuid.UUID(each).version == 4 for each in ids)
    assert all(uuid.UUID(each).variant == uuid.RFC_4122 for each in ids)
    assert [dict(request.query)["n"] for request in requests] == ["1", "2", "3"]
    letters = [dict(request.query)["r"] for request in requests]
    assert all(len(text) == 8 and text.isalnum() and text == text.lower() for text in letters)
    assert len(set(letters)) == 3


def test_the_same_seed_gives_the_same_values(tmp_path: Path) -> None:
    first, same, other = (
        [request.target.partition("&i=")[0] for request in received(tmp_path, ALL, seed=seed, times=3)]
        for seed in (1, 1, 2)
    )
    assert first == same
    assert not set(first) & set(other)


def test_rows_are_used_in_turn_from_the_first(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_bytes(b'\xef\xbb\xbfid, email\r\n1,a@example.com\r\n\r\n2,"b, ""c""\r\nd"\r\n')
    requests = received(tmp_path, "path: '/${data.id}', data: users.csv, query: {e: '${data.email}'}", times=3)
    assert [[*request.path, request.query[0][1]] for request in requests] == [
        ["1", "a@example.com"],
        ["2", 'b, "c"\r\nd'],
        ["1", "a@example.com"],
    ]


def test_json_lines_and_types(tmp_path: Path) -> None:
    rows = [{"id": 7, "ok": True, "tags": ["a", {"b": None}], "name": "x", "price": 1.5, "none": None}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    keys = (
        "{id: '${data.id:int}', text: '${data.id}', ok: '${data.ok:bool}', tags: '${data.tags:json}', n: '${N:number}',"
    )
    keys += (
        " price: '${data.price:number}', none: '${data.none:json}', name: '${data.name}', count: ['${counter:int}'],"
    )
    keys += " flag: '${FLAG:bool}', any: '${ANY:json}'}"
    env = {"N": "-1.50e+3", "FLAG": "True", "ANY": ' {"a": [1, "${x}"]} '}
    (request,) = received(tmp_path, f"path: /, data: rows.jsonl, {POST}, json: {keys}", env)
    assert json.loads(request.body) == {
        **rows[0],
        "text": "7",
        "n": -1500.0,
        "count": [1],
        "flag": True,
        "any": {"a": [1, "${x}"]},
    }
    assert b'"n": -1.50e+3' in request.body


def test_a_captured_value_that_is_not_of_its_type_is_a_failed_request(tmp_path: Path) -> None:
    steps = "one: {path: /one, capture: {id: {json: $.id}}}, two: {path: /two, " + POST + ", json: {id: '${id:int}'}}"
    with recording() as service:
        loaded = baseline(tmp_path, service.url, f"  it: {{steps: {{{steps}}}}}\n")
        with Client(loaded.service, redact=Redactor()) as client:
            service.answers["/one"] = b'{"id": 12}'
            assert client.send(loaded.endpoints[0]).failure is None
            service.answers["/one"] = b'{"id": "1; drop"}'
            sample = client.send(loaded.endpoints[0])
    assert service.received[1].body == b'{"id": 12}'
    assert (sample.failure, sample.latency_ms) == (Failure.WRONG_ANSWER, None)
    assert sample.detail == "step 'two': cannot be sent: ${id} is not a whole number"
    assert len(service.received) == 3


def test_a_value_is_the_same_in_all_steps_of_a_pass(tmp_path: Path) -> None:
    create = f"{{path: /users, {POST}, json: {{id: '${{uuid}}', n: '${{data.n:int}}'}}}}"
    steps = f"create: {create}, get: {{path: '/users/${{uuid}}'}}"
    (tmp_path / "n.csv").write_text("n\n5\n6\n")
    first, get, again, _ = received(tmp_path, f"data: n.csv, steps: {{{steps}}}", times=2)
    assert json.loads(first.body) == {"id": get.path[1], "n": 5}
    assert json.loads(again.body)["n"] == 6
    assert json.loads(again.body)["id"] != get.path[1]


def test_setup_and_teardown_have_values_of_their_own(tmp_path: Path) -> None:
    with recording() as service:
        top = "setup:\n  it: {path: '/in/${uuid}'}\nteardown:\n  out: {path: '/out/${counter}'}\n"
        loaded = baseline(tmp_path, service.url, "  it: {path: '/it/${uuid}', target: 5s}\n", top=top)
        run = check(loaded, seed=4).run
    assert run.endpoints[0].requests.failed == 0
    assert service.received[-1].target == "/out/1"
    ids = [request.path[1] for request in service.received[:-1]]
    kinds = [request.path[0] for request in service.received]
    assert list(dict.fromkeys(kinds[1:])) == ["in", "it", "out"]
    assert len(set(ids)) == len(ids)


def test_what_was_made_ahead_with_an_old_token_is_made_anew(tmp_path: Path) -> None:
    login = "{path: /login, capture: {token: {json: $.token}}, renew: 1us}"
    keys = "path: /it, headers: {X-Token: '${token}', X-Number: '${counter}'}"
    with recording() as service:
        loaded = baseline(tmp_path, service.url, f"  it: {{{keys}}}\n", top=f"setup:\n  login: {login}\n")
        with Client(loaded.service, redact=Redactor()) as client:

            def once_the_next_was_made() -> Iterator[bytes]:
                while True:
                    until_s = time.monotonic() + 0.5
                    while not client._plans.ahead and time.monotonic() < until_s:
                        time.sleep(0.001)
                    yield b"{}"

            service.answers["/login"] = (b'{"token": "token-%d"}' % number for number in count(1))
            service.answers["/it"] = once_the_next_was_made()
            client.set_up(loaded.setup)
            assert [client.send(loaded.endpoints[0]).failure for _ in range(4)] == [None] * 4
    sent = [request.headers for request in service.received if request.target == "/it"]
    assert [(headers["X-Number"], headers["X-Token"]) for headers in sent] == [
        (str(number), f"token-{number + 1}") for number in range(1, 5)
    ]


@pytest.mark.usefixtures("short_pauses")
def test_secret_columns_are_in_no_output(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("".join(["user,password\n", *(f"u{n},hunter/{n}/hunter\n" for n in range(40))]))
    with recording() as service:
        service.answers = {f"/u{n}": f'{{"you sent": "hunter/{n}/hunter"}}'.encode() for n in range(40)}
        keys = f"path: '/${{data.user}}', {POST}, form: {{p: '${{data.password}}'}}, data: users.csv, expect: 404"
        run = check(baseline(tmp_path, service.url, f"  it: {{{keys}}}\n")).run
    assert run.endpoints[0].requests.failed > 0
    text = encode_run(run)
    assert b"you sent" in text
    assert b"hunter" not in text


def test_both_requests_of_a_pair_insert_the_same_values(tmp_path: Path) -> None:
    with recording() as one, recording() as two:
        sides = [baseline(tmp_path, each.url, "  it: {path: '/${uuid}', target: 5s}\n") for each in (one, two)]
        compare_live(*sides, max_pairs=20)
    before, after = ({request.path[0] for request in each.received if request.path != [""]} for each in (one, two))
    assert before == after
    assert len(before) >= 5


def test_half_a_pair_does_not_keep_the_sides_apart() -> None:
    numbers = Numbers()
    clients = [1, 2, 2, 1, 1, 1, 2]  # the fifth request has no other half
    assert [numbers.following("it", client) for client in clients] == [1, 1, 2, 2, 3, 4, 4]
    assert numbers.following("other", 1) == 1


def test_the_address_is_shown_as_it_is_written(tmp_path: Path) -> None:
    loaded = baseline(tmp_path, "http://localhost:1", "  it: {path: '/a/${uuid}', query: {n: 'no. ${counter}'}}\n")
    with Client(loaded.service, redact=Redactor()) as client:
        assert client.url_shown(loaded.endpoints[0]) == "http://localhost:1/a/${uuid}?n=no.%20${counter}"


# --- Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "headers", "content_type"),
    [
        ("a.json", "", "application/json"),
        ("a.bin", "", "application/octet-stream"),
        ("a.unknown", "", "application/octet-stream"),
        ("a.csv.gz", "", "application/gzip"),
        ("a.png", ", headers: {content-type: image/x-own}", "image/x-own"),
    ],
)
def test_a_body_from_a_file(tmp_path: Path, name: str, headers: str, content_type: str) -> None:
    content = bytes(range(256)) + b"${uuid}\r\n"
    (tmp_path / name).write_bytes(content)
    (request,) = received(tmp_path, f"path: /, {POST}, body_file: {name}{headers}")
    assert request.body == content
    assert {key.lower(): value for key, value in request.headers.items()}["content-type"] == content_type


def test_a_multipart_body_is_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\r\n--x")
    other = "{file: photo.jpg, filename: 'ä\".bin', content_type: text/x}"
    parts = f"{{title: 'A \"photo\"', tag: [a, b], photo: {{file: photo.jpg}}, other: {other}}}"
    headers = "headers: {Content-Type: application/json}"
    first, second = received(tmp_path, f"path: /, {POST}, {headers}, multipart: {parts}", times=2)
    assert first == second
    texts, files = first.parts
    assert texts == [("title", 'A "photo"'), ("tag", "a"), ("tag", "b")]
    assert files == {"photo": b"\xff\xd8\r\n--x", "other": b"\xff\xd8\r\n--x"}
    assert b'name="photo"; filename="photo.jpg"\r\nContent-Type: image/jpeg\r\n' in first.body
    assert b"Content-Type: text/x\r\n" in first.body


def test_a_value_in_a_multipart_body_changes_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(range(256)))
    one, two = received(tmp_path, f"path: /, {POST}, multipart: {{id: '${{uuid}}', a: {{file: a.bin}}}}", times=2)
    assert one.headers == two.headers
    assert one.parts[1] == two.parts[1] == {"a": bytes(range(256))}
    assert one.parts[0] != two.parts[0]
