"""Comparisons to report on, put together through the public judge."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

from simulation.runs import HOSTILE_NAME, decision, endpoint, failed, hostile_run, result, run, samples, spread

from perfcheck.judge.compare_runs import compare_runs
from perfcheck.judge.run_verdict import judge_run
from perfcheck.model import ComparedHow, CompareLimits, EndpointResult, Environment, Run, ServiceInfo, Verdict

_LIMITS = CompareLimits()


def _one(name: str, around: float, *, count: int = 40, seed: int = 1, critical_path: bool = False) -> EndpointResult:
    latencies = spread(around, count, seed)
    measured = result(endpoint(name), samples(1, latencies), decision(Verdict.OK, median(latencies), requests=count))
    return replace(
        measured,
        critical_path=critical_path,
        server_timing_details={"db": f"{round(around)} queries"},
    )


def before_run() -> Run:
    some = [
        _one("videos.list", 200),
        _one("videos.search", 210),
        _one("videos.page", 120),
        _one("artists.list", 90, count=5),
        _one("settings.get", 40),
        _one("health", 5),
        _one("search.old", 60),
        result(endpoint("artists.never"), []),
        result(
            endpoint("search.failing"),
            samples(1, spread(40, 35)) + failed(1, 5),
            decision(Verdict.OK, 40.0, requests=40, failures=5, errors=Verdict.CRITICAL),
        ),
    ]
    return replace(
        run(some),
        id="b2f1d7aa-1111-4d5f-8f3c-8f4ed3a3c7f1",
        label="v1.4.0",
        started_at="2026-11-16T12:00:00.000Z",
        environment=Environment("Linux 6.1 x86_64", 2, "GitHub Actions", "fedcba9876" * 4, "main", dirty=False),
    )


def after_results() -> list[EndpointResult]:
    """One of each kind: slower by much and by little, faster, as before, inconclusive, new, failing, ..."""
    return [
        _one("videos.list", 420, seed=2, critical_path=True),
        _one("videos.search", 246, seed=3),
        _one("videos.page", 60, seed=4),
        _one("artists.list", 99, count=5, seed=5),
        _one("settings.get", 40, seed=6, critical_path=True),
        _one("health", 9, seed=7),
        _one("search.new", 60, seed=8),
        _one("artists.never", 50, seed=9),
        result(
            endpoint("search.failing"),
            samples(1, spread(41, 10, 9)) + failed(1, 30),
            decision(Verdict.OK, 41.0, requests=40, failures=30, errors=Verdict.CRITICAL),
        ),
    ]


def comparison_run(*, with_targets: bool = False) -> Run:
    """Two stored runs compared; ``with_targets``: as a release that is held against the one before."""
    before, after = before_run(), replace(run(after_results()), label="v1.5.0")
    results, against, findings = compare_runs(before, after, _LIMITS, with_targets=with_targets)
    verdict, counts, exit_code = judge_run(results, Verdict.CRITICAL)
    return replace(
        after,
        verdict=verdict,
        counts=counts,
        exit_code=exit_code,
        findings=findings,
        endpoints=results,
        command=("perfcheck", "run") if with_targets else ("perfcheck", "compare", "v1.4.0", "v1.5.0"),
        against=against,
    )


def live_run() -> Run:
    """The same, as if both had been measured in pairs."""
    stored = comparison_run()
    assert stored.against is not None
    against = replace(
        stored.against, how=ComparedHow.LIVE, label=None, run_id=None, started_at=None, base_url="http://localhost:5001"
    )
    results = tuple(
        replace(one, comparison=replace(one.comparison, pairs=23) if one.comparison else None)
        for one in stored.endpoints
    )
    return replace(
        stored,
        label=None,
        against=against,
        endpoints=results,
        findings=(),
        service=ServiceInfo("http://localhost:5002"),
        command=("perfcheck", "compare", "http://localhost:5001", "http://localhost:5002"),
    )


def hostile_comparison() -> Run:
    """Names, labels and details made to do harm."""
    hostile = hostile_run()
    before = replace(
        hostile,
        label=HOSTILE_NAME,
        endpoints=tuple(
            replace(one, samples_ms=tuple(ms / 3 for ms in one.samples_ms if ms), server_timing={HOSTILE_NAME: 1.0})
            for one in hostile.endpoints
        ),
        environment=Environment(HOSTILE_NAME, 4, HOSTILE_NAME, HOSTILE_NAME, HOSTILE_NAME, dirty=True),
    )
    after = replace(
        hostile,
        endpoints=tuple(
            replace(one, server_timing={HOSTILE_NAME: 200.0}, server_timing_details={HOSTILE_NAME: f"9 {HOSTILE_NAME}"})
            for one in hostile.endpoints
        ),
    )
    results, against, findings = compare_runs(before, after, _LIMITS, with_targets=False)
    assert any(one.comparison for one in results)
    verdict, counts, exit_code = judge_run(results, Verdict.CRITICAL)
    after = replace(after, verdict=verdict, counts=counts, exit_code=exit_code)
    return replace(after, endpoints=results, against=against, findings=findings, command=("perfcheck", HOSTILE_NAME))
