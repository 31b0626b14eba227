"""The API as a pure function: a request and a snapshot in, an answer out."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from perfcheck.monitor import api
from perfcheck.monitor.api import ApiResponse
from perfcheck.monitor.histogram import Histogram
from perfcheck.monitor.settings import configure, restore_defaults
from perfcheck.monitor.statistics import (
    EndpointStatistics,
    Queries,
    RepeatedStatement,
    Sizes,
    Snapshot,
    StatementTime,
)

HOST = {"host": "localhost:5001"}
ENDPOINT_FIELDS = {
    "endpoint",
    "total_requests",
    "recent_samples",
    "avg_response_time",
    "min_response_time",
    "max_response_time",
    "latest_response_time",
}


@pytest.fixture(autouse=True)
def defaults(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PERFCHECK_MONITOR_TOKEN", raising=False)
    restore_defaults()
    yield
    restore_defaults()


def endpoint(name: str, *latencies_ms: float, errors: int = 0) -> EndpointStatistics:
    duration = Histogram()
    duration.add(round(ms * 1e6) for ms in latencies_ms)
    return EndpointStatistics(
        name=name,
        total=len(latencies_ms),
        errors=errors,
        duration=duration,
        recent=tuple((10**18 + i, round(ms * 1e6)) for i, ms in enumerate(latencies_ms))[-5:],
    )


FAST = endpoint("GET /fast", 10, 20, 30)
SLOW = replace(
    endpoint("GET /slow", 900, 700, 800, errors=2),
    queries=Queries(300, 101, 2.0, 3),
    n_plus_one=(RepeatedStatement("SELECT ?", 100, "shop/views.py:42", 3),),
    sizes=Sizes(3, 9_000_000, 4_000_000),
    statuses={200: 1, 500: 2},
)
WORSE = endpoint("GET /worse", 1600)
FULL = Snapshot((FAST, SLOW, WORSE), started_at=1e9, taken_at=1e9 + 60)
EMPTY = Snapshot(started_at=1e9, taken_at=1e9)


def call(
    path: str,
    query: str = "",
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    peer: str | None = "127.0.0.1",
    snapshot: Snapshot = FULL,
) -> ApiResponse:
    found = api.answer(method, f"/api/performance{path}", query, headers or HOST, peer, lambda: snapshot)
    assert found is not None
    assert ("Cache-Control", "no-store") in found.headers
    return found


def body(answer: ApiResponse) -> Any:
    assert dict(answer.headers)["Content-Length"] == str(len(answer.body))
    return json.loads(answer.body)


# --- Every field by its name ---------------------------------------------------------------------------------------


def test_stats() -> None:
    stats = body(call("/stats"))
    assert stats["summary"] == {
        "total_endpoints_monitored": 3,
        "total_requests_processed": 7,
        "slow_endpoints_count": 2,
        "overall_avg_response_time": 0.58,
        "slowest_endpoint": "GET /worse",
        "fastest_endpoint": "GET /fast",
        "requests_in_flight": 0,
    }
    assert [one["endpoint"] for one in stats["all_endpoints"]] == ["GET /fast", "GET /slow", "GET /worse"]
    assert all(set(one) >= ENDPOINT_FIELDS for one in stats["all_endpoints"])
    fast = stats["all_endpoints"][0]
    assert {key: fast[key] for key in ENDPOINT_FIELDS} == {
        "endpoint": "GET /fast",
        "total_requests": 3,
        "recent_samples": 3,
        "avg_response_time": 0.02,
        "min_response_time": 0.01,
        "max_response_time": 0.03,
        "latest_response_time": 0.03,
    }
    assert [one["endpoint"] for one in stats["slow_endpoints"]] == ["GET /worse", "GET /slow"]
    assert set(stats["slow_endpoints"][0]) > set(fast)
    assert stats["slow_endpoints"][0]["avg_response_time_ms"] == 1600
    assert stats["generated_at"] == "2001-09-09T01:47:40.000Z"
    assert "filtered_endpoints" not in stats
    assert stats["process"]["cpu_seconds"] > 0


def test_stats_with_a_threshold() -> None:
    stats = body(call("/stats", "threshold=1000"))
    assert [one["endpoint"] for one in stats["filtered_endpoints"]] == ["GET /worse"]
    assert [one["endpoint"] for one in stats["slow_endpoints"]] == ["GET /worse", "GET /slow"]


def test_slow() -> None:
    slow = body(call("/slow", "threshold=500"))
    assert (slow["threshold_ms"], slow["slow_endpoints_count"]) == (500, 2)
    assert [one["endpoint"] for one in slow["slow_endpoints"]] == ["GET /worse", "GET /slow"]
    assert slow["analysis"] == {
        "critical_endpoints": ["GET /worse"],
        "needs_attention": ["GET /slow"],
        "minor_issues": [],
    }


def test_exactly_at_the_threshold_is_not_over_it() -> None:
    assert body(call("/slow", "threshold=800"))["slow_endpoints_count"] == 1
    assert body(call("/slow", "threshold=799.999"))["slow_endpoints_count"] == 2
    assert body(call("/slow", "threshold=0"))["analysis"]["critical_endpoints"][0] == "GET /worse"


def test_summary() -> None:
    summary = body(call("/summary"))
    assert set(summary) >= {"performance_summary", "recommendations", "top_slow_endpoints"}
    assert summary["performance_summary"] == {
        "status": "degraded",
        "text": "2 of 3 endpoints over 500 ms on average; 7 requests",
        "monitored_endpoints": 3,
        "slow_endpoints": 2,
        "total_requests": 7,
        "error_rate": 2 / 7,
        "overall_avg_response_time_ms": 580,
        "slowest_endpoint": "GET /worse",
    }
    assert summary["recommendations"] == [
        "GET /slow: 2 of 3 requests failed (66.7%); see the service's log",
        (
            "GET /slow: N+1, the same statement up to 100 times in one request, from shop/views.py:42; "
            "load these rows with one query: SELECT ?"
        ),
        "GET /worse: 1.6 s on average; instrument its database, or measure parts of the handler with 'span(name)'",
        "GET /slow: 800 ms on average; most of it in 100 queries per request, 6.67 ms each: check their query plans",
        "GET /slow: 3 MB per response on average; paginate, or send fewer fields",
    ]
    assert [one["endpoint"] for one in summary["top_slow_endpoints"]] == ["GET /worse", "GET /slow"]


def test_the_slowest_statements_are_named() -> None:
    times = (
        StatementTime("SELECT a FROM t", 1.2, "shop/views.py:42", 3),
        StatementTime("SELECT b FROM t", 0.6, None, 3),
    )
    snapshot = Snapshot((replace(SLOW, slow_statements=times),))
    assert body(call("/stats", snapshot=snapshot))["all_endpoints"][0]["slow_statements"] == [
        {
            "shape": "SELECT a FROM t",
            "caller": "shop/views.py:42",
            "requests": 3,
            "total_time": 1.2,
            "time_per_request": 0.4,
        },
        {"shape": "SELECT b FROM t", "caller": None, "requests": 3, "total_time": 0.6, "time_per_request": 0.2},
    ]
    assert (
        "GET /slow: 800 ms on average; most of it in 100 queries per request, 6.67 ms each; "
        "check the plan of the slowest, 400 ms from shop/views.py:42: SELECT a FROM t"
    ) in body(call("/summary", snapshot=snapshot))["recommendations"]


def test_health_is_degraded_by_what_is_slow_or_fails() -> None:
    health = body(call("/health", snapshot=Snapshot((FAST, SLOW, replace(FAST, name="GET /f", errors=3)))))
    assert health["status"] == "degraded"
    assert (health["monitored_endpoints"], health["slow_endpoints"]) == (3, 1)
    assert health["issues"] == ["GET /slow is slow: 800 ms on average", "GET /f fails: 3 of 3 requests"]
    assert health["overall_avg_time"] == pytest.approx((0.06 + 2.4 + 0.06) / 9)
    assert health["message"] == "1 of 3 endpoints over 500 ms on average; 9 requests"


def test_health_is_healthy_otherwise() -> None:
    health = body(call("/health", snapshot=Snapshot((FAST,))))
    assert (health["status"], health["issues"]) == ("healthy", [])
    assert health["message"] == "0 of 1 endpoint over 500 ms on average; 3 requests"


def test_what_the_monitor_lacks_is_reported() -> None:
    troubled = Snapshot((FAST,), overflow=12, defects=1, problems=("the directory is read-only",))
    health = body(call("/health", snapshot=troubled))
    assert health["status"] == "degraded"
    assert len(health["issues"]) == 3
    assert body(call("/stats", snapshot=troubled))["monitor"]["problems"] == ["the directory is read-only"]


@pytest.mark.parametrize("path", ["/stats", "/slow", "/summary", "/health", "/metrics"])
def test_no_data_yet_is_an_answer(path: str) -> None:
    assert call(path, snapshot=EMPTY).status == 200


def test_no_data_has_every_field() -> None:
    assert body(call("/stats", snapshot=EMPTY))["summary"]["total_requests_processed"] == 0
    assert body(call("/stats", snapshot=EMPTY))["summary"]["slowest_endpoint"] is None
    assert body(call("/health", snapshot=EMPTY)) == {
        "status": "no_data",
        "monitored_endpoints": 0,
        "slow_endpoints": 0,
        "overall_avg_time": 0.0,
        "issues": [],
        "message": "no requests have been recorded yet",
        "generated_at": "2001-09-09T01:46:40.000Z",
    }
    assert body(call("/slow", "threshold=500", snapshot=EMPTY))["slow_endpoints_count"] == 0
    assert body(call("/summary", snapshot=EMPTY))["recommendations"] == []


def test_a_request_that_has_not_ended_is_in_flight_and_has_no_figures() -> None:
    stats = body(call("/stats", snapshot=Snapshot((EndpointStatistics("GET /endless", in_flight=3),))))
    assert stats["all_endpoints"] == []
    assert stats["in_flight"] == {"GET /endless": 3}
    assert stats["summary"]["requests_in_flight"] == 3


def test_the_threshold_in_force_is_the_one_that_is_set() -> None:
    configure(slow_s=0.015)
    assert body(call("/slow", snapshot=Snapshot((FAST,))))["threshold_ms"] == 15
    assert body(call("/health", snapshot=Snapshot((FAST,))))["slow_endpoints"] == 1


def test_log_summary(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "perfcheck.monitor"):
        logged = body(call("/log-summary", method="POST"))
    assert (logged["status"], logged["logger"]) == ("logged", "perfcheck.monitor")
    assert caplog.messages == [
        "degraded: 2 of 3 endpoints over 500 ms on average; 7 requests",
        "slow: GET /worse, 1600 ms on average over 1 request",
        "slow: GET /slow, 800 ms on average over 3 requests",
    ]


@pytest.mark.parametrize(("level", "handler_level"), [(logging.WARNING, logging.INFO), (logging.INFO, logging.WARNING)])
def test_log_summary_reports_that_nothing_was_written(level: int, handler_level: int) -> None:
    logger, handler = logging.getLogger("perfcheck.monitor"), logging.StreamHandler()
    handler.setLevel(handler_level)
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(level)
    try:
        silent = body(call("/log-summary", method="POST"))
        logger.setLevel(logging.INFO)
        handler.setLevel(logging.INFO)
        assert body(call("/log-summary", method="POST"))["status"] == "logged"
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    assert silent["status"] == "not logged"
    assert "logging.getLogger('perfcheck.monitor').setLevel(logging.INFO)" in silent["remedy"]


def test_a_failure_of_the_monitor_is_an_answer_too(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Snapshot:
        raise RuntimeError("no snapshot")

    found = api.answer("GET", "/api/performance/health", "", HOST, "127.0.0.1", broken)
    assert found is not None
    assert found.status == 500
    assert json.loads(found.body)["status"] == "error"
    assert "no snapshot" in caplog.text
    assert "no snapshot" not in found.body.decode()


# --- What is asked wrongly -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "threshold=abc",
        "threshold=-1",
        "threshold=",
        "threshold=nan",
        "threshold=inf",
        "threshold=1e3",
        "threshold=1_000",
        "threshold=%D9%A3",  # a digit, in another script
        "threshold=3600001",
        "threshold=99999999999999999999",
        "threshold=500&threshold=500",
        "threshold=500ms",
        "x=" + "1" * 3000,
        "&".join(["a=1"] * 60),
    ],
)
@pytest.mark.parametrize("path", ["/slow", "/stats"])
def test_a_bad_threshold_is_refused_with_a_sentence(path: str, query: str) -> None:
    refused = call(path, query)
    assert refused.status == 400
    assert body(refused)["error"].startswith(("threshold ", "the query string "))


def test_a_bad_threshold_is_not_given_back_raw() -> None:
    text = body(call("/slow", "threshold=%1b%5b31m%0d%0a" + "x" * 500))["error"]
    assert text.isprintable()
    assert len(text) < 200


@pytest.mark.parametrize(
    "query", ["threshold=0", "threshold=0.5", "threshold=3600000", "other=1", "", "threshold=500&_=1"]
)
def test_a_good_threshold(query: str) -> None:
    assert call("/slow", query).status == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/stats", "GET, HEAD"),
        ("OPTIONS", "/health", "GET, HEAD"),
        ("DELETE", "/metrics", "GET, HEAD"),
        ("GET", "/log-summary", "POST"),
        ("HEAD", "/log-summary", "POST"),
    ],
)
def test_a_wrong_method(method: str, path: str, allowed: str) -> None:
    refused = call(path, method=method)
    assert refused.status == 405
    assert dict(refused.headers)["Allow"] == allowed


def test_head_has_the_headers_of_get_and_no_body() -> None:
    head, get = call("/slow", method="HEAD"), call("/slow")
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


@pytest.mark.parametrize(
    "path",
    ["/", "/api/performance", "/api/performance/", "/api/performance/other", "/api/performance2/stats", "/stats"],
)
def test_every_other_address_is_left_to_the_application(path: str) -> None:
    assert api.answer("GET", path, "", HOST, "127.0.0.1", lambda: FULL) is None


def test_the_prefix_can_be_set() -> None:
    configure(prefix="/internal/perf")
    assert api.answer("GET", "/api/performance/stats", "", HOST, "127.0.0.1", lambda: FULL) is None
    found = api.answer("GET", "/internal/perf/stats", "", HOST, "127.0.0.1", lambda: FULL)
    assert found is not None
    assert found.status == 200


# --- Who may read --------------------------------------------------------------------------------------------------

PROXY_HEADERS = """
akamai-origin-hop appengine-remote-addr b3 cdn-loop cf-connecting-ip cf-ray client-ip cloudfront-viewer-address do-
connecting-ip fastly-client-ip fly-region forwarded max-forwards proxy-connection remote-addr surrogate-capability
traceparent true-client-ip via wl-proxy-client-ip x-amz-cf-id x-amzn-trace-id x-appengine-user-ip x-arr-ssl
x-azure-clientip x-client-ip x-cloud-trace-context x-cluster-client-ip x-envoy-external-address x-forward-for
x-forwarded x-forwarded-for x-forwarded-port x-nf-client-connection-ip x-original-url x-originating-ip x-proxyuser-
ip x-real-ip x-real-port x-remote-ip x-request-id x-scheme x-varnish x-vercel-ip-city
"""


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_may(peer: str) -> None:
    assert call("/health", peer=peer).status == 200


@pytest.mark.parametrize("peer", ["10.0.0.5", "203.0.113.9", "::ffff:10.0.0.5", "fe80::1%eth0", "", None, "testclient"])
def test_others_may_not_and_are_reported_how(peer: str | None) -> None:
    refused = call("/health", peer=peer)
    assert refused.status == 403
    assert "PERFCHECK_MONITOR_TOKEN" in body(refused)["remedy"]


@pytest.mark.parametrize(
    "name",
    PROXY_HEADERS.split(),
)
@pytest.mark.parametrize("value", ["127.0.0.1", "203.0.113.9", ""])
def test_behind_a_proxy_nobody_is_this_machine(name: str, value: str) -> None:
    refused = call("/stats", headers={**HOST, name: value})
    assert refused.status == 403
    assert body(refused)["error"] == f"the header '{name}' may be a proxy's, and no token is configured"


@pytest.mark.parametrize(
    "client",
    [
        "user-agent accept",  # curl, HTTPie
        "user-agent accept accept-encoding connection upgrade http2-settings",  # curl --http2, Java
        "user-agent accept accept-encoding connection",  # perfcheck, wget, requests, urllib, axios
        "user-agent accept accept-language accept-encoding sec-fetch-mode",  # Node
        "user-agent accept accept-encoding x-prometheus-scrape-timeout-seconds",
        "content-type content-length expect authorization cookie",  # curl -d -u -b
        """connection pragma cache-control sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform upgrade-insecure-requests
        user-agent accept sec-fetch-site sec-fetch-mode sec-fetch-user sec-fetch-dest accept-encoding accept-language
        cookie referer priority dnt sec-gpc te if-none-match if-modified-since""",  # browsers
    ],
)
def test_clients_of_this_machine_may(client: str) -> None:
    assert call("/stats", headers={**HOST, **dict.fromkeys(client.split(), "x")}).status == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:5001", "localhost.", "app.localhost:80", "127.0.0.1:5001", "[::1]:5001"]
)
def test_a_host_of_this_machine(host: str) -> None:
    assert call("/health", headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "a@localhost", "10.0.0.5"]
)
def test_a_name_that_was_pointed_at_this_machine(host: str) -> None:
    assert call("/health", headers={"host": host}).status == 403


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://localhost:3000", 403),
        ("origin", "http://localhost:5001", 200),
        ("origin", "http://[bad", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "none", 200),
        ("accept", "*/*", 200),
    ],
)
def test_a_page_of_another_site_cannot_write_to_the_log(header: str, value: str, status: int) -> None:
    assert call("/log-summary", method="POST", headers={**HOST, header: value}).status == status


def test_with_a_token_the_token_decides() -> None:
    configure(token="s3cret-\N{LATIN SMALL LETTER U WITH DIAERESIS}")
    raw = "s3cret-\N{LATIN SMALL LETTER U WITH DIAERESIS}".encode().decode("latin-1")  # as servers hand over bytes
    right = {"host": "app.example", "authorization": f"Bearer {raw}", "x-forwarded-for": "203.0.113.9"}
    assert call("/stats", headers=right, peer="10.0.0.5").status == 200
    assert call("/stats", headers={**right, "authorization": f"bearer  {raw}"}, peer=None).status == 200
    assert call("/log-summary", method="POST", headers={**right, "origin": "https://x.example"}).status == 200
    for wrong in ("", raw, f"Basic {raw}", "Bearer", "Bearer s3cret", f"Bearer {raw}x", "Bearer \u20ac"):
        refused = call("/stats", headers={**HOST, "authorization": wrong})
        assert refused.status == 401
        assert dict(refused.headers)["WWW-Authenticate"].startswith("Bearer")
        assert "s3cret" not in refused.body.decode()
