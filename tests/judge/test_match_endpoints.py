"""Which endpoint of the baseline is which one of the monitor."""

from __future__ import annotations

import pytest

from perfcheck.judge.match_endpoints import is_of_path, match_endpoints
from perfcheck.model import Endpoint

BASE = "http://localhost:5001"


def endpoint(name: str, path: str = "/nowhere", *, method: str = "GET", monitor_name: str | None = None) -> Endpoint:
    return Endpoint(name=name, path=path, line=1, method=method, monitor_name=monitor_name)


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
        (endpoint("v", "/files/a/b/c"), ["GET /files/<path:name>"], "GET /files/<path:name>"),
        (endpoint("v", "/files/a/b/c"), ["GET /files/{name:path}"], "GET /files/{name:path}"),
        (endpoint("v", "/v/search"), ["GET /v/<id>", "GET /v/search"], "GET /v/search"),
        (endpoint("v", "/v/1/x"), ["GET /<a>/<b>/x", "GET /v/<b>/x"], "GET /v/<b>/x"),
        (endpoint("v", "/v/1"), ["GET /<a>/1", "GET /v/<b>"], None),
        (endpoint("v", "/img-7.png"), ["GET /img-<n>.png"], "GET /img-<n>.png"),
        (endpoint("v", "/img-.png"), ["GET /img-<n>.png"], None),
        (endpoint("v", "/a%20b"), ["GET /a b"], "GET /a b"),
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


def test_a_hostile_template_costs_no_time() -> None:
    name = "GET /" + "<a>" * 50_000 + "/<b" * 50_000
    assert match_endpoints([endpoint("v", "/" + "a" * 10_000 + "/x")], [name], BASE) == {}


def test_a_route_below_a_path() -> None:
    assert is_of_path("GET /api/performance/stats", "/api/performance", BASE)
    assert is_of_path("GET /api/health", "/api/health", BASE)
    assert not is_of_path("GET /api/health", "/api/health/db", BASE)
    assert not is_of_path("api.health", "/api/health", BASE)
