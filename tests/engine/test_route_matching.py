"""Every endpoint of a baseline is matched to the route that it reaches, in real applications over real sockets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from apps import django_app, routed_flask
from apps.monitored import API, answer, health, monitored, plain, stats
from apps.routed import APPS, routed
from apps.service import service, status
from apps.serving import werkzeug, wsgiref
from django.test import override_settings
from django.urls import include, path
from support.waiting import eventually

import perfcheck.monitor
from perfcheck.client import monitor_fields
from perfcheck.client.client import Client
from perfcheck.client.monitor_api import read_monitor
from perfcheck.judge.match_endpoints import match_endpoints
from perfcheck.model import Endpoint, MonitorReading, Service
from perfcheck.text import Redactor


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DIR", "TOKEN"):
        monkeypatch.delenv(f"PERFCHECK_MONITOR_{name}", raising=False)
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


def read(url: str, endpoints: Sequence[Endpoint], api: str = API) -> MonitorReading:
    known, redact = Service(url, monitor=api), Redactor()
    with Client(known, redact=redact) as client:
        return read_monitor(
            known, client.fetch, threshold_ms=500, redact=redact, shown=client.url_shown, endpoints=endpoints
        )


def endpoints_of(requests: Sequence[str]) -> list[Endpoint]:
    lines = enumerate(line.partition(" ") for line in requests)
    return [Endpoint(name=f"n{number}", path=target, line=1, method=method) for number, (method, _, target) in lines]


def names_in(reading: MonitorReading) -> set[str]:
    return {endpoint.name for endpoint in reading.endpoints}


@pytest.mark.parametrize("app", APPS)
def test_every_endpoint_of_a_baseline_is_matched_to_its_route(app: str) -> None:
    requests = APPS[app]
    endpoints = endpoints_of(list(requests))
    expected = {f"n{at}": name for at, name in enumerate(requests.values()) if name is not None}
    with routed(app) as url:
        sent = 0
        with httpx.Client(base_url=url, trust_env=False, follow_redirects=True) as client:
            for line in requests:
                method, _, target = line.partition(" ")
                sent += len(client.request(method, target).history) + 1
        eventually(lambda: perfcheck.monitor.statistics().total == sent)
        reading = read(url, endpoints)
    assert reading.table is not None
    names = names_in(reading)
    assert match_endpoints(endpoints, names, url, reading.table) == expected
    for endpoint in endpoints:  # that has not been requested: another route's figures are not its own
        others = names - {expected.get(endpoint.name, "")}
        assert match_endpoints([endpoint], others, url, reading.table) == {}
    without_a_table = match_endpoints([endpoint for endpoint in endpoints if endpoint.name in expected], names, url)
    assert without_a_table.items() <= expected.items()
    assert len(without_a_table) > 0.7 * len(expected)  # not words that may be routes of their own


def test_hundreds_of_endpoints_are_all_resolved() -> None:
    endpoints = endpoints_of([f"GET /api/videos/{number}" for number in range(400)] + ["GET /" + "x" * 3000])
    with routed("flask") as url:
        reading = read(f"{url}/", endpoints)
    assert reading.table is not None
    assert set(reading.table.resolved.values()) == {"GET /api/videos/<int:video_id>"}
    assert len(reading.table.resolved) == 400  # the last is too long for a query


@pytest.mark.parametrize("prefix", ["/prefix", "/a b/c"])
@pytest.mark.parametrize("moved_to", [None, "SCRIPT_NAME"])
def test_a_service_below_a_prefix_that_a_proxy_removes(prefix: str, moved_to: str | None) -> None:
    """A route that takes any path, as single-page applications have it, takes none of those."""
    app = routed_flask.create_app()
    app.add_url_rule("/<path:rest>", "rest", lambda rest: rest)

    def proxied(environ: dict[str, Any], start: Any) -> Any:
        own = {**environ, "PATH_INFO": environ["PATH_INFO"].removeprefix(prefix)}
        return app({**own, moved_to: prefix} if moved_to else own, start)

    with werkzeug(proxied) as url:
        base_url = url + prefix.replace(" ", "%20")
        table = read(base_url, endpoints_of(["GET /shop/items/sale", "GET /api/videos/7", "GET /about"])).table
    assert table is not None
    expected = ["GET /shop/items/sale", "GET /api/videos/<int:video_id>", "GET /<path:rest>"]
    assert list(table.resolved.values()) == expected


def test_a_django_project_below_a_prefix_whose_monitor_is_elsewhere() -> None:
    endpoints = endpoints_of(["GET /api/videos/search/"])
    with override_settings(ROOT_URLCONF=_MovedMonitor), wsgiref(_without_prefix) as url:
        table = read(f"{url}/shop", endpoints, "/inside/monitor").table
    assert table is not None
    assert table.resolved == {"n0": "GET /api/videos/search/"}


def _without_prefix(environ: dict[str, Any], start: Any) -> Any:
    return django_app.application({**environ, "PATH_INFO": environ["PATH_INFO"].removeprefix("/shop")}, start)


class _MovedMonitor:
    urlpatterns = (
        path("inside/monitor/", include("perfcheck.monitor.django.urls")),
        path("", include("apps.routed_django")),
    )


def test_an_application_below_the_path_of_the_base_url() -> None:
    endpoints = endpoints_of(["GET /items/7"])
    with service({f"/shop{API}/{name}": answer(value) for name, value in TABLE_BY_HAND.items()}) as url:
        table = read(f"{url}/shop", endpoints).table
    name = "GET /shop/items/{item}"
    assert match_endpoints(endpoints, [name], f"{url}/shop", table) == {"n0": name}


TABLE_BY_HAND = {
    "health": health(),
    "stats": stats(plain("GET /shop/items/sale", 0.1)),
    "routes": {
        "routes": [
            {"method": "get", "template": "/shop/items/{item}"},
            {"method": "get", "template": "/shop/items/sale", "name": 3, "monitored": None},
            {"template": "/shop/any"},
            {"template": None},
            "/shop/text",
        ]
    },
}


def test_a_table_that_was_written_by_hand_is_in_the_order_of_its_router() -> None:
    with service({f"{API}/{name}": answer(value) for name, value in TABLE_BY_HAND.items()}) as url:
        endpoints = endpoints_of(["GET /shop/items/sale", "POST /shop/any"])
        known = read(url, endpoints).table
    assert known is not None
    assert [(route.method, route.name) for route in known.routes] == [
        ("GET", "GET /shop/items/{item}"),
        ("GET", "GET /shop/items/sale"),
        (None, "/shop/any"),
    ]
    names = ["GET /shop/items/sale", "GET /shop/items/{item}", "POST /shop/any"]
    assert match_endpoints(endpoints, names, url, known) == {"n0": "GET /shop/items/{item}", "n1": "POST /shop/any"}


@pytest.mark.parametrize(
    "handler", [status(404), status(500), answer([]), answer({"routes": {}}), answer({"routes": [1]})]
)
def test_a_monitor_without_a_table_is_read_as_before(handler: object) -> None:
    with monitored(plain("GET /a", 0.1), routes=handler) as url:  # type: ignore[arg-type]
        reading = read(url, endpoints_of(["GET /a"]))
    assert (reading.alive, reading.table, names_in(reading)) == (True, None, {"GET /a"})


@pytest.mark.parametrize("value", [None, [], {"resolved": []}, {"resolved": {"GET /a": 3}}, {"routes": "GET /a"}, 3])
def test_no_json_raises(value: object) -> None:
    assert monitor_fields.routes(value, Redactor()) == ()
    assert set(monitor_fields.resolved(value, Redactor()).values()) <= {None}
