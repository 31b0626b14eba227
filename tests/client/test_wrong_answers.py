"""A wrong answer with a right status, from real sockets and from an application in this process."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apps.faulty_server import (
    Conversation,
    every_request,
    read_request,
    response,
    server,
    wait_for_the_client_to_leave,
)
from support.baselines import load, load_endpoint
from support.command import perfcheck

from perfcheck.client.client import Client
from perfcheck.client.in_process import InProcessClient
from perfcheck.errors import UsageError
from perfcheck.model import Capture, CaptureFrom, Endpoint, Failure, Sample, Service
from perfcheck.text import Redactor

JSON = "Content-Type: application/json"
RIGHT = {"total": 1, "items": [{"id": 1, "title": "All Is Full of Love"}], "errors": None}
SCHEMA = {"properties": {"items": {"items": {"required": ["id"]}}}, "required": ["items"]}


def ask(endpoint: Endpoint, answer: bytes, secrets: tuple[str, ...] = ()) -> Sample:
    with (
        server(every_request(answer)) as running,
        Client(Service(base_url=running.url()), redact=Redactor(secrets)) as client,
    ):
        return client.send(endpoint)


def expecting(folder: Path, keys: str) -> Endpoint:
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    return load_endpoint(folder, keys)


@pytest.mark.parametrize(
    ("keys", "wrong", "detail"),
    [
        ("expect: {json: {$.total: '>= 1'}}", {"total": 0}, "$.total: expected >= 1, got 0"),
        (
            "expect: {json: {'$.items[*].id': {type: integer}}}",
            {"items": []},
            "$.items[*].id: expected type integer, got nothing",
        ),
        ("expect: {json: {$.items: {length: '>= 1'}}}", {"items": []}, "$.items: expected length >= 1, got 0"),
        ("expect: {json: {$.errors: null}}", {"errors": "x"}, "$.errors: expected null, got 'x'"),
        ("expect: {text: Love}", {"items": []}, "the body does not contain 'Love'"),
        ("expect: {text: {matches: 'L.ve'}}", {"items": []}, "the body does not match 'L.ve'"),
        ("expect: {header: {X-Right: exists}}", {}, "header X-Right not found"),
        ("expect: {schema: schema.json}", {"items": [{}]}, 'schema: $.items[0]: "id" is a required property'),
        ("expect: {max_bytes: 100}", {"a": "x" * 100}, "the body: expected at most 100 B, got 109 B"),
        ("graphql: {query: '{videos {id}}'}", {"errors": [{"message": "no field id"}]}, "GraphQL error: no field id"),
    ],
)
def test_a_wrong_answer_at_200_is_a_failure(tmp_path: Path, keys: str, wrong: Any, detail: str) -> None:
    endpoint = expecting(tmp_path, keys)
    right = ask(endpoint, response(json.dumps(RIGHT).encode(), JSON, "X-Right: yes"))
    assert (right.failure, right.status) == (None, 200)
    assert right.latency_ms is not None
    sample = ask(endpoint, response(json.dumps(wrong).encode(), JSON))
    assert (sample.failure, sample.status, sample.latency_ms) == (Failure.WRONG_ANSWER, 200, None)
    assert sample.detail == f"wrong answer: {detail}"


def test_it_is_decoded_first_and_its_beginning_is_kept(tmp_path: Path) -> None:
    endpoint = expecting(tmp_path, "expect: {text: Love}")
    packed = gzip.compress(b"<h1>Down for maintenance</h1>")
    sample = ask(endpoint, response(packed, "Content-Encoding: gzip", "Content-Type: text/html"))
    assert sample.detail == "wrong answer: the body does not contain 'Love'"
    assert sample.body_excerpt == "Down for maintenance"
    assert ask(endpoint, response(gzip.compress(b"Love"), "Content-Encoding: gzip")).failure is None
    assert ask(endpoint, response(packed[:12], "Content-Encoding: gzip")).failure is Failure.DECODING


def test_an_unexpected_status_comes_first(tmp_path: Path) -> None:
    endpoint = expecting(tmp_path, "expect: {status: 200, json: {$.total: exists}}")
    sample = ask(endpoint, response(b"no", status="503 Service Unavailable"))
    assert (sample.failure, sample.detail) == (Failure.STATUS, "503 Service Unavailable")


def test_an_expected_error_status_has_its_answer_checked(tmp_path: Path) -> None:
    endpoint = expecting(tmp_path, "expect: {status: 404, json: {$.error: exists}}")
    assert ask(endpoint, response(b'{"error": 1}', status="404 Not Found")).failure is None
    assert ask(endpoint, response(b"{}", status="404 Not Found")).detail == "wrong answer: $.error not found"


def test_an_empty_body_is_a_wrong_answer_unless_to_head(tmp_path: Path) -> None:
    endpoint = expecting(tmp_path, "expect: {json: {$.error: absent}}")
    assert ask(endpoint, b"HTTP/1.1 204 No Content\r\n\r\n").detail == "wrong answer: the body is empty, not JSON"
    head = load_endpoint(tmp_path, "method: HEAD", above="defaults: {expect: {text: Love, header: {ETag: exists}}}")
    assert ask(head, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nETag: x\r\n\r\n").failure is None
    assert ask(head, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").detail == "wrong answer: header ETag not found"


EVENTS = b': hello\n\nevent: a\ndata: {"total":\ndata: %d}\n\ndata: {"total": 9}\n\n'


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("total", "detail"), [(0, "wrong answer: $.total: expected 1, got 0"), (1, None)])
def test_of_a_stream_it_is_the_first_event(tmp_path: Path, total: int, detail: str | None, *, packed: bool) -> None:
    endpoint = expecting(tmp_path, "metric_of: first_byte, expect: {json: {$.total: 1}, text: 'event: a'}")
    head = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", *(["Content-Encoding: gzip"] if packed else [])]
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    events = EVENTS % total
    body = packer.compress(events) + packer.flush(zlib.Z_SYNC_FLUSH) if packed else events
    with (
        server(sending("\r\n".join([*head, "", ""]).encode() + body)) as running,
        Client(Service(base_url=running.url()), redact=Redactor()) as client,
    ):
        assert client.send(endpoint).detail == detail


def sending(answer: bytes) -> Conversation:
    """Which then has no end."""

    def converse(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)
        wait_for_the_client_to_leave(connection)

    return converse


def test_a_body_with_a_condition_is_read_to_its_end_where_its_first_byte_is_judged(tmp_path: Path) -> None:
    answer = response(b"x" * 1_500_000 + b"Love")
    for text, failure in (("Love", None), ("Hate", Failure.WRONG_ANSWER)):
        sample = ask(expecting(tmp_path, f"metric_of: first_byte, expect: {{text: {text}}}"), answer)
        assert (sample.failure, sample.phases.download_ms) == (failure, None)
        assert sample.body_bytes == (None if failure else 1_500_004)
    only_head = ask(expecting(tmp_path, "metric_of: first_byte, expect: {header: {ETag: exists}}"), answer)
    assert only_head.detail == "wrong answer: header ETag not found"


def test_no_secret_is_in_what_is_reported(tmp_path: Path) -> None:
    token = 'to"ken&' * 9
    (tmp_path / "schema.json").write_text(json.dumps({"additionalProperties": {"maxLength": 63}, "maxProperties": 1}))
    endpoint = load_endpoint(tmp_path, "expect: {json: {$.a: '${TOKEN}'}, schema: schema.json}", {"TOKEN": token})
    for body in ({"a": f"x{token}"}, {"a": token, "b": 1}, {"a": token, token: 1}):
        sample = ask(endpoint, response(json.dumps(body).encode(), JSON), (token,))
        assert sample.failure is Failure.WRONG_ANSWER
        assert "ken" not in f"{sample.detail} {sample.body_excerpt}"


def test_of_an_answer_with_captured_values_no_value_is_shown(tmp_path: Path) -> None:
    text = """version: 1
service: {base_url: http://localhost}
setup:
  login: {path: /, capture: {token: {json: $.token}}, expect: {json: {$.token: {matches: "^x"}, $.refresh: 1}}}
endpoints: {a: {path: /}}
"""
    (login,) = load(tmp_path, text).setup
    for answer, detail in (
        ({"token": "abcd"}, "$.token does not match '^x'"),
        ({"token": "x", "refresh": "abcd"}, "$.refresh: expected 1"),
    ):
        sample = ask(login, response(json.dumps(answer).encode(), JSON))
        assert (sample.detail, sample.body_excerpt) == (f"wrong answer: {detail}, got ***", None)


def test_the_answer_of_an_application_in_this_process_is_checked(tmp_path: Path) -> None:
    def application(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        yield b'{"total": 0}'

    service = Service("http://testserver")
    with InProcessClient(service, redact=Redactor(), application=application) as client:
        client.wait_until_ready()
        sample = client.send(expecting(tmp_path, "expect: {json: {$.total: '>= 1'}}"))
    assert (sample.failure, sample.detail) == (Failure.WRONG_ANSWER, "wrong answer: $.total: expected >= 1, got 0")


def test_a_schema_that_has_gone_since_is_a_usage_error(tmp_path: Path) -> None:
    endpoint = expecting(tmp_path, "expect: {schema: schema.json}")
    (tmp_path / "schema.json").unlink()
    with pytest.raises(UsageError, match=r"it: expect: schema\.json cannot be read"):
        ask(endpoint, response())


@pytest.mark.usefixtures("short_pauses")
def test_a_run_reports_it_with_its_remedy(tmp_path: Path) -> None:
    with server(every_request(response(b'{"total": 0}', JSON))) as running:
        (tmp_path / "baselines.yaml").write_text(f"""version: 1
service: {{base_url: "{running.url()}"}}
sampling: {{confirm: 0, warmup: 0}}
endpoints:
  a:
    path: /a
    expect: {{json: {{$.total: ">= 1"}}}}
""")
        done = perfcheck("run", "-o", "run.json", cwd=tmp_path)
    assert done.returncode == 1
    shown = " ".join(done.stdout.split())
    assert 'wrong answer: $.total: expected >= 1, got 0; first body: {"total": 0}' in shown
    assert "if this answer is right, correct 'expect'" in shown
    (endpoint,) = json.loads((tmp_path / "run.json").read_text())["endpoints"]
    assert [finding["line"] for finding in endpoint["findings"] if finding["rule"] == "error-rate"] == [7]
    assert list(endpoint["errors"]) == ["wrong answer"]
    assert set(endpoint["timeline"]["outcome"]) == {"wrong answer"}


def test_the_reference_of_the_run_file_lists_every_kind_of_failure() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "run-file.md").read_text(encoding="utf-8")
    assert f"failures by kind: {', '.join(f'`{kind}`' for kind in Failure)} |" in page


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("$.id", b"", "the response is empty, not JSON"),
        ("$.id", b"<html>", "the response is not JSON: invalid character at byte 1"),
        ("$.id", b'{"id": "\xff"}', "the response is not JSON: Invalid UTF-8 encoded string"),
        ("$.id", b"[" * 100_000, "the response is nested too deep"),
        ("$..id", b'{"a": ' * 500 + b"1" + b"}" * 500, "the response does not have it"),
        ("$..[?@.id]", b'{"a": ' * 500 + b"1" + b"}" * 500, "the document is nested too deep for $..[?@.id]"),
    ],
)
def test_a_value_is_captured_from_json_only(path: str, body: bytes, reason: str) -> None:
    endpoint = Endpoint(name="login", path="/", line=1, captures=(Capture("id", CaptureFrom.JSON, path),))
    sample = ask(endpoint, response(body, JSON))
    assert (sample.failure, sample.detail) == (
        Failure.WRONG_ANSWER,
        f"cannot capture 'id' from json {path}: {reason}",
    )
