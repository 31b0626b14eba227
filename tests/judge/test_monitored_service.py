"""What the monitor's figures come to: rules, one by one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from apps.monitored import reading
from simulation.runs import endpoint, result, samples, spread

from perfcheck.judge.monitored_service import Health, alongside_a_run, judge_health, why_unreadable, without_a_monitor
from perfcheck.model import (
    Endpoint,
    EndpointResult,
    Metric,
    MetricOf,
    MonitoredEndpoint,
    MonitoredRoute,
    MonitorReading,
    MonitorStatus,
    Repeated,
    RouteTable,
    Rule,
    Service,
    Severity,
    Source,
    Verdict,
)
from perfcheck.stats.error_rate import MOST_FAILURES_EXACTLY, evidence, evidence_of_many

SERVICE = Service("http://localhost:5001", monitor="/api/performance", ready="/api/health")
URL = "http://localhost:5001/api/performance/stats"


def seen(name: str, mean_ms: float | None = 50.0, *, requests: int | None = 100, **more: Any) -> MonitoredEndpoint:
    return replace(MonitoredEndpoint(name=name, mean_ms=mean_ms, requests=requests), **more)


def judged(read: MonitorReading, *endpoints: Endpoint, fail_on: Verdict | None = Verdict.CRITICAL) -> Health:
    return judge_health(read, SERVICE, endpoints, threshold_ms=500.0, fail_on=fail_on, url=URL)


def only(health: Health) -> EndpointResult:
    assert len(health.results) == 1
    return health.results[0]


def rules(one: EndpointResult) -> list[str]:
    return [finding.rule for finding in one.findings]


# --- Without a target ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean_ms", "verdict"),
    [(499.9, Verdict.OK), (500.0, Verdict.OK), (500.001, Verdict.WARNING), (9e9, Verdict.WARNING)],
)
def test_over_the_threshold_and_not_in_the_baseline(mean_ms: float, verdict: Verdict) -> None:
    health = judged(reading(seen("GET /new", mean_ms)))
    assert only(health).verdict is verdict
    assert rules(only(health)) == ([] if verdict is Verdict.OK else ["new-slow-endpoint"])
    assert health.exit_code == 0
    assert only(health).source is Source.MONITORED
    assert only(health).decided is False


def test_a_threshold_is_shown_apart_from_the_value() -> None:
    assert "mean 500.001 ms, over 500 ms" in only(judged(reading(seen("a", 500.001)))).findings[0].message


def test_a_new_slow_endpoint_fails_where_warnings_do() -> None:
    assert judged(reading(seen("a", 600)), fail_on=Verdict.WARNING).exit_code == 1
    assert judged(reading(seen("a", 600)), fail_on=None).exit_code == 0


def test_a_name_in_a_list_of_slow_ones_is_enough() -> None:
    one = only(judged(reading(seen("a", None, requests=None, listed_as_slow=True))))
    assert (one.verdict, one.value_ms) == (Verdict.WARNING, None)
    assert "lists it as over 500 ms" in one.findings[0].message


# --- In the baseline -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("median_ms", "verdict"),
    [
        (300.0, Verdict.OK),
        (450.0, Verdict.OK),
        (451.0, Verdict.WARNING),
        (600.0, Verdict.WARNING),
        (601.0, Verdict.CRITICAL),
    ],
)
def test_its_own_limits_by_its_own_metric(median_ms: float, verdict: Verdict) -> None:
    one = only(judged(reading(seen("videos.list", 9000, median_ms=median_ms)), endpoint("videos.list")))
    assert (one.verdict, one.metric, one.value_ms) == (verdict, Metric.MEDIAN, median_ms)
    assert one.line == 10
    assert one.ratio == median_ms / 300


def test_a_metric_that_the_monitor_lacks_is_the_mean_and_reported() -> None:
    one = only(judged(reading(seen("a", 700, median_ms=10)), endpoint("a", metric=Metric.P75)))
    assert (one.metric, one.value_ms, one.verdict) == (Metric.MEAN, 700, Verdict.CRITICAL)
    assert "does not report its p75; its mean is judged instead" in one.findings[-1].message


def test_what_is_judged_to_its_first_byte_is_not_judged_by_entire_responses() -> None:
    stream = replace(endpoint("a"), metric_of=MetricOf.FIRST_BYTE)
    one = only(judged(reading(seen("a", 90_000, median_ms=90_000)), stream))
    assert (one.verdict, one.value_ms, one.target_ms, one.metric_name) == (Verdict.OK, 90_000, None, "median")
    assert one.findings[0].message == (
        "the monitor does not report its median to first byte: its median is shown, and not judged"
    )


def test_a_ceiling() -> None:
    core = replace(endpoint("a", target=900), ceiling_ms=1000.0)
    one = only(judged(reading(seen("a", median_ms=1001.0)), core))
    assert (one.verdict, rules(one)) == (Verdict.CRITICAL, ["ceiling"])
    assert "ceiling of 1 s" in one.findings[0].message


def test_an_endpoint_of_the_baseline_without_a_target_warns_over_its_own_slow() -> None:
    one = only(judged(reading(seen("a", median_ms=800.0)), replace(endpoint("a", target=None), slow_ms=700.0)))
    assert (one.verdict, rules(one)) == (Verdict.WARNING, ["new-slow-endpoint"])
    assert (
        only(judged(reading(seen("a", median_ms=600.0)), replace(endpoint("a", target=None), slow_ms=700.0))).verdict
        == "OK"
    )


def test_a_few_requests_are_never_critical() -> None:
    few, enough = (only(judged(reading(seen("a", 9000, requests=n)), endpoint("a"))) for n in (4, 5))
    assert few.verdict is Verdict.WARNING
    assert "(only 4 requests)" in few.findings[0].message
    assert enough.verdict is Verdict.CRITICAL


def test_several_endpoints_that_are_one_route_are_compared_with_the_loosest() -> None:
    by_title = replace(endpoint("videos.by_title"), path="/api/videos/", query=(("page", "1"), ("sort", "title")))
    by_artist = replace(endpoint("videos.by_artist", target=500), path="/api/videos/", query=(("page", "1"),))
    between = only(judged(reading(seen("GET /api/videos/", median_ms=740.0)), by_title, by_artist))
    over = only(judged(reading(seen("GET /api/videos/", median_ms=760.0)), by_title, by_artist))
    assert (between.verdict, over.verdict) == (Verdict.OK, Verdict.WARNING)
    assert between.name == "GET /api/videos/"
    assert "videos.by_title, videos.by_artist" in between.findings[0].message
    assert (between.findings[0].remedy or "").endswith("counts them separately, by 'sort'")


def test_what_the_monitor_never_saw_is_noted_and_folded_when_there_is_much_of_it() -> None:
    few = judged(reading(seen("other")), endpoint("e0"))
    many = judged(reading(seen("other")), *(endpoint(f"e{i}") for i in range(30)))
    assert [f.rule for f in few.findings].count(Rule.NEVER_SEEN) == 1
    assert few.findings[-1].line == 10
    folded = [f.message for f in many.findings if f.rule == "never-seen"]
    assert len(folded) == 1
    assert folded[0].startswith("30 endpoints of the baseline are unknown to the monitor: e0, e1,")
    assert folded[0].endswith("and 20 more")
    assert (few.verdict, few.exit_code) == (Verdict.OK, 0)


def test_an_endpoint_whose_route_is_known_got_no_requests() -> None:
    """A name to set would be that of another route."""
    table = RouteTable((MonitoredRoute("GET", "/e0", "GET /e0"),), {"e0": "GET /e0", "e1": None, "e2": "GET /e2"})
    three = judged(reading(seen("other"), table=table), *(endpoint(f"e{i}") for i in range(3)))
    notes = [(finding.message, finding.remedy) for finding in three.findings if finding.rule is Rule.NEVER_SEEN]
    assert [message for message, _ in notes] == [
        "e1 is in the baseline and unknown to the monitor",
        "2 endpoints of the baseline got no requests since the monitor started: e0, e2",
    ]
    assert ["monitor_name" in (remedy or "") for _, remedy in notes] == [True, False]


# --- Errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "requests", "verdict"),
    [
        (0, 100, Verdict.OK),
        (1, 10, Verdict.OK),
        (2, 10, Verdict.WARNING),
        (3, 8, Verdict.CRITICAL),
        (3, 9, Verdict.WARNING),
        (8, 40, Verdict.CRITICAL),
        (10, 1000, Verdict.OK),
        (5_000, 1_000_000, Verdict.OK),
        (11_000, 1_000_000, Verdict.WARNING),
        (51_000, 1_000_000, Verdict.CRITICAL),
        (10**12, 10**15, Verdict.OK),
        (10**15, 10**15, Verdict.CRITICAL),
    ],
)
def test_error_rates_by_the_evidence(errors: int, requests: int, verdict: Verdict) -> None:
    assert only(judged(reading(seen("a", requests=requests, errors=errors)))).verdict is verdict


def test_a_rate_over_the_limit_without_the_evidence_is_a_note() -> None:
    one = only(judged(reading(seen("a", requests=10, errors=1))))
    assert rules(one) == ["errors-seen"]
    assert one.error_rate == 0.1


def test_errors_that_are_not_reported_are_not_zero() -> None:
    assert only(judged(reading(seen("a")))).error_rate is None


@pytest.mark.parametrize(("rate", "limit"), [(0.012, 0.01), (0.02, 0.01), (0.055, 0.05), (0.3, 0.05)])
def test_evidence_of_many_failures_goes_on_where_the_exact_one_ends(rate: float, limit: float) -> None:
    failures = MOST_FAILURES_EXACTLY + 1
    requests = round(failures / rate)
    there, exact = (math.log(function(failures, requests, limit)) for function in (evidence_of_many, evidence))
    assert there == pytest.approx(min(exact, 600), rel=0.02, abs=0.1)


# --- The service as a whole ----------------------------------------------------------------------------------------


def test_degraded_is_a_warning_of_the_service() -> None:
    health = judged(reading(seen("a"), status=MonitorStatus.DEGRADED, issues=("the disk is full",)))
    assert (health.verdict, health.counts.ok, health.exit_code) == (Verdict.WARNING, 1, 0)
    assert [f.message for f in health.findings if f.severity is Severity.WARNING] == [
        "the service reports that it is degraded: the disk is full"
    ]


def test_the_state_has_how_much_and_since_when() -> None:
    state = judged(reading(seen("a"), seen("b"), since="2026-11-23T06:00:00.000Z", workers=4)).findings[0]
    assert (
        state.message
        == "the monitor responds and reports healthy: 2 endpoints, 200 requests since 2026-11-23 06:00 UTC, 4 workers"
    )


def test_what_cannot_be_judged() -> None:
    assert why_unreadable(MonitorReading(alive=False, message="gone", remedy="start it")) == ("gone", "start it")
    assert "no data" in (why_unreadable(reading(status=MonitorStatus.NO_DATA)) or [""])[0]
    assert "no data" in (why_unreadable(reading()) or [""])[0]
    assert "no figures" in (why_unreadable(reading(seen("a", None))) or [""])[0]
    assert why_unreadable(reading(seen("a"))) is None


def test_only_some_names() -> None:
    read = reading(seen("a", 600), seen("b"), status=MonitorStatus.DEGRADED)
    health = judge_health(read, SERVICE, [], threshold_ms=500, fail_on=None, wanted=["b"], url=URL)
    assert [one.name for one in health.results] == ["b"]
    assert health.verdict is Verdict.OK


def test_repeated_statements_are_notes_with_the_line_of_the_caller() -> None:
    repeated = (Repeated("SELECT ?", 25, "app.py:7", 3),)
    one = only(judged(reading(seen("a", n_plus_one=repeated))))
    assert one.verdict is Verdict.OK
    assert "25 times per request, in 3 requests, from app.py:7: SELECT ?" in one.findings[0].message


# --- Beside a run --------------------------------------------------------------------------------------------------


def beside(read: MonitorReading, *, whole: bool = True) -> tuple[list[EndpointResult], list[str]]:
    one = endpoint("videos.list")
    measured = [result(one, samples(1, spread(40)))]
    results, findings = alongside_a_run(read, SERVICE, [one], measured, threshold_ms=500, url=URL, whole=whole)
    assert all(finding.severity is Severity.NOTE for finding in findings)
    return list(results), [finding.message for finding in findings]


def test_a_new_slow_endpoint_stands_behind_those_measured() -> None:
    read = reading(seen("videos.list", 900), seen("GET /new", 900), seen("GET /fast", 20))
    results, notes = beside(read)
    assert [(one.name, one.source) for one in results] == [
        ("videos.list", Source.MEASURED),
        ("GET /new", Source.MONITORED),
    ]
    assert results[1].verdict is Verdict.WARNING
    assert notes == []


def test_a_part_of_the_baseline_has_no_findings_on_the_rest() -> None:
    assert len(beside(reading(seen("GET /new", 900)), whole=False)[0]) == 1


def test_what_perfcheck_itself_requests_is_no_new_endpoint() -> None:
    asked = [seen("GET /api/health", 900), seen("GET /api/performance/stats", 900)]
    assert len(beside(reading(*asked))[0]) == 1


def test_what_is_known_of_a_measured_endpoint_is_noted_and_changes_no_verdict() -> None:
    repeated = (Repeated("SELECT ?", 25, "app.py:7", 3),)
    (one,), _ = beside(reading(seen("videos.list", 9000, n_plus_one=repeated)))
    (plain,), _ = beside(reading(seen("other", 1)))
    assert one.verdict is plain.verdict
    assert one.findings[-1].rule == "n-plus-one"


@pytest.mark.parametrize("read", [MonitorReading(alive=False, message="it is gone"), reading()])
def test_a_monitor_that_has_nothing_is_a_note(read: MonitorReading) -> None:
    results, notes = beside(read)
    assert len(results) == 1
    assert "slow endpoints that are not in the baseline are unknown" in notes[0]


def test_a_release_has_notes_on_what_only_one_of_baseline_and_monitor_knows() -> None:
    read = reading(seen("GET /new", 20), seen("GET /other", 30), seen("GET /api/health", 3))
    one = endpoint("videos.list")
    measured = [result(one, samples(1, spread(40)))]
    results, findings = alongside_a_run(
        read, SERVICE, [one], measured, threshold_ms=500, url=URL, whole=True, coverage=True
    )
    assert [found.name for found in results] == ["videos.list"], "they are not slow"
    assert [(finding.rule, finding.severity) for finding in findings] == [
        ("never-seen", Severity.NOTE),
        ("coverage", Severity.NOTE),
    ]
    assert findings[1].message == "2 endpoints are in use and not in the baseline: GET /new, GET /other"
    assert without_a_monitor().severity is Severity.NOTE


def test_what_is_not_slow_is_never_invented_alongside_a_run() -> None:
    read = reading(seen("neg", None, requests=3, errors=3), seen("GET /slow", 900, requests=100, errors=90))
    results, _ = beside(read)
    assert [one.name for one in results] == ["videos.list", "GET /slow"]
    assert results[1].verdict is Verdict.WARNING  # that it fails, too, is for the daily check to say
    assert [finding.rule for finding in results[1].findings] == ["new-slow-endpoint"]


def test_errors_that_the_monitor_does_not_count_are_unknown_and_not_none() -> None:
    def notes(*reported: MonitoredEndpoint) -> list[str]:
        return [found.message for found in judged(reading(*reported)).findings if found.rule is Rule.MONITOR]

    known, unknown, unused = seen("GET /a", errors=0), seen("GET /b"), seen("GET /c", None, requests=0)
    assert notes(known, unknown, unused) == [
        "the monitor does not count errors, so failures are not judged for 1 endpoint: GET /b"
    ]
    assert notes(known) == []


def test_the_routes_of_the_steps_of_a_workflow_are_in_the_baseline_and_the_workflow_is_none() -> None:
    steps = tuple(replace(endpoint(path, target=None), path=path) for path in ("/api/items", "/api/items/1"))
    workflow = replace(endpoint("shop"), path="", method="steps", steps=steps)
    names = ("GET /api/items", "GET /api/items/<int:id>", "GET /api/token", "GET /api/other")
    read = reading(*(seen(name, 900) for name in names))
    results, findings = alongside_a_run(
        read,
        SERVICE,
        [workflow],
        [result(workflow, [])],
        threshold_ms=500,
        url=URL,
        whole=True,
        coverage=True,
        around=[Endpoint("login", "/api/token", 1)],
    )
    assert [one.name for one in results] == ["shop", "GET /api/other"]
    assert [finding.message for finding in findings] == ["1 endpoint is in use and not in the baseline: GET /api/other"]
    health = judged(read, workflow)
    assert {one.name for one in health.results} == {reported.name for reported in read.endpoints}
    assert not [finding for finding in health.findings if finding.rule is Rule.NEVER_SEEN]
