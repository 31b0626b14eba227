"""Pages in reports: figures that are no time have their own unit in each, and none is called a step."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console
from simulation.runs import endpoint, result, run
from support.pages import SUMMARY, heavy, page, shifting, slow

from perfcheck.judge.compare_runs import changes_since
from perfcheck.model import (
    METRICS_BY_NAME,
    EarlierRun,
    EndpointResult,
    Metric,
    MetricOf,
    Run,
    Unit,
    Verdict,
    metric_name,
)
from perfcheck.report import csv as csv_report
from perfcheck.report import github, html, junit, markdown, message, openmetrics
from perfcheck.report.causes import slow_step
from perfcheck.report.console import render_console
from perfcheck.report.explain import Label, explain, in_short
from perfcheck.report.glyphs import UNICODE
from perfcheck.runfile import decode_run, encode_run

FIGURES = (
    "first byte 12 ms, first contentful paint 80 ms, largest contentful paint 120 ms, load 150 ms, "
    "total blocking time 0 ms, layout shift 0.02, 120 kB in 14 requests"
)


def console(of: Run, earlier: EarlierRun | None = None, *, verbose: bool = False) -> str:
    page = Console(width=250, file=io.StringIO(), color_system=None)
    with page.capture() as captured:
        page.print(render_console(of, UNICODE, 250, earlier=earlier, verbose=verbose))
    return captured.get()


def metrics(of: Run) -> dict[str, float]:
    lines = (line for line in openmetrics.render(of).splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def lines(of: EndpointResult, label: Label) -> list[str]:
    return [text for line, text in explain(run([of]), of) if line is label]


TEXTS: dict[str, Callable[[Run], str]] = {
    "console": console,
    "markdown": markdown.render,
    "html": html.render,
    "junit": junit.render,
    "github": github.render,
    "message": lambda of: str(message.plain(of, None)),
}


@pytest.mark.parametrize("report", TEXTS)
def test_each_report_has_a_size_in_its_unit(report: str) -> None:
    text = TEXTS[report](run([heavy()]))
    assert "200 kB" in text, "the limit"
    if report != "message":
        assert re.search(r"512 kB|100 kB", text)
    assert not re.search(r"51\d[.,]?\d* s\b|512,?000|100 s\b", text)


@pytest.mark.parametrize("report", TEXTS)
def test_each_report_has_a_layout_shift_as_a_mere_number(report: str) -> None:
    text = TEXTS[report](run([shifting()]))
    assert "0.2" in text, "the limit"
    assert not re.search(r"\b0\.[123]\d* (?:ms|B)\b", text)


def test_messages() -> None:
    (size,) = lines(heavy(), Label.WHY)
    assert size == "median bytes 512 kB, over 2x its target of 100 kB (limit 200 kB)"
    (shift,) = lines(shifting(), Label.WHY)
    assert shift == "median layout shift 0.25, over 2x its target of 0.1 (limit 0.2)"
    assert in_short(heavy()) == "over its limit of 200 kB"
    assert [finding.unit for finding in heavy().findings] == [Unit.SIZE]
    assert not lines(heavy(), Label.HELP), "no header of the service explains the size of a page"
    (evidence,) = lines(heavy(), Label.EVIDENCE)
    assert re.search(r"median bytes interval 51\d kB.51\d kB$", evidence)


def test_a_column_of_milliseconds_names_the_other_figures() -> None:
    rows = console(run([heavy(), shifting()]))
    assert re.search(r"home +bytes 512 kB +51\d kB.51\d kB +100 kB +66.7 kB +5.12x", rows)
    assert re.search(r"shifting +layout shift 0.25 +0.2.0.3 +0.1 +0.067 +2.50x", rows)


def test_a_figure_over_its_limit_is_no_step() -> None:
    one = slow()
    assert one.verdict is Verdict.CRITICAL
    assert lines(one, Label.WHY) == ["median load 2.1 s, over the ceiling of 2 s"]
    assert lines(one, Label.FIGURE) == ["load 2.1 s, ceiling 2 s", "layout shift 0, ceiling 0.1"]
    assert in_short(one) == "load over the ceiling of 2 s"
    assert (one.is_workflow, slow_step(one)) == (False, None)
    for text in (report(run([one])) for report in TEXTS.values()):
        assert not re.search(r"\bsteps?\b", text.partition("</style>")[2] or text)


def test_the_card_of_a_figure_has_its_limit() -> None:
    text = html.render(run([slow()]))
    assert re.search(r">load 2.1 s</b><span>load: ceiling of 2 s</span>", text)
    assert '<span class="ratio crit">load 2.1 s</span>' in text


def test_what_blocked_rendering_is_the_cause_of_a_slow_page_alone() -> None:
    assert lines(slow(), Label.CAUSE) == [
        "blocked rendering: /static/consent.js 812 ms, /static/app.js ran 640 ms, /static/a.css 30 ms"
    ]
    assert lines(slow(), Label.PAGE) == [FIGURES]
    assert lines(slow(), Label.FILE) == ["pages/home.png", "pages/home.har"]
    assert not lines(heavy(), Label.CAUSE)


@pytest.mark.parametrize("one", [heavy(), shifting()])
def test_what_is_no_time_did_not_go_anywhere(one: EndpointResult) -> None:
    timed = replace(
        one, server_timing={"app": 20.0, "db": 19.0}, server_timing_details={"db": "9 identical statements"}
    )
    assert not [text for label in (Label.WHERE, Label.CAUSE) for text in lines(timed, label)]


def test_what_blocked_rendering_moved_nothing() -> None:
    metric, shifts = MetricOf.LARGEST_CONTENTFUL_PAINT, [0.25] * 16
    one = page(metric, [120.0] * 16, 300.0, figures={MetricOf.LAYOUT_SHIFT: (shifts, 0.1)})
    assert lines(one, Label.WHY) == ["median layout shift 0.25, over the ceiling of 0.1"]
    assert not lines(one, Label.CAUSE)


def test_a_slow_figure_of_a_page_that_is_judged_by_its_size() -> None:
    one = page(MetricOf.BYTES, [1e5] * 16, 1e6, figures={MetricOf.LOAD: ([2100.0] * 16, 2000.0)})
    (cause,) = lines(one, Label.CAUSE)
    assert cause.startswith("blocked rendering: /static/consent.js 812 ms")


@pytest.mark.parametrize("report", ["console", "markdown", "html", "junit"])
def test_the_page_is_described(report: str) -> None:
    text = TEXTS[report](run([slow()])).replace("\\", "").replace("&#x27;", "'")
    for expected in ("120 kB in 14 requests", "blocked rendering:", "ran 640 ms", "home.png"):
        assert expected in text


def test_of_a_page_that_is_ok_with_verbose_and_in_html() -> None:
    fine = page(MetricOf.LARGEST_CONTENTFUL_PAINT, [120.0] * 5, 300.0)
    assert FIGURES in console(run([fine]), verbose=True)
    assert "first byte" not in console(run([fine]))
    assert FIGURES in html.render(run([fine]))


def test_axes_of_pages_without_a_target_are_apart() -> None:
    size = page(MetricOf.BYTES, [5e5] * 5, None, name="size")
    shift = page(MetricOf.LAYOUT_SHIFT, [0.0] * 5, None, name="shift")
    plain = result(endpoint("plain", target=None), [])
    text = html.render(run([size, shift, plain]))
    scales = re.findall(r'<div class="scale">(.*?)</div>', text, re.DOTALL)
    assert len(scales) == 3
    assert "200 kB" in scales[1]
    assert not re.search(r"\d ms|kB", scales[2])


def test_openmetrics_names_the_unit_of_each_figure() -> None:
    of_page = metrics(run([slow(), heavy(), shifting()]))

    def of(family: str, name: str, labels: str) -> float:
        return of_page[f'{family}{{endpoint="{name}",group="videos",metric={labels}}}']

    assert of("perfcheck_latency_seconds", "slow", '"median LCP"') == 0.12
    assert of("perfcheck_figure_seconds", "slow", '"median load"') == 2.1
    assert of("perfcheck_figure", "slow", '"median layout shift"') == 0
    assert of("perfcheck_figure_limit_seconds", "slow", '"median load",limit="ceiling"') == 2
    assert of("perfcheck_figure_bytes", "home", '"median bytes"') == 512_000
    assert of("perfcheck_figure_limit_bytes", "home", '"median bytes",limit="critical"') == 200_000
    assert not [name for name in of_page if "_seconds" in name and "home" in name and "phase" not in name]
    families = re.findall(r"^# TYPE (\S+)", openmetrics.render(run([slow(), heavy()])), re.MULTILINE)
    assert len(families) == len(set(families))


def test_csv_has_the_figure_and_its_unit() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_report.render(run([heavy(), slow()])))))
    assert [(row["value_ms"], row["unit"], row["steps"]) for row in rows] == [
        ("512000.0", "bytes", ""),
        ("120.0", "ms", "load: 2100, layout shift: 0"),
    ]
    assert rows[1]["url"]


def test_junit_has_no_seconds_for_what_is_no_time() -> None:
    cases = ET.fromstring(junit.render(run([heavy(), slow()]))).iter("testcase")
    assert [case.get("time") for case in cases] == [None, "0.120000"]


def test_a_change_from_nothing_has_no_ratio() -> None:
    still, moved = (page(MetricOf.LAYOUT_SHIFT, [value] * 5, 0.3) for value in (0.0, 0.2))
    before, after = run([still]), run([moved])
    since = changes_since(after, before)
    (change,) = (text for label, text in explain(after, moved, since) if label is Label.CHANGE)
    assert change.startswith("0 -> 0.2 (")
    (row,) = csv.DictReader(io.StringIO(csv_report.render(after, since)))
    assert (row["change_from_ms"], row["change_ratio"]) == ("0.0", "")
    clear = replace(since, changes={"home": replace(since.changes["home"], clear=True)})
    assert "from 0" in console(after, clear)
    assert "perfcheck_change_ratio" not in openmetrics.render(after, clear)
    for report in (markdown.render, html.render, junit.render):
        assert not re.search(r"\binf\b", report(after, clear))


def test_the_run_file_keeps_a_page() -> None:
    one = run([heavy(), shifting(), slow(), page(MetricOf.BYTES, [3_000_000.0] * 5, None, summary=SUMMARY)])
    assert decode_run(encode_run(one), "file") == one


@pytest.mark.parametrize("of", MetricOf)
def test_every_name_of_a_metric_has_its_unit(of: MetricOf) -> None:
    assert all(METRICS_BY_NAME[metric_name(metric, of)] is of for metric in Metric)
