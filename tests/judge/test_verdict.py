from __future__ import annotations

import math
from dataclasses import replace

import pytest
from simulation.runs import decision, endpoint, failed, result, samples, spread

from perfcheck.judge.run_verdict import (
    excluded_failure_rates,
    failures_under_load,
    judge_run,
    partial_findings,
    service_findings,
)
from perfcheck.judge.verdict import judge_endpoint
from perfcheck.model import (
    NOT_CAPTURED,
    PROOF,
    RENEWAL_FAILED,
    Counts,
    Endpoint,
    EndpointResult,
    ErrorLimits,
    Failure,
    Measurement,
    Metric,
    MetricOf,
    Phases,
    Requests,
    Sample,
    Severity,
    Stop,
    UndecidedPolicy,
    Verdict,
)
from perfcheck.stats.acceptance import binomial_bound


def rules(one: EndpointResult) -> list[tuple[str, Severity]]:
    return [(finding.rule, finding.severity) for finding in one.findings]


LIST = endpoint("videos.list")
SLOW = samples(1, spread(800))


def test_critical_latency_names_limit_value_and_line() -> None:
    one = result(LIST, SLOW, decision(Verdict.CRITICAL, 812.0))
    assert one.verdict is Verdict.CRITICAL
    (finding,) = one.findings
    assert (finding.rule, finding.value, finding.limit, finding.unit, finding.line) == (
        "latency",
        812.0,
        600.0,
        "ms",
        12,
    )
    assert finding.message == "median 812 ms, over 2x its target of 300 ms (limit 600 ms)"
    assert one.ratio == pytest.approx(812 / 300)


def test_the_ceiling_is_named_where_it_is_the_lower_limit() -> None:
    one = result(replace(LIST, ceiling_ms=500.0), SLOW, decision(Verdict.CRITICAL, 550.0))
    assert rules(one) == [("ceiling", Severity.CRITICAL)]
    assert one.findings[0].limit == 500.0


def test_between_target_and_warning_is_ok_with_a_note() -> None:
    one = result(LIST, samples(1, spread(350)), decision(Verdict.OK, 350.0))
    assert one.verdict is Verdict.OK
    assert rules(one) == [("over-target", Severity.NOTE)]


def test_a_slow_endpoint_without_a_target_warns() -> None:
    one = result(endpoint("new", target=None), SLOW, decision(Verdict.WARNING, 800.0))
    assert rules(one) == [("new-slow-endpoint", Severity.WARNING)]
    assert one.ratio is None


@pytest.mark.parametrize(
    ("policy", "expected"),
    [(UndecidedPolicy.ESTIMATE, Verdict.CRITICAL), (UndecidedPolicy.WARNING, Verdict.WARNING)],
)
def test_undecided_critical_by_policy(policy: UndecidedPolicy, expected: Verdict) -> None:
    undecided = decision(Verdict.CRITICAL, 620.0, decided=False, stop=Stop.BUDGET)
    one = judge_endpoint(
        LIST,
        Measurement(LIST.name, tuple(SLOW), (undecided,)),
        url_shown=lambda _: "u",
        started_s=0.0,
        undecided=policy,
    )
    assert one.verdict is expected
    assert not one.decided
    assert one.findings[-1].rule == "undecided"
    assert "about 120 more requests" in (one.findings[-1].remedy or "")


@pytest.mark.parametrize(("more", "remedy"), [(7000, "'min_requests: 7200' on"), (20_000, "change the target")])
def test_no_more_requests_are_proposed_than_a_baseline_may_have(more: int, remedy: str) -> None:
    near = decision(Verdict.WARNING, 620.0, requests=200, decided=False, stop=Stop.MAX_REQUESTS)
    (*_, undecided) = result(LIST, SLOW, replace(near, more_requests=more)).findings
    assert remedy in (undecided.remedy or "")
    assert ("more requests" in (undecided.remedy or "")) == (more < 10_000)


def test_a_failure_rate_that_was_not_shown_in_time_is_no_breach_to_confirm() -> None:
    in_time = replace(decision(Verdict.OK, 100.0, failures=1), errors_decided=False)
    (*_, undecided) = result(LIST, samples(1, spread(100)), in_time).findings
    assert undecided.message == "undecided after 5 requests: too few to judge its failure rate"
    assert "errors: strict" in (undecided.remedy or "")


def test_errors_are_critical_and_reported_by_kind() -> None:
    one = result(
        LIST, samples(1, [40.0]) + failed(1, 4), decision(Verdict.OK, 40.0, failures=4, errors=Verdict.CRITICAL)
    )
    assert one.verdict is Verdict.CRITICAL
    assert one.errors == {"status": 4}
    assert one.error_rate == 0.8
    assert one.findings[0].message == "4 of 5 requests failed (80%), over 5%: 4x 503 Service Unavailable"
    assert one.findings[0].line == 5


def test_a_few_failures_without_evidence_are_a_note() -> None:
    one = result(LIST, samples(1, spread(40, 39)) + failed(1, 1), decision(Verdict.OK, 40.0, requests=40, failures=1))
    assert one.verdict is Verdict.OK
    assert rules(one) == [("errors-seen", Severity.NOTE)]
    assert "too few to judge" in one.findings[0].message


def test_error_limits_of_the_endpoint_are_those_in_the_message() -> None:
    strict = replace(LIST, error_limits=ErrorLimits(0.2, 0.5))
    one = result(strict, failed(1, 5), decision(Verdict.NOT_MEASURED, None, failures=5, errors=Verdict.CRITICAL))
    assert "over 50%" in one.findings[0].message


def test_the_failure_rate_that_is_excluded_is_that_of_the_decision() -> None:
    one = result(LIST, samples(1, spread(40)), replace(decision(Verdict.OK, 40.0), excluded=0.45))
    assert (one.error_rate, one.error_rate_bound) == (0.0, 0.45)
    assert result(LIST, []).error_rate_bound is None


@pytest.mark.parametrize(("size", "verdict"), [(1_000_000, Verdict.OK), (1_000_001, Verdict.WARNING)])
def test_a_large_body_warns(size: int, verdict: Verdict) -> None:
    sample = Sample(at_s=100.0, latency_ms=40.0, status=200, body_bytes=size)
    one = result(LIST, [(1, sample)] * 5, decision(Verdict.OK, 40.0))
    assert one.verdict is verdict
    if verdict is Verdict.WARNING:
        assert one.findings[0].message == "body of 1000001 bytes, over the limit of 1 MB"


def test_the_last_stage_stands_and_a_worse_one_before_is_reported() -> None:
    measured = samples(1, spread(640)) + samples(2, spread(210))
    one = result(LIST, measured, decision(Verdict.CRITICAL, 640.0), decision(Verdict.OK, 210.0, stage=2))
    assert one.verdict is Verdict.OK
    assert rules(one) == [("momentary", Severity.NOTE)]
    assert "median 640 ms, then 210 ms" in one.findings[0].message
    assert len(one.samples_ms) == 5
    assert one.timeline.stage == (1,) * 5 + (2,) * 5


def test_over_the_timeout() -> None:
    one = result(LIST, samples(1, [math.inf] * 5), decision(Verdict.CRITICAL, math.inf, failures=5))
    assert (one.value_ms, one.over_timeout) == (10_000.0, True)
    assert one.samples_ms == (None,) * 5
    assert one.timeline.outcome == (str(Failure.TIMEOUT),) * 5
    assert one.latency_ms.max is None
    of_bytes = replace(LIST, metric_of=MetricOf.BYTES)
    one = result(of_bytes, samples(1, [math.inf] * 5), decision(Verdict.CRITICAL, math.inf, failures=5))
    assert one.findings[0].message.endswith("not known: most loads took longer than the timeout of 10 s")


@pytest.mark.parametrize("decisions", [(), (decision(Verdict.NOT_MEASURED, None, requests=2, decided=False),)])
def test_not_measured_is_never_ok(decisions: tuple[object, ...]) -> None:
    one = result(LIST, samples(1, [40.0, 41.0]) if decisions else [], *decisions)  # type: ignore[arg-type]
    assert one.verdict is Verdict.NOT_MEASURED
    assert not one.decided


def test_all_failing_is_critical_though_no_latency_was_measured() -> None:
    nothing = decision(Verdict.NOT_MEASURED, None, failures=5, errors=Verdict.CRITICAL, decided=False)
    one = result(LIST, failed(1, 5), nothing)
    assert one.verdict is Verdict.CRITICAL
    assert one.decided
    assert rules(one) == [("error-rate", Severity.CRITICAL)]


OK = result(LIST, samples(1, spread(40)), decision(Verdict.OK, 40.0))
WARN = result(LIST, samples(1, spread(500)), decision(Verdict.WARNING, 500.0))
CRIT = result(LIST, SLOW, decision(Verdict.CRITICAL, 800.0))
NONE = result(LIST, [])


@pytest.mark.parametrize(
    ("results", "fail_on", "verdict", "exit_code"),
    [
        ([OK, OK], Verdict.CRITICAL, Verdict.OK, 0),
        ([OK, WARN], Verdict.CRITICAL, Verdict.WARNING, 0),
        ([OK, WARN], Verdict.WARNING, Verdict.WARNING, 1),
        ([OK, CRIT], Verdict.CRITICAL, Verdict.CRITICAL, 1),
        ([OK, CRIT], Verdict.WARNING, Verdict.CRITICAL, 1),
        ([OK, CRIT], None, Verdict.CRITICAL, 0),
        ([OK, NONE], Verdict.CRITICAL, Verdict.NOT_MEASURED, 3),
        ([WARN, NONE], Verdict.CRITICAL, Verdict.WARNING, 3),
        ([CRIT, NONE], Verdict.CRITICAL, Verdict.CRITICAL, 1),
        ([], Verdict.CRITICAL, Verdict.NOT_MEASURED, 3),
    ],
)
def test_judge_run(results: list[EndpointResult], fail_on: Verdict | None, verdict: Verdict, exit_code: int) -> None:
    judged, counts, code = judge_run(results, fail_on)
    assert (judged, code) == (verdict, exit_code)
    assert counts.ok + counts.warning + counts.critical + counts.not_measured == len(results)


FAILING = result(LIST, failed(0, 1))
BREACH = replace(WARN, unconfirmed=Verdict.CRITICAL)
SLIGHT_BREACH = replace(WARN, unconfirmed=Verdict.WARNING)


@pytest.mark.parametrize(
    ("results", "fail_on", "exit_code"),
    [
        ([OK, NONE], Verdict.CRITICAL, 0),
        ([OK, NONE, NONE], None, 0),
        ([WARN, NONE], Verdict.CRITICAL, 0),
        ([WARN, NONE], Verdict.WARNING, 1),
        ([CRIT, NONE], Verdict.CRITICAL, 1),
        ([NONE, NONE], Verdict.CRITICAL, 3),  # nothing at all is known
        ([OK, FAILING], Verdict.CRITICAL, 3),  # not for want of time
        ([BREACH, NONE], Verdict.CRITICAL, 3),
        ([], Verdict.CRITICAL, 3),
    ],
)
def test_endpoints_for_which_there_was_no_time_may_pass(
    results: list[EndpointResult], fail_on: Verdict | None, exit_code: int
) -> None:
    assert judge_run(results, fail_on, allow_partial=True)[2] == exit_code


def test_a_run_that_passes_in_part_has_a_warning() -> None:
    (finding,) = partial_findings([OK, NONE, NONE, FAILING])
    assert finding.message == (
        "2 of 4 endpoints were not measured: there was no time; they pass because of --allow-partial"
    )
    (finding,) = partial_findings([OK, NONE])
    assert finding.message.startswith("1 of 2 endpoints was not measured: there was no time; it passes")
    assert partial_findings([OK, FAILING]) == partial_findings([NONE]) == ()


@pytest.mark.parametrize(
    ("results", "fail_on", "exit_code"),
    [
        ([OK, BREACH], Verdict.CRITICAL, 3),
        ([OK, SLIGHT_BREACH], Verdict.CRITICAL, 0),
        ([OK, SLIGHT_BREACH], Verdict.WARNING, 3),
        ([CRIT, BREACH], Verdict.CRITICAL, 1),
        ([WARN, BREACH], Verdict.WARNING, 1),
        ([OK, BREACH], None, 0),
    ],
)
def test_an_unconfirmed_breach_neither_fails_the_run_nor_passes(
    results: list[EndpointResult], fail_on: Verdict | None, exit_code: int
) -> None:
    verdict, counts, code = judge_run(results, fail_on)
    assert code == exit_code
    assert (verdict is Verdict.CRITICAL) == bool(counts.critical)


def test_server_timing_is_the_median_of_each_span_of_the_slow_requests() -> None:
    one = result(LIST, samples(1, [10.0, 20.0, 60.0]), decision(Verdict.OK, 20.0))
    assert one.server_timing == {"db": 20.0, "app": 1.0}  # of those that took 20 and 60 ms


def test_the_words_of_the_service_are_those_of_the_median_slow_request() -> None:
    told = [(latency, f'db;dur=1;desc="{int(latency)} queries"') for latency in (10.0, 60.0, 20.0, 30.0)]
    measured = [(1, Sample(100.0, latency, server_timing=header)) for latency, header in told]
    one = result(LIST, measured, decision(Verdict.OK, 20.0))
    assert one.server_timing_details == {"db": "30 queries"}  # of those that took 20, 30 and 60 ms
    assert result(LIST, [(1, Sample(100.0, 10.0))], decision(Verdict.OK, 10.0)).server_timing_details == {}


def test_lines_fall_back_on_the_endpoint() -> None:
    bare = Endpoint(name="x", path="/", line=7, target_ms=100.0, warning_ms=150.0, critical_ms=200.0)
    one = result(bare, SLOW, decision(Verdict.CRITICAL, 800.0))
    assert one.findings[0].line == 7


def test_a_first_stage_that_failed_beyond_doubt_is_reported_when_its_confirmation_does_not() -> None:
    failing = decision(Verdict.NOT_MEASURED, None, failures=5, errors=Verdict.CRITICAL, decided=False)
    since = decision(Verdict.OK, 40.0, stage=2, requests=30, errors=Verdict.WARNING)
    one = result(LIST, failed(1, 5) + samples(2, spread(40, 30)), failing, since)
    assert one.verdict is Verdict.WARNING
    assert ("error-rate", Severity.WARNING) in rules(one)
    assert "5 of 5 requests failed (100%) at first, none of 30 since" in one.findings[0].message


def test_the_cause_of_a_slow_tail_is_in_the_slow_requests() -> None:
    fast = [(1, Sample(100.0, 10.0, phases=Phases(wait_ms=9.0, download_ms=1.0), server_timing="db;dur=1"))] * 60
    slow = [(1, Sample(100.0, 400.0, phases=Phases(wait_ms=398.0, download_ms=2.0), server_timing="db;dur=390"))] * 7
    one = result(replace(LIST, metric=Metric.P95), fast + slow, decision(Verdict.WARNING, 400.0, requests=67))
    assert one.phases_ms.wait == 398.0
    assert one.server_timing == {"db": 390.0}


def test_a_body_apart_from_its_headers_is_pointed_out() -> None:
    late = [(1, Sample(100.0, 45.0, status=200, phases=Phases(wait_ms=4.0, download_ms=40.9), body_bytes=2))] * 5
    one = result(LIST, late, decision(Verdict.OK, 45.0))
    assert rules(one) == [("delayed-ack", Severity.NOTE)]
    stream = [(1, replace(late[0][1], body_bytes=None))] * 5
    assert rules(result(replace(LIST, metric_of=MetricOf.FIRST_BYTE), stream, decision(Verdict.OK, 45.0))) == []


def test_the_traces_are_those_of_the_last_failure_and_of_the_slowest() -> None:
    def traced(number: int, latency_ms: float | None, failure: Failure | None = None) -> tuple[int, Sample]:
        return 1, Sample(100.0 + number, latency_ms, failure=failure, trace_id=f"{number:032x}")

    timeout = traced(5, math.inf, Failure.TIMEOUT)
    slow = [traced(0, 10.0), traced(1, 40.0), traced(2, 30.0), traced(3, 20.0)]
    failures = [traced(6, None, Failure.STATUS), traced(7, None, Failure.STATUS)]

    def found(*measured: tuple[int, Sample]) -> list[tuple[int, float | None, str]]:
        one = result(LIST, list(measured), decision(Verdict.OK, 30.0))
        return [(int(trace.trace_id, 16), trace.latency_ms, trace.outcome) for trace in one.traces]

    assert found(*slow) == [(1, 40.0, "ok"), (2, 30.0, "ok"), (3, 20.0, "ok")]
    assert found(*slow, timeout, *failures) == [(7, None, "status"), (5, None, "timeout"), (1, 40.0, "ok")]
    assert found((0, slow[1][1]), slow[0]) == [(0, 10.0, "ok")]  # not of the warm-up
    assert found(*SLOW) == []


def test_what_was_judged_to_its_first_byte_is_named_so() -> None:
    endpoint = replace(LIST, metric_of=MetricOf.FIRST_BYTE)
    one = result(endpoint, SLOW, decision(Verdict.CRITICAL, 812.0))
    assert (one.metric, one.metric_of, one.metric_name) == (Metric.MEDIAN, "first_byte", "median to first byte")
    assert one.findings[0].message == "median to first byte 812 ms, over 2x its target of 300 ms (limit 600 ms)"


def test_a_stream_that_was_measured_to_its_end_has_the_key_as_its_remedy() -> None:
    detail = (
        "the response was not complete within 10 s; text/event-stream: metric_of: first_byte judges the first event"
    )
    endless = [(1, Sample(100.0, math.inf, failure=Failure.TIMEOUT, detail=detail))] * 5
    one = result(LIST, endless, decision(Verdict.CRITICAL, math.inf, failures=5, errors=Verdict.CRITICAL))
    errors = next(finding for finding in one.findings if finding.rule == "error-rate")
    assert errors.message.endswith(detail)
    assert "'metric_of: first_byte'" in (errors.remedy or "")


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (404, "is 'path' right?"),
        (301, "the path that it redirects to"),
        (401, "cookies: true"),
        (407, "the proxy requires"),
        (500, "service's log"),
    ],
)
def test_a_status_has_its_own_remedy(code: int, remedy: str) -> None:
    answers = [(1, Sample(100.0, None, failure=Failure.STATUS, status=code, detail=str(code)))] * 5
    one = result(LIST, answers, decision(Verdict.NOT_MEASURED, None, failures=5, errors=Verdict.CRITICAL))
    assert remedy in (one.findings[0].remedy or "")


@pytest.mark.parametrize(
    ("failure", "detail", "remedy"),
    [
        (Failure.WRONG_ANSWER, f"step 'list': {NOT_CAPTURED} 'id' from json $.id: it is empty", "correct 'capture'"),
        (Failure.WRONG_ANSWER, "wrong answer: $.id: not found", "correct 'expect'"),
        (Failure.STATUS, f"401 Unauthorized; {RENEWAL_FAILED}: 403 Forbidden", "a later one did not"),
    ],
)
def test_a_capture_and_a_renewal_have_their_own_remedies(failure: Failure, detail: str, remedy: str) -> None:
    answers = [(1, Sample(100.0, None, failure=failure, status=401, detail=detail))] * 5
    one = result(LIST, answers, decision(Verdict.NOT_MEASURED, None, failures=5, errors=Verdict.CRITICAL))
    assert remedy in (one.findings[0].remedy or "")


# --- Failures around a confirmation, and of the service as a whole -------------------------------------------------


def test_failures_count_with_the_requests_for_the_failure_rate() -> None:
    measured = samples(0, [40.0]) + samples(1, spread(40)) + samples(PROOF, spread(40, 58)) + failed(PROOF, 1)
    one = result(LIST, measured, decision(Verdict.OK, 40.0, failures=1))
    assert one.requests == Requests(sent=64, succeeded=63, failed=1, warmup=1, judged=5)
    assert rules(one) == [("errors-seen", Severity.NOTE)]
    assert one.findings[0].message.startswith("1 of 64 requests failed (1.56%)")
    assert len(one.samples_ms) == 5  # the latency is that of the stage alone


def test_the_requests_since_failures_had_to_be_confirmed_are_those_that_count() -> None:
    first = decision(Verdict.OK, 40.0, requests=8, failures=3, errors=Verdict.CRITICAL)
    again = decision(Verdict.OK, 40.0, stage=2, requests=10, failures=6, errors=Verdict.CRITICAL)
    measured = samples(1, spread(40)) + failed(PROOF, 3) + samples(2, spread(40, 4)) + failed(2, 6)
    one = result(LIST, measured, first, again)
    assert one.findings[0].message.startswith("6 of 10 requests failed (60%), over 5%")


def test_requests_for_the_failure_rate_after_a_confirmation_count_with_it() -> None:
    first = decision(Verdict.OK, 40.0, requests=5, failures=3, errors=Verdict.CRITICAL)
    again = decision(Verdict.OK, 40.0, stage=2, requests=20, failures=1, errors=Verdict.WARNING)
    measured = samples(1, spread(40, 2)) + failed(1, 3) + samples(2, spread(40, 20)) + samples(PROOF, spread(40, 38))
    one = result(LIST, [*measured, *failed(PROOF, 1)], first, again)
    assert one.findings[0].message.startswith("1 of 59 requests failed")


def test_a_confirmation_of_latency_does_not_divide_the_failures() -> None:
    measured = samples(1, spread(800, 4)) + failed(1, 1) + samples(2, spread(800))
    one = result(LIST, measured, decision(Verdict.CRITICAL, 800.0), decision(Verdict.CRITICAL, 800.0, stage=2))
    assert "1 of 10 requests failed" in one.findings[-1].message


@pytest.mark.parametrize("seen", [Verdict.WARNING, Verdict.CRITICAL])
def test_an_unconfirmed_breach_is_a_warning_that_names_what_would_settle_it(seen: Verdict) -> None:
    value = 812.0 if seen is Verdict.CRITICAL else 500.0
    cut = replace(decision(seen, value, decided=False, stop=Stop.BUDGET), is_unconfirmed=True, more_requests=5)
    one = result(LIST, SLOW, cut)
    assert (one.verdict, one.unconfirmed, one.decided) == (Verdict.WARNING, seen, False)
    assert rules(one) == [("latency", Severity.WARNING), ("undecided", Severity.NOTE)]
    assert one.findings[1].message == (
        "unconfirmed: measured once, and the time budget ran out before it was measured again"
    )
    assert one.findings[1].remedy == "about 5 more requests would settle it: raise --budget"
    assert judge_run([OK, one], Verdict.WARNING)[2] == 3
    assert judge_run([OK, one], Verdict.CRITICAL)[2] == (3 if seen is Verdict.CRITICAL else 0)


def test_unconfirmed_failures_are_a_warning() -> None:
    cut = decision(Verdict.NOT_MEASURED, None, failures=5, errors=Verdict.CRITICAL, decided=False, stop=Stop.BUDGET)
    one = result(LIST, failed(1, 5), replace(cut, errors_decided=False, is_unconfirmed=True))
    assert (one.verdict, one.unconfirmed) == (Verdict.WARNING, Verdict.CRITICAL)
    assert rules(one) == [("error-rate", Severity.WARNING)]
    assert judge_run([OK, one], Verdict.CRITICAL) == (Verdict.WARNING, Counts(1, 1, 0, 0), 3)


def with_failures(count: int, requests: int = 100, *, verdict: Verdict = Verdict.OK) -> EndpointResult:
    measured = samples(1, spread(40, requests - count)) + failed(1, count)
    return result(LIST, measured, decision(Verdict.OK, 40.0, requests=requests, failures=count, errors=verdict))


@pytest.mark.parametrize(
    ("results", "is_found"),
    [
        ([with_failures(0)] * 10, False),
        ([with_failures(1)] * 2, False),  # too few failures, whatever their share
        ([with_failures(1)] * 10, False),  # just at the limit
        ([with_failures(3)] * 10, True),
        ([with_failures(1, 32)] * 30, True),
        ([with_failures(30, verdict=Verdict.CRITICAL), *[with_failures(0)] * 9], False),  # it has a finding of its own
        ([], False),
    ],
)
def test_failures_spread_over_the_service(results: list[EndpointResult], is_found: bool) -> None:  # noqa: FBT001
    findings = service_findings(results)
    assert bool(findings) is is_found
    if is_found:
        (finding,) = findings
        failures, sent = (sum(getattr(one.requests, name) for one in results) for name in ("failed", "sent"))
        assert (finding.rule, finding.severity) == ("error-rate", Severity.WARNING)
        assert finding.message.startswith(f"{failures} of {sent:,} requests failed")
        assert judge_run(results, Verdict.CRITICAL, findings)[::2] == (Verdict.WARNING, 0)
        assert judge_run(results, Verdict.WARNING, findings)[2] == 1


def test_what_a_run_excludes() -> None:
    """Of each endpoint, the weakest bound; of the service, all requests together."""
    each, overall = excluded_failure_rates([with_failures(0, 32), with_failures(0, 10)])
    assert each == pytest.approx(1 - 0.05 ** (1 / 10), abs=1e-5)
    assert overall == pytest.approx(1 - 0.05 ** (1 / 42), abs=1e-5)


@pytest.mark.parametrize("other", [NONE, with_failures(80, verdict=Verdict.CRITICAL), FAILING])
def test_what_failed_or_was_not_measured_has_no_part_in_what_a_run_excludes(other: EndpointResult) -> None:
    healthy = with_failures(0, 32)
    assert excluded_failure_rates([healthy, other]) == excluded_failure_rates([healthy])
    assert excluded_failure_rates([other]) == (None, None)


def test_what_failed_under_load_has_its_part_in_what_a_run_excludes_for_the_service() -> None:
    """The endpoint is measured again, so that only requests that did not fail would be left."""
    healthy = with_failures(0, 32)
    loaded = replace(healthy, requests=replace(healthy.requests, failed_under_load=8))
    each, overall = excluded_failure_rates([loaded])
    assert each == excluded_failure_rates([healthy])[0]
    assert overall == pytest.approx(binomial_bound(8, 40))


def test_a_note_reports_what_failed_under_load() -> None:
    measured = Measurement("a", (), (), failed_under_load=tuple(sample for _, sample in failed(0, 3)))
    (note,) = failures_under_load([measured, Measurement("b", (), ())])
    assert (note.rule, note.severity) == ("errors-seen", Severity.NOTE)
    assert note.message == "3 requests failed while others were in flight: 3x 503 Service Unavailable"
    assert failures_under_load([Measurement("b", (), ())]) == ()


def test_the_steps_of_a_screened_workflow_are_screened() -> None:
    step = endpoint("search")
    of_step = decision(Verdict.OK, 40.0)
    last = replace(of_step, steps=(of_step,), concurrency=4)
    measured = [(1, replace(sample, steps=(sample,))) for _, sample in samples(1, spread(40))]
    one = result(replace(endpoint("shop"), steps=(step,)), measured, last)
    assert [each.is_screened for each in (one, *one.steps)] == [True, True]
    assert one.steps[0].timeline.at_ms == ()
