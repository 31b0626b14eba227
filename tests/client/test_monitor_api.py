"""What a service's statistics API says, read by the client that measures."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from apps.flask_app import create_app
from apps.monitored import API, answer, health, monitored, plain, stats
from apps.service import Handler, ok, service, slow, status
from apps.serving import werkzeug
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.client import monitor_api
from perfcheck.client.client import Client
from perfcheck.client.monitor_api import read_monitor
from perfcheck.model import Endpoint, Fetched, MonitorReading, MonitorStatus, Secret, Service
from perfcheck.text import Redactor

TOKEN = "t0ken-of-the-monitor"


def read(url: str, path: str | None = API, *, token: str | None = None) -> MonitorReading:
    headers = (("Authorization", Secret(f"Bearer {token}", "Bearer ***")),) if token else ()
    redact = Redactor([token] if token else [])
    one = Service(url, monitor=path, headers=headers)
    with Client(one, redact=redact) as client:
        return read_monitor(one, client.fetch, threshold_ms=500, redact=redact, shown=client.url_shown)


def told(*answers: object) -> MonitorReading:
    """The reading of a service that answers so to /health, /stats and /slow, without a network."""
    bodies = iter(json.dumps(one).encode() for one in (*answers, {}, {})[:3])
    redact = Redactor()
    return read_monitor(
        Service("http://localhost"),
        lambda _: Fetched(status=200, body=next(bodies)),
        threshold_ms=500,
        redact=redact,
        shown=lambda one: one.path,
    )


# --- The real monitor ----------------------------------------------------------------------------------------------


def test_the_monitor_of_a_real_application() -> None:
    with werkzeug(create_app()) as url:
        for _ in range(6):
            httpx.get(f"{url}/api/n-plus-one")
        httpx.get(f"{url}/api/slow/30")
        found = read(url)
    assert found.alive
    assert found.status is MonitorStatus.HEALTHY
    names = {one.name: one for one in found.endpoints}
    assert set(names) == {"GET /api/n-plus-one", "GET /api/slow/<int:ms>"}
    repeated = names["GET /api/n-plus-one"]
    assert repeated.requests == 6
    assert repeated.n_plus_one[0].most == 25
    assert repeated.n_plus_one[0].caller is not None
    assert "flask_app.py" in repeated.n_plus_one[0].caller
    assert repeated.p95_ms is not None
    assert 30 <= (names["GET /api/slow/<int:ms>"].mean_ms or 0) < 5000
    assert found.since is not None
    assert found.workers == 1


def test_a_monitor_without_requests_has_no_data() -> None:
    with werkzeug(create_app()) as url:
        found = read(url)
    assert found.alive
    assert found.status is MonitorStatus.NO_DATA
    assert found.endpoints == ()


@pytest.fixture(autouse=True)
def _fresh_statistics() -> Iterator[None]:
    from perfcheck import monitor  # noqa: PLC0415

    monitor.reset()
    yield
    monitor.reset()


def test_a_token_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from perfcheck import monitor  # noqa: PLC0415

    with werkzeug(create_app()) as url:
        monitor.configure(token=TOKEN)
        refused, wrong, welcome = read(url), read(url, token="wr0ng-token"), read(url, token=TOKEN)
    assert not refused.alive
    assert "401" in refused.message
    assert "the token is missing or wrong" in refused.message
    assert "headers: {Authorization" in (refused.remedy or "")
    assert "wr0ng-token" not in repr(wrong)
    assert welcome.alive
    assert TOKEN not in repr(welcome)


# --- Any other -----------------------------------------------------------------------------------------------------


def test_a_service_with_the_plain_fields_only() -> None:
    with monitored(plain("api.videos.list", 0.35), plain("api.artists.list", 1)) as url:
        found = read(url)
    assert found.alive
    assert [(one.name, one.mean_ms, one.requests) for one in found.endpoints] == [
        ("api.videos.list", 350.0, 100),
        ("api.artists.list", 1000.0, 100),
    ]
    assert found.endpoints[0].errors is None
    assert found.endpoints[0].p95_ms is None


@pytest.mark.parametrize(
    ("value", "mean_ms"),
    [
        (1, 1000.0),
        (0.5, 500.0),
        ("0.5", 500.0),
        (" 2 ", 2000.0),
        (None, None),
        ("fast", None),
        (-1, None),
        (True, None),
        (float("nan"), None),
        (float("inf"), None),
        ([], None),
        (10**400, None),
        ("9" * 5000, None),
    ],
)
def test_a_figure_in_any_form(value: Any, mean_ms: float | None) -> None:
    assert told(health(), stats(plain("a", value))).endpoints[0].mean_ms == mean_ms


@pytest.mark.parametrize(
    "endpoints",
    [
        [{"endpoint": "a", "avg_response_time": 0.1}],
        [{"name": "a", "avg_response_time_ms": 100}],
        {"a": {"avg_response_time": 0.1}},
        {"a": 0.1},
        [{"endpoint": "a", "avg_response_time": 0.1}, {"endpoint": "a"}, {"endpoint": 7}, 3, None],
    ],
)
def test_endpoints_in_any_form(endpoints: Any) -> None:
    assert [(one.name, one.mean_ms) for one in told(health(), {"all_endpoints": endpoints}).endpoints] == [("a", 100)]


def test_stats_that_are_nothing_but_the_list() -> None:
    assert [one.name for one in told(health(), [plain("a", 1), plain("b", 1)]).endpoints] == ["a", "b"]
    assert [one.name for one in told(health(), [plain("a", 1)]).endpoints] == ["a"]


@pytest.mark.parametrize(
    "found",
    [{"slow_endpoints": ["a", "b"]}, {"slow_endpoints": [plain("a", 1), {"endpoint": "b"}]}, ["a", "b"]],
)
def test_slow_endpoints_as_names_or_objects(found: Any) -> None:
    read_ = told(health(), stats(plain("a", 0.7)), found)
    assert [(one.name, one.listed_as_slow, one.mean_ms) for one in read_.endpoints] == [
        ("a", True, 700.0),
        ("b", True, None),
    ]


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("healthy", "healthy"),
        ("OK", "healthy"),
        ("Degraded", "degraded"),
        ("no_data", "no data"),
        ("?", "unknown"),
        (None, "unknown"),
        (3, "unknown"),
    ],
)
def test_the_status_in_other_words(word: Any, known: str) -> None:
    assert told({"status": word}, stats(plain("a", 1))).status == known


def test_issues_as_text_list_or_objects() -> None:
    assert told({"status": "ok", "issues": "one"}, {}).issues == ("one",)
    assert told({"status": "ok", "issues": ["one", {"message": "two"}, 3]}, {}).issues == ("one", "two")


def test_a_monitor_that_failed_is_not_alive() -> None:
    found = told(health("error", message="cannot read its own statistics"), stats())
    assert not found.alive
    assert "cannot read its own statistics" in found.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["status", "issues", "all_endpoints", "slow_endpoints", "monitor", "endpoint", "queries"])
            | st.sampled_from(["avg_response_time", "total_requests", "errors", "n_plus_one", "most", "shape"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json_values, json_values, json_values)
def test_nothing_that_is_json_raises(first: Any, second: Any, third: Any) -> None:
    found = told(first, second, third)
    assert found.alive or found.message
    for one in found.endpoints:
        assert one.mean_ms is None or 0 <= one.mean_ms < float("inf")
        assert one.errors is None or one.requests is None or one.errors <= one.requests


def test_endpoints_are_bounded() -> None:
    many = told(health(), stats(*({"endpoint": f"e{i}"} for i in range(12_000))))
    assert len(many.endpoints) == 10_000


# --- No monitor ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handler", "message", "remedy"),
    [
        (ok(b"<html>log in</html>", Content_Type="text/html"), "a web page, not JSON", "a login form"),
        (ok(b"\n <!doctype html>"), "a web page, not JSON", "a login form"),
        (ok(b"{"), "a body that is not JSON", "path"),
        (ok(b""), "returned an empty body", "path"),
        (ok(b"[" * 100_000), "a body that is not JSON", "path"),
        (ok(b"\xff\xfe\xfa"), "a body that is not JSON", "path"),
        (ok(b'"a text"'), "none of the fields of a monitor", "path"),
        (ok(b'{"error": "nothing here"}'), "none of the fields of a monitor", "path"),
        (status(401), "401 Unauthorized", "service: {headers: {Authorization: 'Bearer ${PERFCHECK_MONITOR_TOKEN}'}}"),
        (status(403), "403 Forbidden", "only from the machine of the service"),
        (status(404), "404 Not Found", "--monitor"),
        (status(302, Location="http://localhost/login"), "302 Found, to http://localhost/login", "a login form"),
        (status(500), "500 Internal Server Error", "log of the service"),
        (status(503), "503 Service Unavailable", "log of the service"),
        (ok(b"x" * 17_000_000), "17 MB", "path"),
    ],
)
def test_each_thing_that_is_no_monitor_has_its_own_message(handler: Handler, message: str, remedy: str) -> None:
    with monitored(health=handler, stats=handler) as url:
        found = read(url)
    assert not found.alive
    assert message in found.message
    assert "follow_redirects" not in found.message
    assert remedy in (found.remedy or "")


def test_a_redirect_is_not_followed_so_that_no_token_goes_elsewhere() -> None:
    asked: list[int] = []

    def elsewhere() -> tuple[int, dict[str, str], bytes]:
        asked.append(1)
        return 200, {}, b"{}"

    with service({f"{API}/health": elsewhere}) as other:
        away = status(302, Location=f"{other}{API}/health")
        with monitored(health=away, stats=away) as url:
            assert not read(url, token=TOKEN).alive
    assert asked == []


def test_a_service_that_is_not_there() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    found = read(f"http://127.0.0.1:{port}")
    assert not found.alive
    assert "connection refused" in found.message
    assert "is the service running?" in (found.remedy or "")


def test_a_slow_and_an_endless_answer_end_at_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_api, "_TIMEOUT_S", 0.2)
    with monitored(health=slow(2.0)) as url:
        hanging = read(url)
    assert not hanging.alive
    assert "no response within 200 ms" in hanging.message
    with endless() as url:
        trickling = read(url)
    assert not trickling.alive
    assert "was not complete within 200 ms" in trickling.message


@contextmanager
def endless() -> Iterator[str]:
    """A byte now and then, for ever."""
    stop = threading.Event()

    def serve(listener: socket.socket) -> None:
        with listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
            while not stop.wait(0.05):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        thread.join(10)


def test_a_compressed_answer_is_read_and_a_bomb_is_not() -> None:
    body = gzip.compress(json.dumps(stats(plain("a", 1))).encode())
    with monitored(stats=ok(body, Content_Encoding="gzip")) as url:
        assert [one.name for one in read(url).endpoints] == ["a"]
    bomb = gzip.compress(b" " * 100_000_000)
    with monitored(stats=ok(bomb, Content_Encoding="gzip")) as url:
        found = read(url)
    assert not found.alive
    assert "over 64 MB" in found.message or "over 67.1 MB" in found.message


def test_one_of_the_two_may_be_missing() -> None:
    with monitored(plain("a", 1), health=status(404)) as url:
        without_health = read(url)
    with monitored(stats=status(404), slow=answer({"slow_endpoints": [plain("b", 0.9)]})) as url:
        without_stats = read(url)
    assert without_health.alive
    assert [one.name for one in without_health.endpoints] == ["a"]
    assert "404" in without_health.problems[0]
    assert without_stats.alive
    assert [(one.name, one.mean_ms) for one in without_stats.endpoints] == [("b", 900.0)]


def test_the_path_and_the_threshold_that_are_requested() -> None:
    asked: list[Endpoint] = []

    def ask(one: Endpoint) -> Fetched:
        asked.append(one)
        return Fetched(status=200, body=b"{}")

    one = Service("http://localhost", monitor="/stats/api/", headers=(("X-Key", "k"),))
    read_monitor(one, ask, threshold_ms=250.5, redact=Redactor(), shown=lambda one: one.path)
    assert [one.path for one in asked] == ["/stats/api/health", "/stats/api/stats", "/stats/api/slow"]
    assert asked[-1].query == (("threshold", "250.5"),)
    assert all(("X-Key", "k") in one.headers for one in asked)
    read_monitor(replace(one, monitor=None), ask, threshold_ms=1, redact=Redactor(), shown=lambda one: one.path)
    assert asked[-1].path == "/api/performance/slow"


def test_what_a_service_echoes_is_redacted_and_cleaned() -> None:
    with monitored(plain(f"GET /{TOKEN}", 1), plain("\x1b[31mred", 1), status=f"error {TOKEN}") as url:
        found = read(url, token=TOKEN)
    assert TOKEN not in repr(found)
    assert [one.name for one in found.endpoints] == ["GET /***", "[31mred"]
