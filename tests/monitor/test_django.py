"""Django under wsgiref, gunicorn and uvicorn: what the monitor sees of it, and that it does not see the monitor."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from apps import django_app
from apps.serving import gunicorn, uvicorn_server, wsgiref
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, connections
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from support.waiting import eventually

import perfcheck.monitor
from perfcheck.judge.server_timing import parse_descriptions, parse_server_timing
from perfcheck.monitor import configure, statistics
from perfcheck.monitor.asgi import Monitor as AsgiMonitor
from perfcheck.monitor.django import middleware
from perfcheck.monitor.django.middleware import MonitorMiddleware
from perfcheck.monitor.statistics import EndpointStatistics, Snapshot
from perfcheck.monitor.wsgi import Monitor as WsgiMonitor

API = "/api/performance"
MONITOR = "perfcheck.monitor.django.middleware.MonitorMiddleware"
Serve = Callable[[], AbstractContextManager[str]]
SERVERS: dict[str, Serve] = {
    "wsgi": lambda: wsgiref(django_app.application),
    "asgi": lambda: uvicorn_server(django_app.asgi_application, lifespan="off"),
}


@pytest.fixture(scope="module", autouse=True)
def tables() -> None:
    django_app.prepare()


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DIR", "TOKEN", "SERVER_TIMING"):
        monkeypatch.delenv(f"PERFCHECK_MONITOR_{name}", raising=False)
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


@pytest.fixture(scope="module", params=SERVERS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with SERVERS[request.param]() as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False) as client:
        yield client


def ended(total: int) -> Snapshot:
    return eventually(lambda: (found := statistics()).total >= total and found)


def one(name: str, total: int = 1) -> EndpointStatistics:
    found = ended(total).endpoint(name)
    assert found is not None, [endpoint.name for endpoint in statistics().endpoints]
    return found


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/videos/7/", "GET /api/videos/<int:pk>/"),
        ("/api/pages/1999/", "GET /api/pages/<year>/"),
        ("/api/named/", "api.shop.named"),
        ("/nothing/7/", "GET (unmatched)"),
    ],
)
def test_a_request_is_named_by_its_route(client: httpx.Client, path: str, name: str) -> None:
    for _ in range(2):
        client.get(path)
    assert [(found.name, found.total) for found in ended(2).endpoints] == [(name, 2)]


@pytest.mark.parametrize(
    ("path", "status", "errors"), [("fails", 500, 1), ("gone", 404, 0), ("forbidden", 403, 0), ("videos/1", 200, 0)]
)
def test_statuses_and_errors(client: httpx.Client, path: str, status: int, errors: int) -> None:
    assert client.get(f"/api/{path}/").status_code == status
    (found,) = ended(1).endpoints
    assert (found.statuses, found.errors, found.in_flight) == ({status: 1}, errors, 0)
    assert found.sizes.count == 1


def test_n_plus_one_is_found_with_its_line(client: httpx.Client) -> None:
    client.get("/api/n-plus-one/")
    found = one("GET /api/n-plus-one/")
    assert (found.queries.total, found.queries.requests) == (26, 1)
    assert found.n_plus_one[0].most == 25
    assert line_of(found).endswith("see the tests")


def test_n_plus_one_of_an_asynchronous_view_is_found_where_it_awaits() -> None:
    with SERVERS["asgi"]() as url:
        httpx.get(f"{url}/api/n-plus-one-async/", trust_env=False)
        found = one("GET /api/n-plus-one-async/")
    assert found.n_plus_one[0].most == 25
    assert line_of(found).endswith("awaited here")


def line_of(found: EndpointStatistics) -> str:
    assert found.n_plus_one[0].caller is not None
    file, _, line = found.n_plus_one[0].caller.rpartition(":")
    assert file.endswith("apps/django_app.py")
    return Path(django_app.__file__).read_text(encoding="utf-8").splitlines()[int(line) - 1]


@pytest.mark.parametrize("path", ["stream", "stream-async"])
def test_a_stream_is_timed_to_its_last_byte(path: str) -> None:
    serve = SERVERS["asgi" if path.endswith("async") else "wsgi"]
    with serve() as url:
        assert len(httpx.get(f"{url}/api/{path}/?pieces=5", trust_env=False).content) == 5000
        found = one(f"GET /api/{path}/")
    assert (found.sizes.total, found.disconnects) == (5000, 0)
    assert found.min_s is not None
    assert found.min_s > 4 * 0.02  # five pauses of 20 ms, and a clock that rounds
    assert found.queries.total == (0 if path.endswith("async") else 5)


@pytest.mark.parametrize("path", ["stream", "stream-async"])
def test_a_client_that_leaves_is_no_error(path: str) -> None:
    serve = SERVERS["asgi" if path.endswith("async") else "wsgi"]
    with serve() as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname or "", address.port or 0)) as plug:
            plug.sendall(f"GET /api/{path}/?pieces=1000000 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert plug.recv(1000)
        found = one(f"GET /api/{path}/")
    assert (found.disconnects, found.errors, found.in_flight) == (1, 0, 0)


def test_a_stream_that_breaks_is_an_error() -> None:
    with SERVERS["wsgi"]() as url:
        httpx.get(f"{url}/api/broken-stream/", trust_env=False)  # HTTP/1.0: the end of the connection ends the body
        found = one("GET /api/broken-stream/")
    assert (found.errors, found.disconnects) == (1, 0)


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous:Warning")  # Django's, under ASGI
def test_a_file_is_sent_as_it_was(client: httpx.Client) -> None:
    assert client.get("/api/file/").content == b"x" * 5000
    found = one("GET /api/file/")
    assert (found.sizes.total, found.disconnects, found.errors) == (5000, 0, 0)


def test_server_timing_is_sent_when_it_is_switched_on(client: httpx.Client) -> None:
    assert "server-timing" not in client.get("/api/n-plus-one/").headers
    configure(server_timing=True)
    header = client.get("/api/n-plus-one/").headers["server-timing"]
    assert parse_descriptions(header)["db"] == "26 queries, 25 identical"
    assert "render" in parse_server_timing(client.get("/api/named/").headers["server-timing"])


def test_the_api_is_served_and_not_counted(client: httpx.Client) -> None:
    assert client.get(f"{API}/health").json()["status"] == "no_data"
    client.get("/api/videos/1/")
    ended(1)
    assert client.get(f"{API}/stats").json()["summary"]["total_requests_processed"] == 1
    assert client.get(f"{API}/slow?threshold=500").json()["slow_endpoints_count"] == 0
    assert client.post(f"{API}/log-summary").json()["status"] == "not logged"  # at INFO, by default
    assert client.get(f"{API}/metrics").text.endswith("# EOF\n")
    head = client.head(f"{API}/stats")
    assert (head.content, head.headers["cache-control"]) == (b"", "no-store")
    assert client.get(f"{API}/stats?threshold=x").status_code == 400
    assert client.put(f"{API}/stats").headers["allow"] == "GET, HEAD"
    assert client.get(f"{API}/stats", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 403
    assert statistics().endpoints[0].name == "GET /api/videos/<int:pk>/"
    assert statistics().total == 1


def test_requests_at_the_same_time_do_not_mix(client: httpx.Client) -> None:
    async def all_at_once(base: str) -> None:
        async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=30) as many:
            paths = ["named", "videos/1", "n-plus-one", "pages/1999"] * 5
            answers = await asyncio.gather(*(many.get(f"/api/{path}/") for path in paths))
            assert {answer.status_code for answer in answers} == {200}

    asyncio.run(all_at_once(str(client.base_url)))
    counted = {found.name: (found.total, found.queries.total) for found in ended(20).endpoints}
    assert counted == {
        "api.shop.named": (5, 0),
        "GET /api/videos/<int:pk>/": (5, 5),
        "GET /api/n-plus-one/": (5, 130),
        "GET /api/pages/<year>/": (5, 0),
    }


def test_behind_another_monitor_a_request_is_counted_once() -> None:
    with wsgiref(WsgiMonitor(django_app.application)) as url:
        httpx.get(f"{url}/api/videos/1/", trust_env=False)
    with uvicorn_server(AsgiMonitor(django_app.asgi_application), lifespan="off") as url:
        httpx.get(f"{url}/api/videos/2/", trust_env=False)
    found = ended(2)
    assert [(endpoint.name, endpoint.total) for endpoint in found.endpoints] == [("GET /api/videos/<int:pk>/", 2)]
    assert found.endpoints[0].queries.total == 2


def test_a_cached_response_can_still_be_pickled(client: httpx.Client) -> None:
    first, second = (client.get("/api/cached/") for _ in range(2))
    assert (first.status_code, first.text) == (second.status_code, second.text) == (200, "25")
    assert one("GET /api/cached/", 2).total == 2


@pytest.mark.parametrize("server", SERVERS)
def test_a_cache_around_the_monitor_still_works(server: str) -> None:
    chain = [
        "django.middleware.cache.UpdateCacheMiddleware",
        MONITOR,
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    with override_settings(MIDDLEWARE=chain):
        app: Any = WSGIHandler() if server == "wsgi" else ASGIHandler()
    serving = wsgiref(app) if server == "wsgi" else uvicorn_server(app, lifespan="off")
    with serving as url:
        answers = {httpx.get(f"{url}/api/videos/9/?{server}", trust_env=False).text for _ in range(3)}
    assert answers == {'{"artist": "artist 9"}'}
    assert ended(3).total == 3
    assert ended(3).endpoints[0].errors == 0


def test_a_wrapper_of_the_application_stays_the_last() -> None:
    """``connection.execute_wrapper`` takes off the last wrapper: a connection may be opened while it is in place."""
    seen: list[str] = []

    def own(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    middleware.watch_databases()
    connection.close()
    connection.execute_wrappers.clear()
    with connection.execute_wrapper(own):
        django_app.Artist.objects.count()
    assert connection.execute_wrappers == [middleware._count]
    assert len(seen) == 1
    connections.close_all()


def test_a_response_that_is_dropped_unclosed_does_not_stay_in_flight() -> None:
    def replaced() -> HttpResponse:
        MonitorMiddleware(lambda _: HttpResponse("dropped"))(RequestFactory().get("/x"))
        return HttpResponse("another")

    replaced()
    gc.collect()
    found = statistics()
    assert (found.total, found.endpoints[0].in_flight) == (1, 0)


def test_a_response_that_is_kept_unclosed_does_not_hide_the_next_request() -> None:
    serve = MonitorMiddleware(lambda _: HttpResponse("kept"))
    kept = [serve(RequestFactory().get("/x")) for _ in range(3)]
    for response in kept[1:]:
        response.close()
    assert statistics().total == 2
    kept[0].close()
    assert (statistics().total, statistics().endpoints[0].in_flight) == (3, 0)


def test_the_middleware_twice_counts_once() -> None:
    inner = MonitorMiddleware(lambda _: HttpResponse("once"))
    MonitorMiddleware(inner)(RequestFactory().get("/x")).close()
    assert statistics().total == 1


def test_an_exception_that_passes_is_counted_and_passes() -> None:
    def raising(_: object) -> HttpResponse:
        raise LookupError("as it was")

    with pytest.raises(LookupError, match="as it was"):
        MonitorMiddleware(raising)(RequestFactory().get("/x"))
    assert one("GET (unmatched)").errors == 1


def test_a_cancelled_request_is_no_error() -> None:
    async def endless(_: object) -> HttpResponse:
        await asyncio.sleep(60)
        raise AssertionError

    async def cancel() -> None:
        task = asyncio.ensure_future(MonitorMiddleware(endless)(RequestFactory().get("/x")))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    found = one("GET (unmatched)")
    assert (found.disconnects, found.errors) == (1, 0)


def test_every_response_is_what_it_is_without_the_monitor() -> None:
    with override_settings(MIDDLEWARE=["django.middleware.common.CommonMiddleware"]):
        bare = WSGIHandler()
    with wsgiref(django_app.application) as one_url, wsgiref(bare) as other_url, httpx.Client(trust_env=False) as http:
        for path in ("videos/1/", "named/", "stream/", "file/", "fails/", "gone/", "missing/", "videos/1", "cached/"):
            answers = [http.get(f"{url}/api/{path}") for url in (one_url, other_url)]
            shown = [(answer.status_code, answer.content, _without_times(answer)) for answer in answers]
            assert shown[0] == shown[1], path


def _without_times(answer: httpx.Response) -> list[tuple[bytes, bytes]]:
    return [pair for pair in answer.headers.raw if pair[0].lower() not in {b"date", b"expires"}]


def test_gunicorn_with_two_workers(tmp_path: Path) -> None:
    env = {"PERFCHECK_MONITOR_DIR": str(tmp_path / "statistics")}
    with (
        gunicorn("apps.django_app:application", "--workers", "2", "--worker-class", "gthread", env=env) as url,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        for number in range(40):
            assert client.get("/api/named/", headers={"Connection": "close"}).text == "named", number
        read = eventually(
            lambda: (stats := client.get(f"{API}/stats").json())["summary"]["total_requests_processed"] >= 40 and stats
        )
    assert [(found["endpoint"], found["total_requests"]) for found in read["all_endpoints"]] == [("api.shop.named", 40)]
    assert read["in_flight"] == {}
    assert read["monitor"]["problems"] == []


def test_the_values_of_a_parameter_are_endpoints_of_their_own(client: httpx.Client) -> None:
    configure(variants=["sort"])
    client.get("/api/named/?sort=title")
    assert [found.name.partition(" ?")[2] for found in ended(1).endpoints] == ["sort=title"]
