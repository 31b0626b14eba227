"""An endpoint held against how it was before: findings, verdicts, and what is told of the whole."""

from __future__ import annotations

import re
from dataclasses import replace
from statistics import median

import pytest
from simulation.runs import decision, endpoint, failed, result, run, samples, spread

from perfcheck.judge.change_findings import EndpointPair, limits_from, request_change
from perfcheck.judge.compare_endpoint import compared_alone, noise_findings, resolution
from perfcheck.judge.compare_runs import compare_runs, differences, time_between
from perfcheck.model import (
    Changed,
    ComparedHow,
    CompareLimits,
    EndpointResult,
    Environment,
    Finding,
    Metric,
    MetricOf,
    Reference,
    Rule,
    Run,
    Severity,
    Tool,
    Verdict,
    verdict_of,
)
from perfcheck.stats.error_rate import chance_of_as_many
from perfcheck.units import format_ms, format_slower

LIMITS = CompareLimits()


def measured(
    name: str, around: float, *, count: int = 40, seed: int = 1, metric: Metric = Metric.MEDIAN
) -> EndpointResult:
    latencies = spread(around, count, seed)
    return result(endpoint(name, metric=metric), samples(1, latencies), decision(Verdict.OK, around, requests=count))


def compared(
    before: list[EndpointResult], after: list[EndpointResult], *, with_targets: bool = False
) -> dict[str, EndpointResult]:
    results, _, _ = compare_runs(run(before), run(after), LIMITS, with_targets=with_targets)
    return {one.name: one for one in results}


def findings(result_: EndpointResult) -> list[tuple[str, Severity]]:
    return [(finding.rule, finding.severity) for finding in result_.findings]


# --- By itself -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "changed", "verdict", "rule"),
    [
        (1.0, Changed.NO_CHANGE, Verdict.OK, None),
        (1.2, Changed.SLOWER, Verdict.WARNING, ("slower", Severity.WARNING)),
        (1.6, Changed.SLOWER, Verdict.CRITICAL, ("slower", Severity.CRITICAL)),
        (0.5, Changed.FASTER, Verdict.OK, ("faster", Severity.NOTE)),
    ],
)
def test_by_how_much(factor: float, changed: Changed, verdict: Verdict, rule: tuple[str, Severity] | None) -> None:
    one = compared([measured("a", 200)], [measured("a", 200 * factor, seed=2)])["a"]
    assert one.comparison is not None
    assert (one.comparison.changed, one.verdict, one.decided) == (changed, verdict, True)
    assert findings(one) == ([rule] if rule else [])
    assert one.ratio == pytest.approx(factor, rel=0.1)
    assert one.promise is Reference.BEFORE
    assert one.comparison.before_ms is not None
    assert (one.target_ms, one.warning_ms, one.critical_ms) == (
        one.comparison.before_ms,
        *limits_from(one.comparison.before_ms, LIMITS),
    )
    assert (one.ideal_ms, one.ceiling_ms) == (None, None)


@pytest.mark.parametrize(
    ("with_targets", "verdict", "unconfirmed"),
    [(False, Verdict.CRITICAL, None), (True, Verdict.WARNING, Verdict.CRITICAL)],
)
def test_what_was_measured_once_is_critical_only_where_no_limit_had_to_be_confirmed(
    *, with_targets: bool, verdict: Verdict, unconfirmed: Verdict | None
) -> None:
    once = replace(measured("a", 320, seed=2), verdict=Verdict.WARNING, decided=False, unconfirmed=Verdict.WARNING)
    one = compared([measured("a", 200)], [once], with_targets=with_targets)["a"]
    assert (one.verdict, one.unconfirmed) == (verdict, unconfirmed)
    assert verdict_of(one.findings) is verdict


def test_the_targets_of_the_baseline_do_not_matter() -> None:
    slow = measured("a", 900)
    assert slow.verdict is Verdict.OK  # as the decision says, that was put there
    over = replace(
        slow,
        verdict=Verdict.CRITICAL,
        findings=(Finding(Rule.LATENCY, Severity.CRITICAL, value=900.0, limit=600.0, message="", line=1),),
    )
    one = compared([measured("a", 900, seed=2)], [over])["a"]
    assert (one.verdict, one.findings) == (Verdict.OK, ())


def test_a_small_difference_is_no_change_whatever_its_share() -> None:
    one = compared([measured("a", 4)], [measured("a", 8, seed=2)])["a"]
    assert one.comparison is not None
    assert (one.comparison.changed, one.verdict) == (Changed.NO_CHANGE, Verdict.OK)
    assert limits_from(4.0, LIMITS) == (9.0, 9.0)


def test_a_sentence_has_the_figures_of_the_verdict_alone() -> None:
    """The median requests differ by more, or less, than all of them do: the reader would do the sum."""
    one = compared([timed([100.0 + i for i in range(40)])], [timed([100.0 + i + 200 * (i > 18) for i in range(40)])])[
        "a"
    ]
    comparison = one.comparison
    assert comparison is not None
    assert comparison.before_ms is not None
    assert comparison.after_ms is not None
    assert comparison.ratio != pytest.approx(comparison.after_ms / comparison.before_ms, rel=0.02)
    (finding,) = one.findings
    assert format_slower(comparison.ratio or 0.0) in finding.message
    assert format_ms(comparison.before_ms) in finding.message
    assert format_ms(comparison.after_ms, unit=False) not in finding.message


def test_less_than_what_counts_is_said_only_where_it_is_so() -> None:
    comparison = compared([measured("a", 40)], [measured("a", 44, seed=2)])["a"].comparison
    assert comparison is not None
    for before_ms, ratio, by in (
        (40.0, 1.12, "4.8 ms"),
        (60.0, 1.12, None),
        (4.0, 0.5, "2 ms"),
        (44.64, 1.112, "4.9997 ms"),
    ):
        pair = EndpointPair(
            measured("a", 44),
            measured("a", 40),
            replace(comparison, changed=Changed.NO_CHANGE, before_ms=before_ms, ratio=ratio),
            Verdict.OK,
            None,
        )
        messages = [finding.message for finding in compared_alone(pair, LIMITS).findings]
        assert [f"by {by}: less than the 5 ms that count as a change" in message for message in messages] == [
            True
        ] * bool(by)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (1000, 1101, "over the limit of 10%"),
        (15, 21, "over the limit of 5 ms"),
        (20, 80, "times as slow as the "),
    ],
)
def test_a_limit_is_named_as_it_was_applied(before: float, after: float, words: str) -> None:
    """10% more than 20 ms are less than 5 ms. And what is over a limit does not look as if it were at it."""
    one = compared([timed([before] * 40)], [timed([after] * 40)])["a"]
    assert one.verdict is not Verdict.OK
    assert words in one.findings[0].message
    assert "median 10% slower" not in one.findings[0].message


def timed(latencies: list[float]) -> EndpointResult:
    return result(endpoint("a"), samples(1, latencies), decision(Verdict.OK, median(latencies), requests=40))


def test_what_is_inconclusive_is_not_decided_and_fails_nothing() -> None:
    before, after = [measured("a", 200, count=5)], [measured("a", 210, count=5, seed=2)]
    results, _, whole = compare_runs(run(before), run(after), LIMITS, with_targets=False)
    (one,) = results
    assert one.comparison is not None
    assert (one.comparison.changed, one.verdict, one.decided) == (Changed.CANNOT_TELL, Verdict.OK, False)
    assert findings(one) == [("cannot-tell", Severity.NOTE)]
    assert "inconclusive: " in one.findings[0].message
    told = [finding for finding in whole if finding.rule == "cannot-tell"]
    assert [(finding.value, finding.severity) for finding in told] == [(1.0, Severity.NOTE)]
    assert told[0].remedy is not None
    assert "--min-requests" in told[0].remedy


def test_new_ones_and_gone_ones_are_reported() -> None:
    results, against, whole = compare_runs(
        run([measured("a", 50), measured("old", 50)]),
        run([measured("a", 50, seed=2), measured("new", 50)]),
        LIMITS,
        with_targets=False,
    )
    assert (against.added, against.removed) == (("new",), ("old",))
    assert findings(results[1]) == [("added", Severity.NOTE)]
    assert results[1].verdict is Verdict.OK
    told = [finding.message for finding in whole if finding.rule == "endpoints"]
    assert told == ["new, not in the run before: new", "gone since the run before: old"]


def test_an_endpoint_that_was_not_measured_before_is_not_ok() -> None:
    never = result(endpoint("a"), [])
    one = compared([never], [measured("a", 50)])["a"]
    assert one.verdict is Verdict.NOT_MEASURED
    assert findings(one) == [("not-compared", Severity.NOTE)]
    assert "not measured before" in one.findings[0].message
    one = compared([measured("a", 50)], [never])["a"]
    assert one.verdict is Verdict.NOT_MEASURED


@pytest.mark.parametrize("with_targets", [False, True])
def test_a_screened_endpoint_is_compared_with_nothing(*, with_targets: bool) -> None:
    alone = measured("a", 50)
    screened = replace(measured("a", 500), concurrency=8)
    for before, after, when in ((alone, screened, "now"), (screened, alone, "before")):
        one = compared([before], [after], with_targets=with_targets)["a"]
        assert one.comparison is None
        (note,) = (finding for finding in one.findings if finding.rule == "not-compared")
        assert note.message == (f"not compared: screened over 8 connections {when}; --connections 1 measures it alone")


def test_another_request_under_the_same_name_is_not_compared() -> None:
    moved = replace(measured("a", 50), url="http://localhost:9/api/elsewhere?page=2")
    one = compared([measured("a", 50)], [moved])["a"]
    assert one.verdict is Verdict.NOT_MEASURED
    assert one.findings[0].message == ("not compared: the request changed (/api/a -> /api/elsewhere?page=2)")
    assert request_change(moved, replace(moved, method="HEAD")) == "GET -> HEAD"
    elsewhere = replace(moved, url="https://staging.example:8443/api/elsewhere?page=2")
    assert request_change(moved, elsewhere) is None


def test_what_was_measured_differently_is_not_compared() -> None:
    before = measured("a", 100)
    one = compared([before], [replace(before, metric_of=MetricOf.FIRST_BYTE)])["a"]
    assert one.verdict is Verdict.NOT_MEASURED
    assert one.findings[0].message == "not compared: measured differently (metric_of: latency -> first_byte)"
    stream = replace(before, metric_of=MetricOf.FIRST_BYTE)
    slower = replace(measured("a", 200), metric_of=MetricOf.FIRST_BYTE)
    assert compared([stream], [slower])["a"].findings[0].message.startswith("median to first byte 100% slower")


def test_failures_that_are_new_count_and_old_ones_are_notes() -> None:
    def failing(count: int) -> EndpointResult:
        told = decision(Verdict.OK, 50.0, requests=40, failures=count, errors=Verdict.CRITICAL)
        return result(endpoint("a"), samples(1, spread(50, 40 - count)) + failed(1, count), told)

    new = compared([measured("a", 50)], [failing(10)])["a"]
    assert (new.verdict, findings(new)[0]) == (Verdict.CRITICAL, ("error-rate", Severity.CRITICAL))
    old = compared([failing(12)], [failing(10)])["a"]
    assert (old.verdict, findings(old)[0]) == (Verdict.OK, ("error-rate", Severity.NOTE))
    assert old.findings[0].message.startswith("no better before: ")


def test_a_rate_of_failures_is_no_news_unless_it_rose_beyond_chance() -> None:
    def failing(count: int, of: int = 40, latency: float = 50.0) -> EndpointResult:
        told = decision(Verdict.OK, latency, requests=of, failures=count, errors=Verdict.CRITICAL)
        return result(endpoint("a"), samples(1, spread(latency, of - count)) + failed(1, count), told)

    for before, after in ((10, 12), (12, 10), (5, 9)):
        one = compared([failing(before)], [failing(after)])["a"]
        assert (one.verdict, findings(one)[0]) == (Verdict.OK, ("error-rate", Severity.NOTE)), (before, after)
    risen = compared([failing(3)], [failing(30)])["a"]
    assert findings(risen)[0] == ("error-rate", Severity.CRITICAL)
    assert chance_of_as_many(0, 5, 5, 5) == pytest.approx(1 / 252)
    assert chance_of_as_many(3, 40, 3, 40) > 0.5
    assert chance_of_as_many(0, 0, 3, 3) == 1.0


def test_a_service_that_was_broken_before_lets_nothing_pass() -> None:
    told = decision(Verdict.OK, 50.0, requests=8, failures=3, errors=Verdict.CRITICAL)
    before = result(endpoint("a"), samples(1, spread(50, 5)) + failed(1, 3), told)
    one = compared([before], [measured("a", 52, count=5, seed=2)])["a"]
    assert (one.verdict, findings(one)) == (Verdict.NOT_MEASURED, [("not-compared", Severity.NOTE)])
    assert "before, 3 of 8 requests failed" in one.findings[0].message


def test_what_looks_critical_and_is_not_decided_is_a_warning() -> None:
    one = compared([measured("a", 100, count=4)], [measured("a", 400, count=4, seed=2)])["a"]
    assert one.comparison is not None
    assert one.comparison.changed is Changed.CANNOT_TELL
    assert (one.verdict, one.decided, findings(one)) == (Verdict.WARNING, False, [("cannot-tell", Severity.WARNING)])
    assert re.fullmatch(
        r"inconclusive: median [\d.]+ times as slow as the [\d.]+ ms before \(with an open interval\), "
        r"from too few requests to be certain; "
        r"about 1 more request in each run would settle it",
        one.findings[0].message,
    )


def test_a_comparison_with_nothing_in_common_is_reported() -> None:
    _, against, whole = compare_runs(run([measured("a", 50)]), run([measured("b", 50)]), LIMITS, with_targets=False)
    assert (against.added, against.removed) == (("b",), ("a",))
    assert (whole[0].rule, whole[0].severity) == ("not-compared", Severity.WARNING)
    assert whole[0].message == "no endpoint could be compared with the run before"


def test_a_comparison_of_a_release_that_was_compared_itself_reports_its_own_findings_only() -> None:
    held = compared([measured("a", 100)], [measured("a", 200, seed=2)], with_targets=True)["a"]
    again = compared([measured("a", 100)], [held])["a"]
    assert findings(again) == [("slower", Severity.CRITICAL)]


# --- Beside targets ------------------------------------------------------------------------------------------------


def test_with_targets_it_is_one_more_reason() -> None:
    one = compared([measured("a", 100)], [measured("a", 200, seed=2)], with_targets=True)["a"]
    assert (one.verdict, one.promise, one.target_ms) == (Verdict.CRITICAL, Reference.TARGET, 300.0)
    assert findings(one) == [("slower", Severity.CRITICAL)]
    fine = compared([measured("a", 100)], [measured("a", 100, seed=2)], with_targets=True)["a"]
    assert (fine.verdict, fine.findings) == (Verdict.OK, ())


def test_where_to_look() -> None:
    before = replace(run([measured("a", 100)]), environment=Environment("L", 2, None, "a" * 40, None, dirty=False))
    after = replace(
        run([measured("a", 200, seed=2)]), environment=Environment("L", 2, None, "b" * 40, None, dirty=False)
    )
    results, _, _ = compare_runs(before, after, LIMITS, with_targets=False)
    assert results[0].findings[0].remedy == f"see the commits between: 'git log --oneline {'a' * 10}..{'b' * 10}'"


# --- What it is worth ----------------------------------------------------------------------------------------------


def as_run(**changes: object) -> Run:
    return replace(run([measured("a", 50)]), **changes)  # type: ignore[arg-type]


def test_the_same_place_has_no_differences() -> None:
    assert not list(differences(as_run(), as_run()))


def test_every_difference_is_reported_the_machine_first() -> None:
    now = as_run(
        environment=Environment("Darwin 24 arm64", 8, None, None, None, dirty=None),
        tool=Tool("0.2.0", "httpx 0.28.1, HTTP/2", "3.13.0"),
    )
    told = list(differences(as_run(), now))
    assert told[0].startswith(
        "measured on different machines (Linux 6.1 x86_64 with 2 CPUs -> Darwin 24 arm64 with 8 CPUs)"
    )
    assert "hardly evidence" in told[0]
    assert [sentence.split("(")[0].strip() for sentence in told[1:]] == [
        "measured in different environments",
        "measured by different versions of perfcheck",
        "measured over different protocols",
    ]


@pytest.mark.parametrize(
    ("then", "told"),
    [
        ("2026-11-23T11:59:30.000Z", None),
        ("2026-11-23T11:50:00.000Z", "10 minutes"),
        ("2026-11-23T11:00:00.000Z", "1 hour"),
        ("2026-11-20T10:00:00.000Z", "3 days"),
        ("yesterday", None),
        ("2026-11-20T10:00:00", "3 days"),  # without a zone: UTC
    ],
)
def test_how_long_lies_between(then: str, told: str | None) -> None:
    assert time_between(as_run(started_at=then), as_run()) == told


def test_stored_runs_far_apart_is_reported() -> None:
    before = as_run(started_at="2026-11-20T12:00:00.000Z", label="v1")
    _, against, whole = compare_runs(before, as_run(), LIMITS, with_targets=False)
    assert (against.how, against.label, against.limits) == (ComparedHow.STORED, "v1", LIMITS)
    assert [finding.rule for finding in whole] == ["comparability"]
    assert whole[0].message.startswith("the two runs are 3 days apart")


# --- Noise ---------------------------------------------------------------------------------------------------------


def test_the_noise_floor_is_reported_in_figures() -> None:
    one = compared([measured("a", 100)], [measured("a", 100, seed=2)])["a"]
    pairs = [(100.0, 110.0)] * 8 + [(100.0, 150.0)] * 2 + [(0.0, 1.0), (float("inf"), 1.0)]
    (finding,) = noise_findings([one], pairs)
    assert "typically differ by 10%, in 1 of 10 pairs by over 50%" in finding.message
    width = resolution(one)
    assert width is not None
    assert 0.01 < width < 0.2
    assert noise_findings([one], []) == ()
