"""The routes that services have by their own account: real applications with the monitor, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from apps.monitored import API
from apps.routed import APPS, routed
from hypothesis import given
from hypothesis import strategies as st

import perfcheck.monitor
from perfcheck.client.client import Client
from perfcheck.client.monitor_api import read_monitor
from perfcheck.discover.merge import shape
from perfcheck.discover.routes import monitored_operations, source_operations
from perfcheck.judge.route_templates import parse_template
from perfcheck.model import MonitoredEndpoint, MonitoredRoute, MonitorReading, RouteTable, Service
from perfcheck.model.operation import Discovered, Operation
from perfcheck.text import Redactor


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DIR", "TOKEN"):
        monkeypatch.delenv(f"PERFCHECK_MONITOR_{name}", raising=False)
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


def discovered(url: str) -> Discovered:
    service, redact = Service(url, monitor=API), Redactor()
    with Client(service, redact=redact) as client:
        reading = read_monitor(
            service, client.fetch, threshold_ms=500, redact=redact, shown=client.url_shown, routes=True
        )
    return monitored_operations(reading, url, API)


@pytest.mark.parametrize("app", APPS)
def test_every_route_is_an_operation_that_its_requests_fit(app: str) -> None:
    requests = [line.partition(" ") for line, name in APPS[app].items() if name is not None]
    with routed(app) as url:
        for method, _, path in requests:
            httpx.request(method, url + path, follow_redirects=True, timeout=60)
        found = discovered(url)
    assert found.notes == ()
    known = [parse_template("", None, each.template) for each in found.operations]
    for _, _, path in requests:
        if path.startswith(("/raw/", "/static/", "/openapi.json", "/files/", "/pages/")):
            continue  # mounted without routes, or of the framework itself; a value here has slashes, or is missing
        spellings = (path, f"{path}/", path.rstrip("/"))
        assert any(parsed and parsed.fits("GET", each) for parsed in known for each in spellings), path


@pytest.mark.parametrize("app", APPS)
def test_what_was_requested_has_its_traffic_and_nothing_of_the_framework_is_listed(app: str) -> None:
    with routed(app) as url:
        for _ in range(3):
            httpx.get(f"{url}/api/videos/latest", follow_redirects=True, timeout=60)
        found = discovered(url)
    (latest,) = (each for each in found.operations if each.template.rstrip("/") == "/api/videos/latest")
    assert latest.requests == 3
    assert latest.monitor_name == "videos.latest"
    texts = [each.template for each in found.operations]
    assert not [text for text in texts if text.startswith((API, "/static", "/docs", "/redoc", "/openapi"))]
    assert not [text for text in texts if any(char in text for char in "<>*()^$?")]


def test_parameters_have_their_names_and_what_their_converters_give() -> None:
    with routed("flask") as url:
        found = {f"{each.method} {each.template}": each for each in discovered(url).operations}
    video = found["GET /api/videos/{video_id}"]
    assert [(each.name, each.value) for each in video.parameters] == [("video_id", "1")]
    assert video.monitor_name == "GET /api/videos/<int:video_id>"
    assert found["GET /api/videos/{quality}/preview"].parameters[0].value == "hd"
    assert found["GET /api/videos/{lang}-{number}"].template
    assert found["GET /files/{name}"].parameters[0].value is None


def table(*routes: tuple[str | None, str, str], requested: tuple[str, ...] = ()) -> MonitorReading:
    endpoints = tuple(MonitoredEndpoint(name, requests=number) for number, name in enumerate(requested, 1))
    listed = tuple(MonitoredRoute(method, template, name) for method, template, name in routes)
    return MonitorReading(alive=True, endpoints=endpoints, table=RouteTable(listed) if routes else None)


def of(reading: MonitorReading, base_url: str = "http://h") -> tuple[Operation, ...]:
    return monitored_operations(reading, base_url, API).operations


def test_without_a_table_what_was_requested_is_found() -> None:
    reading = table(requested=("GET /a/<int:id>", "videos.list", "GET /b", "GET /c ?sort=x", "GET /c ?(other)"))
    found = [(each.method, each.template, each.requests) for each in of(reading)]
    assert found == [("GET", "/a/{id}", 1), ("GET", "/b", 3), ("GET", "/c", 4 + 5)]


def test_a_route_of_any_method_is_a_get_that_is_counted_as_one() -> None:
    (operation,) = of(table((None, "/a", "/a"), requested=("GET /a", "POST /a")))
    assert (operation.method, operation.monitor_name, operation.requests) == ("GET", "GET /a", 1)


def test_templates_are_below_the_path_of_the_service() -> None:
    routes = [("GET", "/api/a", "a"), ("GET", "/b", "b")]
    assert [each.template for each in of(table(*routes), "http://h/api")] == ["/a"]
    assert [each.template for each in of(table(*routes), "http://h/other")] == ["/api/a", "/b"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("videos/<int:pk>/", "/videos/{pk}/"),
        (r"^videos/(?P<pk>[0-9]+)/$", "/videos/{pk}/"),
        (r"^videos/(\d{4})/(?P<slug>[-\w]+)$", "/videos/{id}/{slug}"),
        (r"api/^videos/(?P<a>(x|y))/(?P<a2>.+)\Z", "/api/videos/{a}/{a2}"),
        ("/{a}/{b:int}/{a}", "/{a}/{b}/{a2}"),
        (r"^a/(?P<pk>\d+)(?P<format>\.\w+)?/?$", "/a/{pk}/"),
        ("/<>/<>", "/{id}/{id2}"),
        ("", "/"),
    ],
)
def test_templates_of_every_framework(template: str, expected: str) -> None:
    (operation,) = source_operations([("GET", template)], "http://h").operations
    assert (operation.template, operation.monitor_name) == (expected, None)
    assert [f"{{{each.name}}}" for each in operation.parameters] == [
        part for part in expected.strip("/").split("/") if part.startswith("{")
    ]


@pytest.mark.parametrize("template", [r"^a|b$", r"^a[0-9]+$", r"^(?:a|(b(c(d))))$", "f'{PREFIX}/a'"])
def test_a_pattern_that_is_no_path_is_reported(template: str) -> None:
    found = source_operations([("GET", template), ("GET", "/b/*")], "http://h")
    assert found == Discovered((), (f"1 route left out: no path fits {template}",))


@given(st.text(alphabet="/<>{}()?P:^$\\d+*ab ,|[]", max_size=30) | st.text(max_size=30))
def test_any_template_is_an_operation_or_reported(template: str) -> None:
    found = source_operations([("GET", template)], "http://h")
    for operation in found.operations:
        names = [each.name for each in operation.parameters]
        assert len(set(names)) == len(names) == shape(operation.template).count("{}")
