"""A busy runner: when it could have changed a verdict, and when it is a note."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest
from simulation.runs import decision, endpoint, result, run, samples, spread

from perfcheck.judge.compare_runs import compare_runs
from perfcheck.judge.runner import rate_limit_findings, runner_findings
from perfcheck.model import (
    CompareLimits,
    EndpointResult,
    Environment,
    Finding,
    RateLimit,
    Run,
    RunnerHealth,
    Severity,
    Verdict,
)

WAITED = RunnerHealth(message="perfcheck waited for a free CPU during 15% of the run", queued_ms_per_request=2.0)
STOLEN = RunnerHealth(message="the host took 6% of this machine's CPU time (steal)", steal_share=0.06)


def took(ms: float, verdict: Verdict = Verdict.WARNING, *, target: float = 50.0) -> EndpointResult:
    """Limits at 1.5 and 2 times the target."""
    return result(endpoint("search", target=target), samples(1, [ms] * 5), decision(verdict, ms))


def only(runner: RunnerHealth, *results: EndpointResult) -> Finding:
    (finding,) = runner_findings(runner, 2, results)
    return finding


@pytest.mark.parametrize(
    ("runner", "measured", "severity"),
    [
        (WAITED, took(20, Verdict.OK), Severity.NOTE),
        (WAITED, took(2000), Severity.NOTE),  # 2 ms are nothing next to that
        (WAITED, took(82), Severity.NOTE),  # 6 ms less would be over 75 ms as well
        (WAITED, took(80), Severity.WARNING),
        (WAITED, took(104, Verdict.CRITICAL), Severity.WARNING),
        (WAITED, took(82, Verdict.CRITICAL, target=38), Severity.WARNING),  # CRITICAL over 76 ms
        (STOLEN, took(20, Verdict.OK), Severity.NOTE),
        (STOLEN, took(90), Severity.NOTE),  # with two CPUs at most 12% of one
        (STOLEN, took(85), Severity.WARNING),
        (replace(STOLEN, steal_share=0.9), took(9000), Severity.WARNING),
    ],
)
def test_a_busy_runner_is_a_warning_where_it_could_have_changed_a_verdict(
    runner: RunnerHealth, measured: EndpointResult, severity: Severity
) -> None:
    finding = only(runner, took(1, Verdict.OK), measured)
    assert finding.severity is severity
    if severity is Severity.NOTE:
        assert finding.message == f"{runner.message}; no verdict depends on it"
    else:
        assert finding.message == f"{runner.message}, which alone may have put search over the limit"
        assert finding.remedy


def test_a_quiet_runner_is_not_mentioned() -> None:
    assert not list(runner_findings(RunnerHealth(queued_ms_per_request=50.0), 2, [took(80)]))


def _release(around: float, seed: int, **changes: object) -> Run:
    latencies = spread(around, 40, seed)
    measured = result(endpoint("search"), samples(1, latencies), decision(Verdict.OK, median(latencies), requests=40))
    return replace(run([measured]), complete=True, **changes)  # type: ignore[arg-type]


ELSEWHERE = Environment("Darwin 24 arm64", 8, None, None, None, dirty=None)


@pytest.mark.parametrize(
    ("around", "runner", "severities"),
    [
        (200.0, WAITED, [Severity.NOTE, Severity.NOTE]),
        (300.0, WAITED, [Severity.WARNING, Severity.NOTE]),  # on another machine; 2 ms are not what made it slower
        (300.0, replace(STOLEN, steal_share=0.3), [Severity.WARNING, Severity.WARNING]),
    ],
)
def test_what_differs_between_two_runs_is_a_warning_where_an_endpoint_is_slower(
    around: float, runner: RunnerHealth, severities: list[Severity]
) -> None:
    before, after = _release(200, 1), _release(around, 2, environment=replace(ELSEWHERE, ci="GitHub Actions"))
    after = replace(after, runner=runner)
    _, _, findings = compare_runs(before, after, CompareLimits(), with_targets=False)
    assert [finding.severity for finding in findings] == severities
    assert "this run: " in findings[1].message


def test_what_makes_no_endpoint_slower_is_a_note() -> None:
    before = replace(_release(200, 1), runner=replace(STOLEN, steal_share=0.3))
    gone = replace(before.endpoints[0], name="gone")
    before = replace(before, endpoints=(*before.endpoints, gone), complete=False)
    _, _, findings = compare_runs(before, _release(300, 2), CompareLimits(), with_targets=False)
    assert [(finding.severity, finding.message.split(": ")[0]) for finding in findings] == [
        (Severity.NOTE, "the run before"),
        (Severity.NOTE, "the run before is incomplete"),
        (Severity.NOTE, "gone since the run before"),
    ]


def test_a_service_that_limits_requests_is_a_note_with_the_rate_that_fits() -> None:
    (finding,) = rate_limit_findings([RateLimit(3, 12.0, 0.3049)])
    assert finding.severity is Severity.NOTE
    assert finding.message == "the service limits requests (429): waited 12 s for 3 of them"
    assert finding.remedy == "set sampling.rate (18/min fits)"
    assert list(rate_limit_findings([None])) == []


def test_of_two_services_the_one_that_limits_requests_is_named() -> None:
    (finding,) = rate_limit_findings([None, RateLimit(1, 2.0, None)])
    assert finding.message == "the service after limits requests (429): waited 2 s for 1 of them"
    assert finding.remedy == "set sampling.rate to what it allows"
