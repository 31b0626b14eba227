"""Which endpoint of the baseline is which one of the monitor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfcheck.judge.match_endpoints import is_of_path, match_endpoints
from perfcheck.model import DataFile, Encoding, Endpoint, MonitoredRoute, Placeholder, RouteTable, Template

BASE = "http://localhost:5001"


def endpoint(name: str, path: str = "/nowhere", *, method: str = "GET", monitor_name: str | None = None) -> Endpoint:
    return Endpoint(name=name, path=path, line=1, method=method, monitor_name=monitor_name)


def with_value(name: str, value: str | None = None) -> Endpoint:
    template = Template(("/v/", Placeholder(name, Encoding.PATH)))
    data = None if value is None else DataFile("data.csv", {name.removeprefix("data."): [value]}, [2])
    return replace(endpoint("v", f"/v/${{{name}}}"), path_template=template, data=data)


@pytest.mark.parametrize(
    ("one", "names", "expected"),
    [
        (endpoint("a", monitor_name="x.y"), ["a", "x.y"], "x.y"),
        (endpoint("a", "/a", monitor_name="x.y"), ["a", "GET /a"], None),
        (endpoint("videos.list"), ["videos.list", "api.videos.list"], "videos.list"),
        (endpoint("v", "/api/videos/"), ["GET /api/videos/", "GET /api"], "GET /api/videos/"),
        (endpoint("v", "/api/videos"), ["GET /api/videos/"], "GET /api/videos/"),
        (endpoint("v", "/api/videos/?page=1"), ["GET /api/videos"], "GET /api/videos"),
        (endpoint("v", "/api/videos", method="POST"), ["GET /api/videos"], None),
        (endpoint("v", "/api/videos", method="POST"), ["GET /api/videos", "POST /api/videos"], "POST /api/videos"),
        (endpoint("v", "/api/videos"), ["/api/videos/"], "/api/videos/"),
        (endpoint("v", "/api/videos/42"), ["GET /api/videos/<int:id>"], "GET /api/videos/<int:id>"),
        (endpoint("v", "/api/videos/42"), ["GET /api/videos/{id}"], "GET /api/videos/{id}"),
        (endpoint("v", "/api/videos/42/x"), ["GET /api/videos/{id}"], None),
        (endpoint("v", "/files/a/b/c.txt"), ["GET /files/<path:name>"], "GET /files/<path:name>"),
        (endpoint("v", "/files/a/b/c.txt"), ["GET /files/{name:path}"], "GET /files/{name:path}"),
        (endpoint("v", "/v/search"), ["GET /v/<id>", "GET /v/search"], "GET /v/search"),
        (endpoint("v", "/v/1/x"), ["GET /<a>/<b>/x", "GET /v/<b>/x"], "GET /v/<b>/x"),
        (endpoint("v", "/v/1"), ["GET /<a>/1", "GET /v/<b>"], None),
        (endpoint("v", "/img-7.png"), ["GET /img-<n>.png"], "GET /img-<n>.png"),
        (endpoint("v", "/img-.png"), ["GET /img-<n>.png"], None),
        (endpoint("v", "/a%20b"), ["GET /a b"], "GET /a b"),
        # What differs from request to request.
        (with_value("captured"), ["GET /v/<int:id>", "GET /w/<id>"], "GET /v/<int:id>"),
        (with_value("uuid"), ["GET /v/<uuid:id>"], "GET /v/<uuid:id>"),
        (
            with_value("data.name", "a b"),
            ["GET /v/<int:id>", "GET /v/<string(length=3):id>"],
            "GET /v/<string(length=3):id>",
        ),
        # What the converter does not take.
        (endpoint("v", "/v/search"), ["GET /v/<int:id>"], None),
        (endpoint("v", "/v/search"), ["GET /v/{id:int}"], None),
        (endpoint("v", "/v/1.5"), ["GET /v/<int:id>", "GET /v/<float:x>"], "GET /v/<float:x>"),
        (endpoint("v", "/v/-1"), ["GET /v/<int:id>"], None),
        (endpoint("v", "/v/-1"), ["GET /v/<int(signed=True):id>"], "GET /v/<int(signed=True):id>"),
        (endpoint("v", "/v/7/x"), ["GET /v/<uuid:id>/x", "GET /v/<slug:a>/x"], "GET /v/<slug:a>/x"),
        (endpoint("v", "/v/hd"), ["GET /v/<any(hd, sd):q>"], "GET /v/<any(hd, sd):q>"),
        (endpoint("v", "/v/4k"), ["GET /v/<any(hd, sd):q>"], None),
        (endpoint("v", "/v/d7"), ["GET /v/<string(length=2):q>"], "GET /v/<string(length=2):q>"),
        (endpoint("v", "/v/d789"), ["GET /v/<string(length=2):q>"], None),
        (
            endpoint("v", "/files/a.txt/raw"),
            ["GET /files/<path:p>", "GET /files/<path:p>/raw"],
            "GET /files/<path:p>/raw",
        ),
        (endpoint("v", "/static/a/b.js"), ["GET /static/*"], "GET /static/*"),
        (endpoint("v", "/y/2026/"), [r"GET y/(?P<year>[0-9]{4})/$"], r"GET y/(?P<year>[0-9]{4})/$"),
        (endpoint("v", "/y/26/"), [r"GET y/(?P<year>[0-9]{4})/$"], None),
        (endpoint("v", "/a/y/2026"), [r"GET a/^y/(?P<year>\d+)/?$"], r"GET a/^y/(?P<year>\d+)/?$"),
        (endpoint("v", "/t/4/y/2"), [r"GET t/<int:t>/^y/(?:(?P<n>\d+))?$"], r"GET t/<int:t>/^y/(?:(?P<n>\d+))?$"),
        # The narrowest, since a router reaches both only if it tries that first.
        (endpoint("v", "/v/7"), ["GET /v/<name>", "GET /v/<int:id>"], "GET /v/<int:id>"),
        (endpoint("v", "/v/7/"), ["GET /v/<int:id>", "GET /v/<int:id>/"], "GET /v/<int:id>/"),
        (endpoint("v", "/v/7"), ["GET /v/<path:rest>", "GET /v/<name>"], "GET /v/<name>"),
        (endpoint("v", "/v/de-7"), ["GET /v/<name>", "GET /v/<lang>-<int:n>"], "GET /v/<lang>-<int:n>"),
        # What may be a route of its own that nothing has been counted of.
        (endpoint("v", "/v/search"), ["GET /v/{id}"], None),
        (endpoint("v", "/v/search/"), ["GET /v/<path:rest>"], None),
        (endpoint("v", "/v/search"), [r"GET v/(?P<name>[^/]+)$"], None),
        (endpoint("v", "/v/Search"), ["GET /v/{id}"], "GET /v/{id}"),
        (endpoint("api.v.search", "/v/search"), ["GET /v/{id}", "v.search"], "v.search"),
        (endpoint("videos.list"), ["api.videos.list"], "api.videos.list"),
        (endpoint("api.videos.list"), ["videos.list"], "videos.list"),
        (endpoint("list"), ["api.videos.list", "api.artists.list"], None),
        (endpoint("eos.list"), ["api.videos.list"], None),
        (endpoint("a"), [], None),
    ],
)
def test_one_endpoint(one: Endpoint, names: list[str], expected: str | None) -> None:
    assert match_endpoints([one], names, BASE) == ({one.name: expected} if expected else {})


def test_two_that_would_be_the_same_by_their_ends_are_neither() -> None:
    assert match_endpoints([endpoint("old.videos.list"), endpoint("new.videos.list")], ["videos.list"], BASE) == {}


def test_several_queries_of_one_route_are_that_route() -> None:
    both = [endpoint("videos.by_title", "/api/videos/"), endpoint("videos.by_date", "/api/videos/")]
    assert set(match_endpoints(both, ["GET /api/videos/"], BASE).values()) == {"GET /api/videos/"}
    assert len(match_endpoints(both, ["GET /api/videos/"], BASE)) == 2


def test_a_service_below_a_prefix() -> None:
    one = endpoint("v", "/videos")
    assert match_endpoints([one], ["GET /shop/videos"], f"{BASE}/shop") == {"v": "GET /shop/videos"}
    assert match_endpoints([one], ["GET /videos"], f"{BASE}/shop") == {"v": "GET /videos"}


@pytest.mark.parametrize(
    "template",
    [
        "/" + "<a>" * 50_000 + "/<b" * 50_000,
        "/<path:a><path:b>" * 10,
        "/<a><b><c><d>!",
        "(?P<a>(a+)+)!$",
        "(?P<a>(a|aa){1,200})!$",
        "(?P<a>a*a*a*a*a*a*a*a*)!$",
        r"(?P<a>a)\1$",
        "(?P<a>[$",
        "(?P<a>a{99999999999})$",
    ],
)
def test_a_hostile_template_costs_no_time(template: str) -> None:
    for path in ("/" + "a" * 10_000 + "/x", "/" + "a" * 900):
        assert match_endpoints([endpoint("v", path)], [f"GET /{template}", f"GET {template}"], BASE) == {}


# --- With a route table ----------------------------------------------------------------------------------------------


def table(*rows: str, resolved: dict[str, str | None] | None = None) -> RouteTable:
    """Rows as ``GET /template`` or ``/template`` for any method, with ``= name`` where a decorator gives one."""
    routes = []
    for row in rows:
        route, _, name = row.partition(" = ")
        method, _, template = route.rpartition(" ")
        routes.append(MonitoredRoute(method or None, template, name or route))
    return RouteTable(tuple(routes), resolved or {})


@pytest.mark.parametrize(
    ("one", "rows", "expected"),
    [
        (endpoint("v", "/v/search"), ["GET /v/<name>", "GET /v/search"], "GET /v/<name>"),  # the first, as the router
        (endpoint("v", "/v/search"), ["GET /v/search", "GET /v/<name>"], "GET /v/search"),
        (endpoint("v", "/v/search"), ["GET /v/<int:id>", "GET /v/search = v.search"], "v.search"),
        (endpoint("v", "/v/seven"), ["GET /v/search", "GET /v/<name>"], "GET /v/<name>"),  # nothing is unknown
        (endpoint("v", "/v/7"), ["GET /v/<year:y>", "GET /v/<name>"], None),  # only the application knows which
        (endpoint("v", "/v/7/x"), ["GET /v/<year:y>", "GET /v/<name>/x"], "GET /v/<name>/x"),
        (endpoint("v", "/v/7", method="POST"), ["GET /v/<name>", "/v/<int:id>"], "POST /v/<int:id>"),
        (endpoint("v", "/v/"), ["GET /v/<path:rest>", "GET /v"], "GET /v"),
        (endpoint("v", "/static/a"), ["/static/*"], "GET /static/*"),
        (endpoint("v", "/missing"), ["GET /v/<name>"], None),
        (endpoint("v", "/x", monitor_name="api.v"), ["GET /x", "GET /y = api.v"], "api.v"),
        (endpoint("videos.list", "/y"), ["GET /x = videos.list", "GET /y"], "GET /y"),  # another route's name
        (endpoint("videos.list", "/z"), ["GET /x = api.videos.list"], None),
    ],
)
def test_with_a_table_the_first_route_that_fits(one: Endpoint, rows: list[str], expected: str | None) -> None:
    known = table(*rows)
    names = [f"{method} {each.name}" for each in known.routes for method in ("GET", "POST") if each.method is None]
    names += [each.name for each in known.routes]
    assert match_endpoints([one], names, BASE, known) == ({one.name: expected} if expected else {})


def test_a_route_that_was_never_requested_is_not_taken_for_another() -> None:
    known = table("GET /v/<name>", "GET /v/search")
    assert match_endpoints([endpoint("v", "/v/7")], ["GET /v/search"], BASE, known) == {}


def test_what_the_router_itself_has_resolved_decides() -> None:
    known = table("GET /v/<name>", "GET /v/<year:y>", resolved={"a": "GET /v/<year:y>", "b": None})
    both = [endpoint("a", "/v/2026"), endpoint("b", "/v/x")]
    assert match_endpoints(both, ["GET /v/<name>", "GET /v/<year:y>"], BASE, known) == {"a": "GET /v/<year:y>"}


def test_a_name_that_no_route_has_is_that_of_a_function_that_a_handler_calls() -> None:
    known = table("GET /v/<name>", resolved={"videos.load": "GET /v/<name>"})
    one = endpoint("videos.load", "/v/7")
    assert match_endpoints([one], ["api.videos.load"], BASE, known) == {"videos.load": "api.videos.load"}
    assert match_endpoints([one], ["api.videos.load", "GET /v/<name>"], BASE, known) == {"videos.load": "GET /v/<name>"}


def test_a_route_below_a_path() -> None:
    assert is_of_path("GET /api/performance/stats", "/api/performance", BASE)
    assert is_of_path("GET /api/health", "/api/health", BASE)
    assert not is_of_path("GET /api/health", "/api/health/db", BASE)
    assert not is_of_path("api.health", "/api/health", BASE)
