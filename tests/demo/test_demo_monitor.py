"""The sample service watched by the monitor: what its statistics API tells, and where N+1 comes to light."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from flask import Flask
from support import sample_service
from support.waiting import eventually

import perfcheck.monitor
from perfcheck.baseline import load_baseline
from perfcheck.demo import demo_baseline, handlers
from perfcheck.demo.catalogue import STATUSES
from perfcheck.demo.demo_process import running_demo
from perfcheck.demo.pages import PAGE_ROUTES
from perfcheck.demo.service import ROUTES
from perfcheck.model import sent
from perfcheck.monitor import statistics
from perfcheck.monitor.flask import init_app

DAILY_LINES = {
    "curl -s http://localhost:5001/api/performance/health | jq .status": '"healthy"',
    "curl -s http://localhost:5001/api/performance/slow?threshold=500 | jq .slow_endpoints_count": "0",
    "curl -s http://localhost:5001/api/performance/summary | jq .performance_summary.monitored_endpoints": "1",
}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("PERFCHECK_MONITOR_")]:
        monkeypatch.delenv(name)
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


@contextmanager
def serving(*regressions: str) -> Iterator[httpx.Client]:
    with (
        sample_service.serving(*regressions) as server,
        httpx.Client(base_url=server.url, trust_env=False, timeout=10) as client,
    ):
        yield client


def endpoints(client: httpx.Client, total: int) -> dict[str, Any]:
    """The monitor's endpoints by name, once it has counted so many requests: the last byte is sent before it does."""
    eventually(lambda: statistics().total >= total)
    answer = client.get("/api/performance/stats").json()
    assert answer["summary"]["total_requests_processed"] == total
    return {one["endpoint"]: one for one in answer["all_endpoints"]}


def test_the_monitor_has_every_endpoint_of_the_sample_baseline_under_its_monitor_name() -> None:
    checked = load_baseline(demo_baseline(), {}).endpoints
    with serving() as client:
        for endpoint in checked:
            client.get(
                endpoint.path, params=urlencode([(name, sent(value)) for name, value in endpoint.query])
            ).raise_for_status()
        found = endpoints(client, len(checked))
    assert {endpoint.monitor_name for endpoint in checked} == found.keys()


def test_flask_has_every_endpoint_of_the_sample_baseline_under_its_monitor_name() -> None:
    checked = load_baseline(demo_baseline(), {}).endpoints
    app = Flask("catalogue")
    init_app(app)
    for path in {endpoint.path for endpoint in checked}:
        app.add_url_rule(path, path, lambda: "")
    for endpoint in checked:
        app.test_client().get(endpoint.path, query_string=dict(endpoint.query)).close()
    assert {endpoint.monitor_name for endpoint in checked} == {one.name for one in statistics().endpoints}


def test_statuses_are_written_as_the_catalogue_has_them() -> None:
    filtered = [dict(endpoint.query) for endpoint in load_baseline(demo_baseline(), {}).endpoints]
    assert {query["status"] for query in filtered if "status" in query} <= set(STATUSES)
    assert all(status.isupper() for status in STATUSES)


def test_requests_are_counted_by_route_whatever_the_path_and_query() -> None:
    with serving() as client:
        sizes = [len(client.get(f"/api/videos/?limit={limit}").content) for limit in (1, 50)]
        client.head("/api/health")
        client.get("/api/videos/?limit=0")
        client.post("/api/settings/")
        for number in range(5):
            client.get(f"/api/nothing/{number}")
        found = endpoints(client, 10)
    assert {name: one["statuses"] for name, one in found.items()} == {
        "GET /api/videos/": {"200": 2, "400": 1},
        "HEAD /api/health": {"200": 1},
        "POST (unmatched)": {"405": 1},
        "GET (unmatched)": {"404": 5},
    }
    assert found["GET /api/videos/"]["queries"]["total"] == 10
    assert found["GET /api/videos/"]["max_response_bytes"] == max(sizes)
    assert found["HEAD /api/health"]["max_response_bytes"] == 0


def test_the_route_table_has_every_route_under_the_name_of_the_statistics() -> None:
    with serving() as client:
        for path in ("/api/videos/7", "/api/labels/", "/openapi.json"):
            client.get(path).raise_for_status()
        found = endpoints(client, 2)
        requests = {"GET /api/videos/7": "GET /api/videos/{id}", "GET /api/nothing/7": None, "POST /api/labels/": None}
        table = client.get("/api/performance/routes", params={"request": list(requests)}).json()
    assert {row["template"]: row["name"] for row in table["routes"]} == {
        route: f"GET {route}" for route in (*ROUTES, *PAGE_ROUTES)
    }
    assert found.keys() == {"GET /api/videos/{id}", "GET /api/labels/"}
    assert table["resolved"] == requests


def test_what_members_request_is_counted_and_not_in_the_route_table() -> None:
    with serving() as client:
        client.post("/api/search", json={"q": "love"}).raise_for_status()
        client.delete("/api/account/favourites/7")
        with client.stream("GET", "/api/events") as events:
            next(events.iter_lines())
        found = endpoints(client, 3)
        table = client.get("/api/performance/routes", params={"request": "DELETE /api/account/favourites/7"}).json()
    assert found["GET /api/events"]["disconnects"] == 1
    assert found["POST /api/search"]["queries"]["total"] == 6
    assert found["DELETE /api/account/favourites/{id}"]["statuses"] == {"401": 1}
    assert table["resolved"] == {"DELETE /api/account/favourites/7": "DELETE /api/account/favourites/{id}"}
    assert {row["template"] for row in table["routes"]} == ROUTES.keys() | PAGE_ROUTES.keys()


def test_pages_and_what_they_load_are_counted_by_route() -> None:
    with serving() as client:
        for path in ("/", "/search?q=love", "/watch/7", "/watch/8", "/static/posters/7", "/static/catalogue.css"):
            client.get(path).raise_for_status()
        client.post("/login", data={"user": "demo", "password": "demo"})
        client.get("/account").raise_for_status()
        found = endpoints(client, 8)
    assert {name: one["queries"]["total"] for name, one in found.items()} == {
        "GET /": 5,
        "GET /search": 6,
        "GET /watch/{id}": 8,
        "GET /static/posters/{id}": 0,
        "GET /static/catalogue.css": 0,
        "POST /login": 0,
        "GET /account": 1,
    }


def test_n_plus_one_is_found_with_the_line_that_sends_it(caplog: pytest.LogCaptureFixture) -> None:
    with serving("n-plus-one") as client:
        response = client.get("/api/videos/?limit=20")
        found = endpoints(client, 1)["GET /api/videos/"]
    assert 'desc="62 queries, 20 identical"' in response.headers["Server-Timing"]
    assert (found["queries"]["total"], found["queries"]["max_per_request"]) == (62, 62)
    assert [one["most"] for one in found["n_plus_one"]] == [20, 20, 20]
    lines = Path(handlers.__file__).read_text(encoding="utf-8").splitlines()
    for one in found["n_plus_one"]:
        file, _, line = one["caller"].rpartition(":")
        assert file.endswith("demo/handlers.py")
        assert "session.rows(_" in lines[int(line) - 1]
    assert [record.levelno for record in caplog.records if record.getMessage().startswith("N+1: ")] == [
        logging.WARNING
    ] * 3


def test_a_healthy_service_has_no_n_plus_one() -> None:
    with serving() as client:
        client.get("/api/videos/?limit=200")
        client.get("/api/videos/search?q=love")
        assert [one["n_plus_one"] for one in endpoints(client, 2).values()] == [[], []]


def test_errors_and_clients_that_leave_are_distinguished() -> None:
    with serving("errors", "hang") as client:
        for _ in range(5):
            client.get("/api/videos/search?q=love")
        with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as leaving:
            leaving.sendall(b"GET /api/videos/universal-search?q=a HTTP/1.1\r\nHost: a\r\n\r\n")
            eventually(lambda: client.get("/api/performance/stats").json()["summary"]["requests_in_flight"] == 1)
        found = endpoints(client, 6)
    assert found["GET /api/videos/search"]["errors"] == 1
    assert found["GET /api/videos/universal-search"]["disconnects"] == 1
    assert found["GET /api/videos/universal-search"]["errors"] == 0


def test_the_statistics_are_not_for_web_pages_of_others() -> None:
    with serving() as client:
        assert client.get("/api/performance/health").json()["status"] == "no_data"
        refused = client.get("/api/performance/health", headers={"Host": "evil.example"})
        assert refused.status_code == 403
        assert client.get("/api/performance/nothing").status_code == 404  # the service's own answer
        assert client.request("POST", "/api/performance/log-summary", content=b"x" * 1000).status_code == 200
        head = client.head("/api/performance/health")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Cache-Control"] == "no-store"


def test_the_lines_of_a_daily_script_work_word_for_word() -> None:
    bash = shutil.which("bash")
    assert bash
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with running_demo(options=["--round-trip", "1ms"]) as base_url:
        url = httpx.URL(base_url)
        httpx.get(f"{url}/api/health", trust_env=False).raise_for_status()

        def printed() -> list[str]:
            script = "\n".join(DAILY_LINES).replace(":5001", f":{url.port}")
            command = [bash, "-eu", "-o", "pipefail", "-c", script]
            done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=60, check=True)
            return done.stdout.splitlines()

        eventually(lambda: printed() == list(DAILY_LINES.values()))


def test_what_the_monitor_finds_is_reported() -> None:
    command = [sys.executable, "-m", "perfcheck", "demo", "--port", "0", "--regress", "n-plus-one"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            url = next(word for word in process.stdout.readline().split() if word.startswith("http://"))
            assert httpx.get(f"{url}/api/videos/", trust_env=False, timeout=30).status_code == 200
        finally:
            process.terminate()
        errors = process.communicate(timeout=30)[1]
    assert "monitor: warning: N+1: GET /api/videos/ sent the same statement 50 times" in errors
