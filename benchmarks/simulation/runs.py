"""Runs to report on, put together through the public judge, so that a report is tested on what it will really get."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice

from perfcheck.judge.run_verdict import judge_run
from perfcheck.judge.verdict import judge_endpoint
from perfcheck.model import (
    BaselineInfo,
    Decision,
    Endpoint,
    EndpointResult,
    Environment,
    Failure,
    Finding,
    Measurement,
    Metric,
    Phases,
    Rule,
    Run,
    RunnerHealth,
    Sample,
    ServiceInfo,
    Stop,
    Tool,
    UndecidedPolicy,
    Verdict,
)
from perfcheck.runfile import FORMAT
from perfcheck.stats.acceptance import binomial_bound
from perfcheck.stats.sequential import ALPHA

HOSTILE_NAME = "<script>alert(1)</script> ]]> ::error:: \x1b[31mred\x1b[0m [bold]markup[/bold] 🎬"


def endpoint(name: str, *, target: float | None = 300.0, line: int = 10, metric: Metric = Metric.MEDIAN) -> Endpoint:
    return Endpoint(
        name=name,
        path=f"/api/{name}",
        line=line,
        group="videos",
        metric=metric,
        target_ms=target,
        ideal_ms=None if target is None else target * 2 / 3,
        warning_ms=None if target is None else target * 1.5,
        critical_ms=None if target is None else target * 2,
        lines={"target": line + 2, "error_rate": 5},
    )


def samples(stage: int, latencies: Sequence[float], *, start_s: float = 100.0) -> list[tuple[int, Sample]]:
    return [
        (
            stage,
            Sample(
                at_s=start_s + i * 0.1,
                latency_ms=latency,
                failure=Failure.TIMEOUT if math.isinf(latency) else None,
                status=None if math.isinf(latency) else 200,
                detail="no response within 10 s" if math.isinf(latency) else None,
                phases=Phases(0.1, 0.2, None, latency * 0.9, latency * 0.1) if i == 0 else Phases(wait_ms=latency),
                body_bytes=None if math.isinf(latency) else 1234,
                server_timing=f'db;dur={latency / 2:.3f};desc="queries", app;dur=1',
            ),
        )
        for i, latency in enumerate(latencies)
    ]


def failed(stage: int, count: int, detail: str = "503 Service Unavailable") -> list[tuple[int, Sample]]:
    return [
        (stage, Sample(at_s=200.0 + i, latency_ms=None, failure=Failure.STATUS, status=503, detail=detail))
        for i in range(count)
    ]


def decision(
    verdict: Verdict,
    value: float | None,
    *,
    stage: int = 1,
    requests: int = 5,
    failures: int = 0,
    errors: Verdict = Verdict.OK,
    decided: bool = True,
    stop: Stop = Stop.DECIDED,
) -> Decision:
    return Decision(
        stage=stage,
        stop=stop,
        requests=requests,
        failures=failures,
        latency=verdict,
        latency_decided=decided,
        value_ms=value,
        interval_ms=(value * 0.9, value * 1.1) if value is not None else (None, None),
        errors=errors,
        errors_decided=True,
        more_requests=None if decided else 120,
        excluded=binomial_bound(failures, requests),
    )


def result(one: Endpoint, measured: list[tuple[int, Sample]], *decisions: Decision) -> EndpointResult:
    return judge_endpoint(
        one,
        Measurement(one.name, tuple(measured), decisions),
        url_shown=lambda each: f"http://localhost:5001/api/{each.name}",
        started_s=100.0,
        undecided=UndecidedPolicy.ESTIMATE,
    )


def spread(around: float, count: int = 5, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return sorted(round(around * rng.lognormvariate(0, 0.1), 3) for _ in range(count))


def example_results() -> list[EndpointResult]:
    """One endpoint of each kind: OK, over target, WARNING, CRITICAL, undecided, failing, over the timeout, ..."""
    slow, again = samples(1, spread(800)), samples(2, spread(810), start_s=104.0)
    return [
        result(
            endpoint("videos.list", line=20),
            samples(0, [900.0]) + slow + again,
            decision(Verdict.CRITICAL, 802.5),
            decision(Verdict.CRITICAL, 812.25, stage=2),
        ),
        result(endpoint("videos.by_date", line=30), samples(1, spread(41)), decision(Verdict.OK, 41.2)),
        result(endpoint("videos.search", line=40), samples(1, spread(350)), decision(Verdict.OK, 350.0)),
        result(
            endpoint("settings.get", target=100.0, metric=Metric.P95, line=50),
            samples(1, spread(170, 67)) + samples(2, spread(172, 67)),
            decision(Verdict.WARNING, 171.0, requests=67),
            decision(Verdict.WARNING, 172.0, stage=2, requests=67),
        ),
        result(
            endpoint("videos.momentary", line=60),
            samples(1, spread(640)) + samples(2, spread(210)),
            decision(Verdict.CRITICAL, 640.0),
            decision(Verdict.OK, 210.0, stage=2),
        ),
        result(
            endpoint("videos.borderline", line=70),
            samples(1, spread(452, 60)),
            decision(Verdict.WARNING, 450.0003, requests=60, decided=False, stop=Stop.BUDGET),
        ),
        result(
            endpoint("search.failing", line=80),
            samples(1, [40.0, 41.0]) + failed(1, 3) + failed(2, 5),
            decision(Verdict.NOT_MEASURED, None, failures=3, errors=Verdict.CRITICAL, decided=False),
            decision(Verdict.NOT_MEASURED, None, stage=2, failures=5, errors=Verdict.CRITICAL, decided=False),
        ),
        result(
            endpoint("search.hanging", line=90),
            samples(1, [math.inf] * 5) + samples(2, [math.inf] * 5),
            decision(Verdict.CRITICAL, math.inf, failures=5, errors=Verdict.CRITICAL),
            decision(Verdict.CRITICAL, math.inf, stage=2, failures=5, errors=Verdict.CRITICAL),
        ),
        result(
            endpoint("artists.new", target=None, line=100), samples(1, spread(700)), decision(Verdict.WARNING, 700.0)
        ),
        result(endpoint("artists.never", line=110), []),
    ]


def run(results: Sequence[EndpointResult] | None = None, *findings: Finding) -> Run:
    results = example_results() if results is None else results
    verdict, counts, exit_code = judge_run(results, Verdict.CRITICAL)
    return Run(
        format=FORMAT,
        id="5e0cbd2e-9f0f-4d5f-8f3c-8f4ed3a3c7f1",
        label="v1.2.3",
        started_at="2026-11-23T12:00:00.000Z",
        finished_at="2026-11-23T12:00:12.345Z",
        duration_ms=12345.6,
        tool=Tool("0.1.0", "perfcheck 0.1.0, HTTP/1.1, kernel timestamps", "3.11.7"),
        environment=Environment("Linux 6.1 x86_64", 2, "GitHub Actions", "0123abcdef" * 4, "main", dirty=False),
        service=ServiceInfo("http://localhost:5001"),
        baseline=BaselineInfo("baselines.yaml", "0" * 64),
        seed=42,
        alpha=ALPHA,
        verdict=verdict,
        exit_code=exit_code,
        complete=counts.not_measured == 0,
        counts=counts,
        runner=RunnerHealth(0.4, 0.002, 0.0, 0.5),
        findings=findings,
        endpoints=tuple(results),
    )


def hostile_names() -> list[str]:
    """Names that a baseline may really hold, and that must do no harm in any format."""
    return [
        HOSTILE_NAME,
        "<img src=x onerror=alert(1)>",
        "a]]>b",
        "::error::injected %0A::warning::",
        "x\n::error::on a line of its own",
        "\x1b]0;title\x07\x1b[2J",
        '=HYPERLINK("http://localhost")',
        'quote " and \\ backslash \n newline',
        "| pipe | `tick` ``` **bold** [link](javascript:alert(1)) <!-- comment",
        "\u202egnp.exe \ufeff\u200b\ufffe",
        "\N{CLAPPER BOARD} \N{FAMILY}\u200d\N{GIRL} e\u0301",
        "long." + "x" * 10_000 + ".one",
        "long." + "x" * 10_000 + ".two",
        "{{ 7 * 7 }} {% raw %}",
        "  ",
    ]


def hostile_run() -> Run:
    """Every kind of result, under names (and with messages, groups, a label) made to do harm in a report."""
    results = example_results()
    for i, name in enumerate(hostile_names()):
        one = replace(endpoint(name, line=200 + i), path=f"/api/{i}", group=name)
        hostile_text = "<script>alert(2)</script> ]]> ::error:: \x1b[31m |"
        verdicts = [
            (samples(1, spread(800)), decision(Verdict.CRITICAL, 800.0)),
            (samples(1, spread(500)), decision(Verdict.WARNING, 500.0)),
            (samples(1, spread(41)), decision(Verdict.OK, 41.0)),
            (failed(1, 5, hostile_text), decision(Verdict.NOT_MEASURED, None, failures=5, errors=Verdict.CRITICAL)),
            (failed(0, 1, hostile_text), None),
        ]
        measured, judged = verdicts[i % len(verdicts)]
        results.append(result(one, measured, *([judged] if judged else [])))
    hostile = run(results, warning("the runner said <script>alert(3)</script> ]]> ::error:: \x1b[31m"))
    return replace(
        hostile,
        label=HOSTILE_NAME,
        service=ServiceInfo("http://localhost:5001/<script>"),
        tool=Tool(HOSTILE_NAME, HOSTILE_NAME, HOSTILE_NAME),
        environment=Environment(HOSTILE_NAME, 2, HOSTILE_NAME, HOSTILE_NAME, HOSTILE_NAME, dirty=True),
        command=("perfcheck", "run", "-f", HOSTILE_NAME),
        groups={name: f"Title {name}" for name in hostile_names()},
    )


def big_run(endpoints: int = 1000, count: int = 500) -> Run:
    """As large as a run gets: half a million samples, and a cause of its own for each endpoint."""
    rng = random.Random(1)
    few = [
        result(
            replace(endpoint(f"module{i % 40}.endpoint_{i}", line=10 + 5 * i), group=f"module{i % 40}"),
            samples(1, [round(around * rng.lognormvariate(0, 0.2), 3) for _ in range(count)]),
            decision(verdict, around, requests=count),
        )
        for i, (verdict, around) in enumerate(
            [(Verdict.OK, 40.0), (Verdict.OK, 120.0), (Verdict.WARNING, 500.0), (Verdict.CRITICAL, 800.0)] * 5
        )
    ]
    return run(
        [
            replace(
                one,
                name=f"module{i % 40}.endpoint_{i}",
                line=10 + 5 * i,
                server_timing={f"shard{i}": one.value_ms or 0.0},
            )
            for i, one in enumerate(islice(cycle(few), endpoints))
        ]
    )


def warning(message: str) -> Finding:
    return Finding.warning(Rule.RUNNER, message)
