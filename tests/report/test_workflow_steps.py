"""Workflows in reports: which step is named, and that every report shows the steps."""

from __future__ import annotations

import csv
import io
import math
import random
from dataclasses import replace

import pytest
from rich.console import Console
from simulation.runs import endpoint, result, run

from perfcheck.engine.saved_runs import compare_saved
from perfcheck.judge.compare_runs import changes_since
from perfcheck.model import EndpointResult, ErrorProof, Rule, Run, Sample, Verdict
from perfcheck.report import csv as csv_report
from perfcheck.report import github, html, junit, markdown, openmetrics
from perfcheck.report.causes import slow_step, slower_steps
from perfcheck.report.console import render_console
from perfcheck.report.explain import Label, explain, in_short
from perfcheck.report.glyphs import UNICODE
from perfcheck.sampling.stage import Stage
from perfcheck.stats.error_rate import ErrorTest

NAMES = ("login", "list", "detail", "search")
FREE = replace(endpoint("free", target=None, line=30), slow_ms=math.inf)
SEARCH = {"search": 24.0}


def shop(
    medians: dict[str, float],
    *,
    limits: dict[str, float] | None = None,
    seed: int = 1,
    noise: float = 0.05,
    count: int = 5,
) -> EndpointResult:
    """Judged as a first stage; ``limits`` are targets of the steps, and of the workflow by its name."""
    rng, limits = random.Random(seed), limits or {}
    steps = tuple(
        replace(endpoint(name, target=limits[name]), slow_ms=math.inf) if name in limits else replace(FREE, name=name)
        for name in NAMES
    )
    workflow = replace(endpoint("shop", target=limits.get("shop", 1000.0)), steps=steps, min_requests=count)
    stage = Stage(workflow, ErrorTest(workflow.error_limits, ErrorProof.QUICK))
    trials = []
    for _ in range(count):
        each = tuple(
            Sample(0.0, medians[name] * rng.lognormvariate(0, noise), server_timing=_timing(name)) for name in NAMES
        )
        trials.append(Sample(100.0, math.fsum(step.latency_ms or 0.0 for step in each), steps=each))
        stage.add(trials[-1].latency_ms, failed=False, steps=each)
    return result(workflow, [(1, sample) for sample in trials], replace(stage.decision(), errors_decided=True))


def _timing(name: str) -> str:
    return f'{name}_db;dur=20;desc="7 queries", statement.1;dur=19;desc="SELECT {name}"'


QUICK = dict(zip(NAMES, (5.0, 8.0, 6.0, 10.0), strict=True))
SLOW = QUICK | {"search": 60.0}


def lines(one: EndpointResult, label: Label, of: Run | None = None) -> list[str]:
    return [text for line, text in explain(of or run([one]), one) if line is label]


def test_the_step_over_its_target_is_the_slow_one() -> None:
    one = shop(SLOW | {"list": 200.0}, limits=SEARCH, count=8)  # five are too few for one of two tests
    assert (one.verdict, one.findings[0].step, one.findings[0].line) == (Verdict.CRITICAL, "search", 12)
    assert in_short(one) == "step 'search' over its limit of 48 ms"
    assert slow_step(one) is one.steps[3], "and not the one that takes most"
    assert lines(one, Label.WHERE)[0].endswith("Server-Timing: search_db 20 ms (7 queries)")


def test_of_a_workflow_over_its_own_target_it_is_the_one_that_takes_most() -> None:
    one = shop(SLOW, limits={"shop": 20.0})
    assert one.findings[0].step is None
    assert slow_step(one) is one.steps[3]
    assert lines(one, Label.CAUSE) == ["statement 19 ms: SELECT search"]
    assert slow_step(shop(SLOW)) is None, "nothing is slow"


def test_a_note_on_a_step_is_one_on_its_workflow() -> None:
    one = shop(QUICK, limits={"search": 9.0})
    assert (one.verdict, [finding.rule for finding in one.findings]) == (Verdict.OK, [Rule.OVER_TARGET])
    assert one.findings[0].message.startswith("step 'search': median 10")


@pytest.mark.parametrize("noise", [0.1, 0.5])
def test_noise_names_no_step_wrongly(noise: float) -> None:
    """A regression of 20 ms in one of four steps, among others that vary by as much."""
    named = []
    before_ms, after_ms = QUICK | {"list": 20.0}, QUICK | {"list": 20.0, "search": 30.0}
    for seed in range(60):
        before = run([shop(before_ms, seed=seed, noise=noise, count=30)])
        after = run([shop(after_ms, seed=1000 + seed, noise=noise, count=30)])
        (one,) = compare_saved(before, after).run.endpoints
        named += [step.name for step in slower_steps(one)]
    assert set(named) == {"search"}
    assert len(named) >= (60 if noise < 0.2 else 30)


def test_a_step_that_became_slower_within_the_limits_of_its_workflow_is_a_note() -> None:
    slow = QUICK | {"list": 500.0}
    before, after = (run([shop(slow | {"search": ms}, seed=int(ms), count=30)]) for ms in (10.0, 30.0))
    (one,) = compare_saved(before, after).run.endpoints
    assert (one.verdict, slower_steps(one)) == (Verdict.OK, [])
    (finding,) = [finding for finding in one.findings if finding.step]
    assert finding.rule is Rule.SMALL_DIFFERENCE
    assert finding.message.startswith("step 'search': median ")


def test_a_change_since_an_earlier_run_names_the_step() -> None:
    before, after = run([shop(QUICK)]), run([shop(SLOW, limits=SEARCH)])
    (change,) = [
        text
        for label, text in explain(after, after.endpoints[0], changes_since(after, before))
        if label is Label.CHANGE
    ]
    assert [part.split(" ")[:2] for part in change.split("; ")[1:]] == [["step", "search"]]


def test_every_report_shows_the_steps() -> None:
    this = run([shop(SLOW, limits=SEARCH)])
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(render_console(this, UNICODE, 120))
    shown = console.export_text()
    for page in (shown, markdown.render(this), html.render(this), junit.render(this)):
        assert "4 steps: login, list, detail, search" in page
        assert all(name in page for name in NAMES)
    assert "slow step  search" in shown
    assert "step search" in github.render(this)
    (row,) = csv.DictReader(io.StringIO(csv_report.render(this)))
    assert [part.split(": ")[0] for part in row["steps"].split(", ")] == list(NAMES)
    assert row["url"] == ""
    assert (
        'perfcheck_step_latency_seconds{endpoint="shop",group="videos",step="search",metric="median"}'
        in openmetrics.render(this)
    )


def test_a_workflow_that_is_ok_shows_its_steps_where_more_is_wanted() -> None:
    this = run([shop(QUICK)])
    for verbose in (False, True):
        console = Console(width=120, record=True, file=io.StringIO())
        console.print(render_console(this, UNICODE, 120, verbose=verbose))
        shown = [line.strip() for line in console.export_text().splitlines()]
        assert ("shop 4 steps: login, list, detail, search" in shown) is verbose
        assert any(line.startswith("search 1") for line in shown) is verbose
    assert "<small>login " in html.render(this)


def test_many_steps_are_cut_and_the_slow_one_is_not() -> None:
    one = shop(SLOW, limits=SEARCH)
    many = replace(one, steps=(*one.steps[:1] * 30, one.steps[3]))
    assert len(lines(many, Label.STEP)) == 21
    assert lines(many, Label.STEP)[-1] == "and 10 more"
    assert len(lines(many, Label.SLOW_STEP)) == 1
