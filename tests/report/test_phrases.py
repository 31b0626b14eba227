"""What reports state, of runs with every small count: no phrase that a reader would stumble over."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from statistics import median

import pytest
from rich.console import Console
from simulation.runs import decision, endpoint, failed, result, run, samples
from support.phrases import wrong_phrases

from perfcheck.judge.compare_runs import compare_runs
from perfcheck.judge.monitored_endpoint import judge_monitored
from perfcheck.judge.run_verdict import judge_run, no_target_findings, partial_findings, service_findings
from perfcheck.model import (
    ComparedHow,
    CompareLimits,
    EndpointResult,
    Environment,
    MonitoredEndpoint,
    Run,
    Severity,
    Stop,
    Verdict,
)
from perfcheck.report import github, html, junit, markdown
from perfcheck.report.console import render_console
from perfcheck.report.glyphs import ASCII

ROOT = Path(__file__).parents[2]
TEXTS = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md", *(ROOT / "tests").glob("*/golden/**/*.*")], key=str)


_MOST_PAGES = 5  # which take ten times as long as all others


def shown(run: Run) -> str:
    console = Console(file=io.StringIO(), width=1000)
    with console.capture() as captured:
        console.print(render_console(run, ASCII, 1000, verbose=True))
    return unescape("\n".join([captured.get(), *(module.render(run) for module in (markdown, junit, github))]))


def some_result(rng: random.Random, name: str) -> EndpointResult:
    """Of few requests, some of which failed, at or near a limit."""
    count, fails = rng.choice([1, 2, 5, 7]), rng.choice([0, 0, 0, 1, 2])
    verdict = rng.choice([Verdict.OK, Verdict.OK, Verdict.WARNING, Verdict.CRITICAL])
    value = {Verdict.OK: 40.0, Verdict.WARNING: 450.4, Verdict.CRITICAL: 1201.0}[verdict]
    one = replace(endpoint(name, target=rng.choice([300.0, None])), body_limit=1233)
    errors = rng.choice([Verdict.OK, Verdict.CRITICAL]) if fails else Verdict.OK
    judged = decision(
        verdict,
        value,
        requests=count + fails,
        failures=fails,
        errors=errors,
        decided=rng.random() < 0.5,
        stop=rng.choice(list(Stop)),
    )
    judged = replace(judged, more_requests=rng.choice([None, 1, 2, 120]), is_unconfirmed=rng.random() < 0.2)
    measured = result(one, samples(1, [value] * count) + failed(1, fails), judged)
    return replace(measured, concurrency=rng.choice([1, 1, 1, 8]))


def some_check(rng: random.Random) -> Run:
    results = [some_result(rng, f"e{number}") for number in range(rng.choice([0, 1, 2, 4]))]
    results += [result(endpoint("late"), [])] * rng.choice([0, 0, 1])
    if rng.random() < 0.3:
        monitored = MonitoredEndpoint(name="/new", requests=rng.choice([1, 1_000_000]), errors=1, mean_ms=900.0)
        results.append(judge_monitored(monitored, [], 500.0, "http://localhost/stats"))
    findings = [*partial_findings(results), *service_findings(results), *no_target_findings(results)]
    verdict, counts, exit_code = judge_run(results, Verdict.CRITICAL, findings)
    environment = Environment("Linux", rng.choice([1, 2]), None, "0123456789abcdef" * 2, "main", dirty=False)
    made = replace(run(results, *findings), verdict=verdict, counts=counts, exit_code=exit_code)
    return replace(made, environment=environment, duration_ms=rng.choice([1000.0, 61_000.0]))


def some_comparison(rng: random.Random) -> Run:
    """Of few requests, or of many that differ by hardly anything, by about the limit, or many times."""
    sides: tuple[list[EndpointResult], list[EndpointResult]] = ([], [])
    for number in range(rng.choice([1, 2, 4])):
        count, noise = rng.choice([(1, 0.3), (3, 0.3), (6, 0.5), (40, 0.01), (40, 0.2)])
        factor = rng.choice([0.5, 0.999, 1.0, 1.002, 1.05, 1.101, 1.104, 2.4, 2.9, 3.1, 8.0])
        around = rng.choice([3.0, 200.0])
        for side, times in zip(sides, (1.0, factor), strict=True):
            latencies = [round(around * times * rng.lognormvariate(0, noise), 6) for _ in range(count)]
            judged = decision(Verdict.OK, median(latencies), requests=count)
            side.append(result(endpoint(f"e{number}"), samples(1, latencies), judged))
    before, after = run(sides[0][: rng.choice([1, 4])]), run(sides[1])
    elsewhere = Environment(rng.choice(["Linux 6.1 x86_64", "Darwin"]), 2, None, None, None, dirty=None)
    before = replace(before, complete=rng.random() < 0.5, started_at="2026-11-23T11:59:00.000Z", environment=elsewhere)
    results, against, findings = compare_runs(before, after, CompareLimits(), with_targets=rng.random() < 0.3)
    if rng.random() < 0.5:
        against = replace(against, how=ComparedHow.LIVE)
        results = tuple(map(in_pairs, results))
    verdict, counts, exit_code = judge_run(results, Verdict.CRITICAL)
    made = replace(after, endpoints=results, against=against, findings=findings, verdict=verdict, counts=counts)
    return replace(made, exit_code=exit_code)


def in_pairs(compared: EndpointResult) -> EndpointResult:
    comparison = compared.comparison
    return replace(compared, comparison=comparison and replace(comparison, pairs=comparison.after_samples))


@pytest.mark.parametrize("make", [some_check, some_comparison])
def test_no_report_of_any_run_has_a_wrong_phrase(make: Callable[[random.Random], Run]) -> None:
    for seed in range(30):
        made = make(random.Random(seed))
        page = unescape(html.render(made)) if seed < _MOST_PAGES else ""
        assert wrong_phrases(shown(made) + page) == [], seed


def test_a_warning_of_a_comparison_has_a_consequence() -> None:
    for seed in range(100):
        made = some_comparison(random.Random(seed))
        if any(finding.severity is not Severity.NOTE for finding in made.findings):
            assert made.verdict is not Verdict.OK, seed


@pytest.mark.parametrize("file", TEXTS, ids=lambda path: path.name)
def test_no_documentation_and_no_golden_file_has_one(file: Path) -> None:
    assert wrong_phrases(file.read_text(encoding="utf-8", errors="replace")) == []
