"""Screened, unconfirmed, passed in part, and what a run excludes: what every report shows of them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
import xmlschema
from rich.console import Console
from simulation.runs import decision, endpoint, failed, result, run, samples, spread

from perfcheck.judge.run_verdict import judge_run, partial_findings
from perfcheck.model import EndpointResult, Finding, Rule, Run, Verdict
from perfcheck.report import csv as csv_report
from perfcheck.report import github, html, junit, markdown, openmetrics
from perfcheck.report.claims import certainty
from perfcheck.report.console import render_console
from perfcheck.report.glyphs import ASCII, UNICODE, Glyphs

SCHEMA = xmlschema.XMLSchema(Path(__file__).parent.parent / "support" / "junit.xsd")
ALONE = result(endpoint("alone"), samples(1, spread(40)), decision(Verdict.OK, 40.0))
SCREENED = replace(result(endpoint("screened"), samples(1, spread(210)), decision(Verdict.OK, 210.0)), concurrency=8)
UNCONFIRMED = replace(
    result(endpoint("breach"), samples(1, spread(500)), decision(Verdict.WARNING, 500.0)),
    unconfirmed=Verdict.CRITICAL,
    decided=False,
)
NO_TIME = result(endpoint("late"), [])
FAILING = result(endpoint("failing"), failed(0, 1))


def judged(*results: EndpointResult, allow_partial: bool = False) -> Run:
    verdict, counts, exit_code = judge_run(results, Verdict.CRITICAL, allow_partial=allow_partial)
    findings = partial_findings(results) if allow_partial else ()
    return replace(run(results, *findings), verdict=verdict, counts=counts, exit_code=exit_code)


def on_terminal(one: Run, glyphs: Glyphs = UNICODE, *, quiet: bool = False) -> str:
    console = Console(file=io.StringIO(), width=160)
    with console.capture() as captured:
        console.print(render_console(one, glyphs, 160, quiet=quiet))
    return captured.get()


def every_report(one: Run) -> dict[str, str]:
    modules = (markdown, html, junit, github)
    texts = {module.__name__: unescape(module.render(one)) for module in modules}
    return {"console": on_terminal(one), **texts}


# --- Screened ------------------------------------------------------------------------------------------------------


def test_the_figures_of_a_screened_endpoint_are_upper_bounds() -> None:
    one = judged(ALONE, SCREENED)
    for text in (on_terminal(one), markdown.render(one), html.render(one)):
        assert "≤210" in text
        assert "≤0.70x" in text
        assert "<231" in unescape(text)  # the interval is open below
        assert "≤40" not in text
        assert "1 screened over up to 8 connections, their latencies upper bounds" in text
    assert "<=210" in on_terminal(one, ASCII)
    assert on_terminal(one, ASCII).isascii()
    assert "screened over 8 connections" in markdown.render(one)


def test_a_screened_endpoint_is_marked_for_machines() -> None:
    one = judged(ALONE, SCREENED)
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(csv_report.render(one)))}
    assert {name: row["concurrency"] for name, row in rows.items()} == {"alone": "1", "screened": "8"}
    metrics = openmetrics.render(one)
    assert (
        'perfcheck_latency_seconds{endpoint="screened",group="videos",screened="true",metric="median"} 0.21' in metrics
    )
    assert 'perfcheck_latency_seconds{endpoint="alone",group="videos",metric="median"} 0.04' in metrics
    assert 'perfcheck_target_seconds{endpoint="screened",group="videos"} 0.3' in metrics


# --- Unconfirmed ---------------------------------------------------------------------------------------------------


def test_an_unconfirmed_breach_is_a_warning_with_that_word_and_the_run_does_not_pass() -> None:
    one = judged(ALONE, UNCONFIRMED)
    for report, text in every_report(one).items():
        assert "unconfirmed" in text, report
    assert "WARNING breach unconfirmed" in on_terminal(one)
    assert on_terminal(one).rstrip().endswith("exit 3: a breach could not be confirmed in time")
    assert "::error" in github.render(one)
    assert 'perfcheck_unconfirmed{endpoint="breach",group="videos"} 1' in openmetrics.render(one)
    assert "1 unconfirmed, seen once and not measured again in time" in certainty(one)
    suite = junit.render(one)
    assert SCHEMA.is_valid(suite.encode())
    assert 'errors="1"' in suite  # the run itself: a test tab is not green when the job is red


# --- Passed in part ------------------------------------------------------------------------------------------------

LOUD = "1 of 2 endpoints was not measured: there was no time; it passes because of --allow-partial"


def test_a_run_that_passes_in_part_states_so_in_every_report() -> None:
    one = judged(ALONE, NO_TIME, allow_partial=True)
    assert one.exit_code == 0
    for report, text in every_report(one).items():
        assert LOUD in " ".join(text.split()).replace("`", ""), report
    assert LOUD in on_terminal(one, quiet=True)
    assert on_terminal(one).count(LOUD) == 1
    assert "exit 0: what was measured passed" in on_terminal(one)
    assert "::error" not in github.render(one)
    suite = junit.render(one)
    assert SCHEMA.is_valid(suite.encode())
    assert (suite.count("<skipped"), suite.count("<error")) == (1, 0)
    assert 'skipped="1"' in suite


@pytest.mark.parametrize("results", [(ALONE, NO_TIME), (ALONE, FAILING)])
def test_without_it_nothing_passes_that_was_not_measured(results: tuple[EndpointResult, ...]) -> None:
    one = judged(*results, allow_partial=FAILING in results)
    assert one.exit_code == 3
    assert "--allow-partial" not in "".join(every_report(one).values())
    assert "exit 3: not everything could be measured" in on_terminal(one)
    assert "<error" in junit.render(one)
    assert "::error" in github.render(one)


@pytest.mark.parametrize(
    ("results", "found", "meaning"),
    [
        ((NO_TIME, FAILING), (), "nothing could be measured"),
        ((ALONE,), (Finding.warning(Rule.NOT_COMPARED, "none"),), "no endpoint could be compared"),
        ((ALONE, UNCONFIRMED), (), "a breach could not be confirmed in time"),
        ((ALONE, UNCONFIRMED, NO_TIME), (), "not everything could be measured"),
    ],
)
def test_why_a_run_did_not_pass(results: tuple[EndpointResult, ...], found: tuple[Finding, ...], meaning: str) -> None:
    one = replace(judged(*results), exit_code=3, findings=found)
    assert on_terminal(one).rstrip().endswith(f"exit 3: {meaning}")


@pytest.mark.parametrize("results", [(), (NO_TIME, FAILING)])
def test_a_run_that_measured_nothing_claims_nothing(results: tuple[EndpointResult, ...]) -> None:
    one = judged(*results)
    for report, text in every_report(one).items():
        assert "95% confident" not in text, report
    assert "No endpoint was measured, so there is no verdict." in on_terminal(one)


# --- Warnings of the run ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quiet", [False, True])
def test_warnings_of_the_run_are_shown_and_counted_with_the_verdicts(*, quiet: bool) -> None:
    flaky = Finding.warning(Rule.ERROR_RATE, "9 of 200 requests failed")
    proxy = Finding.note(Rule.CONNECTION, "requests go through the proxy")
    verdict, counts, exit_code = judge_run([ALONE], Verdict.CRITICAL, [flaky])
    one = replace(run([ALONE], flaky, proxy), verdict=verdict, counts=counts, exit_code=exit_code)
    shown = on_terminal(one, quiet=quiet)
    assert "WARNING run: 9 of 200 requests failed" in shown
    assert shown.splitlines()[-1].startswith("1 OK, 1 warning of the run ·")
    assert ("requests go through the proxy" in shown) is not quiet
    assert "of the run" not in on_terminal(judged(ALONE)).splitlines()[-1]


# --- What a run excludes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("each", "service", "claim"),
    [
        (None, None, ""),
        (
            *(0.0894, 0.0058),
            "; failure rates over 9% are excluded, over 0.6% for the service",
        ),
        (0.09, None, "; failure rates over 9% are excluded"),
    ],
)
def test_what_a_run_may_claim(each: float | None, service: float | None, claim: str) -> None:
    one = replace(judged(ALONE), excluded_failure_rate=each, excluded_failure_rate_of_service=service)
    sentence = f"Latency verdicts are 95% confident{claim}."
    assert certainty(one) == sentence
    for text in (on_terminal(one), markdown.render(one), html.render(one), junit.render(one)):
        assert sentence in " ".join(text.split())


def test_excluded_failure_rates_are_metrics_where_they_are_known() -> None:
    assert "excluded" not in openmetrics.render(judged(ALONE))
    one = replace(judged(ALONE), excluded_failure_rate=0.09)
    assert "perfcheck_run_excluded_error_ratio 0.09\n" in openmetrics.render(one)
