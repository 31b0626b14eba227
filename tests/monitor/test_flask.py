"""A Flask app on Flask's own server: what the monitor sees of it, and that the app does not see the monitor."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from apps import flask_app
from apps.serving import werkzeug
from flask import Flask
from support.command import perfcheck as perfcheck_command
from support.waiting import eventually
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import perfcheck.monitor
from perfcheck.judge.server_timing import parse_descriptions, parse_server_timing
from perfcheck.monitor import configure, statistics
from perfcheck.monitor import flask as monitor_flask
from perfcheck.monitor.statistics import EndpointStatistics, Snapshot

API = "/api/performance"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DIR", "TOKEN", "SERVER_TIMING"):
        monkeypatch.delenv(f"PERFCHECK_MONITOR_{name}", raising=False)
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with werkzeug(flask_app.create_app()) as url, httpx.Client(base_url=url, trust_env=False) as client:
        yield client


def ended(total: int) -> Snapshot:
    """The statistics, once so many requests have ended: the server closes a response after the client has it all."""
    return eventually(lambda: (found := statistics()).total >= total and found)


def one(name: str, total: int = 1) -> EndpointStatistics:
    found = ended(total).endpoint(name)
    assert found is not None
    return found


def test_a_view_is_named_by_its_rule_with_the_prefix_of_its_blueprint(client: httpx.Client) -> None:
    for number in (1, 2, 3):
        assert client.get(f"/api/items/{number}").json()["name"] == f"item {number}"
    found = one("GET /api/items/<int:number>", 3)
    assert (found.total, found.errors, found.statuses) == (3, 0, {200: 3})
    assert (found.queries.total, found.queries.max) == (3, 1)
    assert found.sizes.count == 3


def test_the_name_of_the_decorator_stands_and_the_request_is_counted_once(client: httpx.Client) -> None:
    client.get("/api/named")
    assert [(found.name, found.total) for found in ended(1).endpoints] == [("api.shop.named", 1)]


def test_paths_without_a_view_are_one_endpoint(client: httpx.Client) -> None:
    for number in range(30):
        assert client.get(f"/nothing/{number}").status_code == 404
    assert client.get("/api/items/not-a-number").status_code == 404
    found = ended(31)
    assert [(found.name, found.total) for found in found.endpoints] == [("GET (unmatched)", 31)]
    assert found.endpoints[0].errors == 0


@pytest.mark.parametrize(
    ("path", "status", "errors"), [("fails", 500, 1), ("handled", 418, 0), ("gone", 410, 0), ("items/7", 200, 0)]
)
def test_statuses_and_errors(client: httpx.Client, path: str, status: int, errors: int) -> None:
    assert client.get(f"/api/{path}").status_code == status
    (found,) = ended(1).endpoints
    assert (found.statuses, found.errors) == ({status: 1}, errors)


def test_methods_of_one_rule_are_apart(client: httpx.Client) -> None:
    client.get("/api/fails")
    client.post("/api/fails")
    client.put("/api/fails")
    assert {found.name: found.statuses for found in ended(3).endpoints} == {
        "GET /api/fails": {500: 1},
        "POST /api/fails": {500: 1},
        "PUT (unmatched)": {405: 1},
    }


def test_a_stream_is_timed_to_its_last_byte(client: httpx.Client) -> None:
    assert len(client.get("/api/stream?pieces=5").content) == 5000
    found = one("GET /api/stream")
    assert found.sizes.total == 5000
    assert found.min_s is not None
    assert found.min_s > 4 * 0.02  # five pauses of 20 ms, and a clock that rounds


def test_a_client_that_leaves_is_no_error(client: httpx.Client) -> None:
    address = urlsplit(str(client.base_url))
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        connection.sendall(b"GET /api/stream?pieces=100000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1000)
    found = one("GET /api/stream")
    assert (found.disconnects, found.errors, found.in_flight) == (1, 0, 0)


def test_n_plus_one_is_counted_logged_and_reported(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "perfcheck.monitor"):
        client.get("/api/n-plus-one")
        client.get("/api/n-plus-one")
        found = one("GET /api/n-plus-one", 2)
    (repeated,) = found.n_plus_one
    assert (repeated.most, repeated.requests, repeated.shape) == (25, 2, "SELECT name FROM item WHERE id = ?")
    assert repeated.caller is not None
    file, _, line = repeated.caller.rpartition(":")
    source = Path(flask_app.__file__).read_text(encoding="utf-8").splitlines()
    assert file.endswith("apps/flask_app.py")
    assert source[int(line) - 1].endswith("# here: see the tests")
    assert [message.partition(",")[0] for message in caplog.messages if "N+1" in message] == [
        "N+1: GET /api/n-plus-one sent the same statement 25 times in one request"
    ]
    told = client.get(f"{API}/summary").json()["recommendations"]
    assert any("N+1" in sentence and "flask_app.py" in sentence for sentence in told)


def test_server_timing_is_sent_when_it_is_switched_on(client: httpx.Client) -> None:
    assert "server-timing" not in client.get("/api/n-plus-one").headers
    configure(server_timing=True)
    header = client.get("/api/n-plus-one").headers["server-timing"]
    assert {name.partition(".")[0] for name in parse_server_timing(header)} <= {"app", "db", "statement"}
    assert parse_descriptions(header)["db"] == "25 queries, 25 identical"
    assert "render" in parse_server_timing(client.get("/api/named").headers["server-timing"])


def test_the_api_is_served_and_not_counted(client: httpx.Client) -> None:
    assert client.get(f"{API}/health").json()["status"] == "no_data"
    client.get("/api/items/1")
    ended(1)
    health = client.get(f"{API}/health")
    assert health.json()["status"] == "healthy"
    assert health.headers["cache-control"] == "no-store"
    assert client.get(f"{API}/stats").json()["summary"]["total_requests_processed"] == 1
    assert client.post(f"{API}/log-summary").json()["status"] == "not logged"  # at INFO, by default
    assert client.get(f"{API}/metrics").text.endswith("# EOF\n")
    assert client.head(f"{API}/stats").content == b""
    assert client.get(f"{API}/stats?threshold=x").status_code == 400
    assert client.put(f"{API}/stats").headers["allow"] == "GET, HEAD"
    assert client.get(f"{API}/unknown").status_code == 404


def test_a_proxy_in_front_is_not_this_machine(client: httpx.Client) -> None:
    assert client.get(f"{API}/stats", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 403
    assert client.get(f"{API}/stats", headers={"Host": "rebound.example"}).status_code == 403
    configure(token="s3cret")
    assert client.get(f"{API}/stats").status_code == 401
    allowed = client.get(f"{API}/stats", headers={"Authorization": "Bearer s3cret", "X-Forwarded-For": "10.1.1.1"})
    assert allowed.status_code == 200


def test_the_test_client_of_flask_is_monitored_too() -> None:
    app = flask_app.create_app()
    with app.test_client() as client:
        assert client.get("/api/items/3").get_json()["url"] == "/api/items/3"
        assert client.get(f"{API}/health").get_json()["status"] == "healthy"
        app.config["TESTING"] = True
        with pytest.raises(RuntimeError, match="the handler is broken"):
            client.get("/api/fails")
    assert {found.name: found.errors for found in ended(2).endpoints} == {
        "GET /api/items/<int:number>": 0,
        "GET /api/fails": 1,
    }


def test_calling_init_app_twice_counts_once() -> None:
    app = flask_app.create_app()
    monitor_flask.init_app(app)
    app.test_client().get("/api/items/1")
    assert ended(1).total == 1


def test_an_app_within_an_app_is_counted_once() -> None:
    outer, inner = Flask("outer"), flask_app.create_app()
    monitor_flask.init_app(outer)
    outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/shop": inner})  # type: ignore[method-assign]
    assert outer.test_client().get("/shop/api/items/1").status_code == 200
    assert ended(1).total == 1


def test_every_response_is_what_it_is_without_the_monitor() -> None:
    monitored = flask_app.create_app()
    bare = flask_app.create_app()
    bare.wsgi_app = bare.extensions["perfcheck-monitor"]  # type: ignore[method-assign]
    with werkzeug(monitored) as one_url, werkzeug(bare) as other_url, httpx.Client(trust_env=False) as client:
        for path in ("items/1", "named", "stream", "fails", "handled", "gone", "missing", "n-plus-one"):
            answers = [client.get(f"{url}/api/{path}") for url in (one_url, other_url)]
            shown = [(answer.status_code, answer.content, replace_date(list(answer.headers.raw))) for answer in answers]
            assert shown[0] == shown[1], path


def replace_date(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, b"" if name.lower() == b"date" else value) for name, value in headers]


def test_perfcheck_run_names_the_queries_and_n_plus_one(tmp_path: Path) -> None:
    """The header of the monitor, through a real check, to the words of its report."""
    configure(server_timing=True)
    baseline = tmp_path / "baselines.yaml"
    with werkzeug(flask_app.create_app()) as url:
        baseline.write_text(
            f"version: 1\nservice: {{base_url: {url}}}\nsampling: {{confirm: 0}}\n"
            "endpoints:\n  loop: {path: /api/n-plus-one-slow, target: 1ms}\n",
            encoding="utf-8",
        )
        done = perfcheck_command("run", "-f", str(baseline), env={"COLUMNS": "300"})
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"Server-Timing.*db [\d.]+ ms \(25 queries, 25 identical\)", done.stdout)
    assert "likely N+1: 25 identical statements" in done.stdout
    statement = r"statement [\d.]+ ms: WITH RECURSIVE .* FROM n, 25 times, from \S*tests/apps/flask_app.py:\d+\n"
    assert re.search(statement, done.stdout), done.stdout


def test_a_slow_value_of_a_parameter_is_not_lost_in_its_route(client: httpx.Client, tmp_path: Path) -> None:
    configure(variants=["sort"])
    for path in (*["videos/?page=2&sort=title"] * 9, *["videos/?sort=artist%5fname"] * 2, "videos/", "nothing?sort=a"):
        client.get(f"/api/{path}")
    assert {found.name: found.total for found in ended(13).endpoints} == {
        "GET /api/videos/": 1,
        "GET /api/videos/ ?sort=title": 9,
        "GET /api/videos/ ?sort=artist_name": 2,
        "GET (unmatched)": 1,
    }
    baseline = tmp_path / "baselines.yaml"
    baseline.write_text(
        f"""\
version: 1
service: {{base_url: {client.base_url}}}
endpoints:
  by_title: {{path: /api/videos/, query: {{sort: title}}, target: 100ms}}
  by_artist: {{path: /api/videos/, query: {{sort: artist_name}}, target: 100ms}}
"""
    )
    done = perfcheck_command("health", "-f", str(baseline), env={"COLUMNS": "300"})
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith(("OK", "WARNING"))]
    assert [line[:2] for line in lines][:2] == [["WARNING", "by_artist"], ["OK", "by_title"]], done.stdout + done.stderr


def test_the_slowest_statement_of_a_slow_endpoint_is_named_by_the_daily_check(client: httpx.Client) -> None:
    client.get("/api/n-plus-one-slow")
    (slowest,) = one("GET /api/n-plus-one-slow").slow_statements
    done = perfcheck_command("health", "-u", str(client.base_url), "--threshold", "1ms", env={"COLUMNS": "300"})
    statement = (
        rf"help +its slowest statement, [\d.]+ ms in a request, is WITH RECURSIVE .*, from {slowest.caller}; add it to "
    )
    assert re.search(statement, done.stdout), done.stdout
