from __future__ import annotations

import random
import subprocess
import sys

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from perfcheck.monitor import api
from perfcheck.monitor.histogram import Histogram
from perfcheck.monitor.metrics import BOUNDARIES_S, exposition
from perfcheck.monitor.statistics import EndpointStatistics, Queries, Snapshot

HOSTILE = 'GET /x"} 1\n# EOF\\'


def samples(snapshot: Snapshot) -> dict[str, list[Sample]]:
    text, content_type = exposition(snapshot)
    assert content_type.startswith("application/openmetrics-text")
    families = text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call]
    return {family.name: family.samples for family in families}


def endpoint(name: str, durations_ns: list[int]) -> EndpointStatistics:
    duration = Histogram()
    duration.add(durations_ns)
    return EndpointStatistics(
        name,
        total=len(durations_ns),
        errors=2,
        disconnects=1,
        in_flight=3,
        duration=duration,
        queries=Queries(9, 3, 1.0),
    )


def test_the_boundaries_are_those_of_opentelemetry() -> None:
    assert BOUNDARIES_S == (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


def test_the_buckets_are_exact_also_at_their_boundaries() -> None:
    rng = random.Random(7)
    durations = [round(rng.lognormvariate(-2.5, 2) * 1e9) for _ in range(2000)]
    durations += [round(edge * 1e9) + off for edge in BOUNDARIES_S for off in (-1, 0, 1)]
    found = samples(Snapshot((endpoint("GET /x", durations),)))["http_server_request_duration_seconds"]
    buckets = {one.labels["le"]: one.value for one in found if one.name.endswith("_bucket")}
    assert buckets == {
        **{str(float(edge)): sum(ns <= round(edge * 1e9) for ns in durations) for edge in BOUNDARIES_S},
        "+Inf": len(durations),
    }
    rest = {one.name.rpartition("_")[2]: one.value for one in found if not one.name.endswith("_bucket")}
    assert rest == {"count": len(durations), "sum": pytest.approx(sum(durations) / 1e9)}
    assert {one.labels["http_route"] for one in found} == {"GET /x"}


def test_counts_of_an_endpoint() -> None:
    found = samples(Snapshot((endpoint("GET /x", [10**6] * 5),), overflow=4, workers=2))
    values = {
        name: [one.value for one in found[f"http_server_{name}"]]
        for name in ("request_errors", "request_disconnects", "request_queries", "active_requests")
    }
    assert values == {
        "request_errors": [2],
        "request_disconnects": [1],
        "request_queries": [9],
        "active_requests": [3],
    }
    assert found["perfcheck_monitor_workers"][0].value == 2
    assert found["perfcheck_monitor_overflow"][0].value == 4
    assert found["process_cpu_seconds"][0].value > 0


def test_no_name_breaks_the_format() -> None:
    found = samples(Snapshot((endpoint(HOSTILE, [10**6]), endpoint("GET /y", [10**6]))))
    labels = {one.labels["http_route"] for one in found["http_server_request_duration_seconds"]}
    assert labels == {HOSTILE, "GET /y"}


def test_no_data_is_a_document_too() -> None:
    assert samples(Snapshot())["http_server_request_duration_seconds"] == []


def test_without_the_extra_the_answer_says_what_to_install() -> None:
    code = (
        "import sys\n"
        "sys.modules['prometheus_client'] = None\n"
        "from perfcheck.monitor import api\n"
        "from perfcheck.monitor.statistics import Snapshot\n"
        "host = {'host': 'localhost'}\n"
        "found = api.answer('GET', '/api/performance/metrics', '', host, '127.0.0.1', Snapshot)\n"
        "print(found.status, found.body.decode())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("501 ")
    assert "perfcheck[metrics]" in done.stdout
    assert done.stderr == ""


def test_the_content_type_is_that_of_openmetrics() -> None:
    host = {"host": "localhost"}
    found = api.answer("GET", "/api/performance/metrics", "", host, "127.0.0.1", Snapshot)
    assert found is not None
    assert dict(found.headers)["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
