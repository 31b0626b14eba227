"""The labelled lines that explain an endpoint: what they are, and that every report renders them."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from html import unescape
from urllib.parse import unquote

import pytest
from rich.console import Console
from simulation.runs import decision, endpoint, result, run, samples
from support.comparisons import comparison_run

from perfcheck.judge.compare_runs import changes_since
from perfcheck.model import Changed, Comparison, EndpointResult, Metric, MetricOf, Phases, Run, TracedRequest, Verdict
from perfcheck.report import github, html, junit, markdown
from perfcheck.report.causes import likely_cause, where_the_time_went
from perfcheck.report.console import render_console
from perfcheck.report.explain import Label, explain
from perfcheck.report.fold import explain_block
from perfcheck.report.glyphs import UNICODE
from perfcheck.runfile import encode_run


def slow(header: str | None) -> EndpointResult:
    measured = [(stage, replace(sample, server_timing=header)) for stage, sample in samples(1, [930.0] * 5)]
    return result(endpoint("videos.list"), measured, decision(Verdict.CRITICAL, 930.0))


@pytest.mark.parametrize(
    ("header", "account"),
    [
        ('app;dur=925, db;dur=812;desc="101 queries"', "Server-Timing: app 925 ms, of which db 812 ms (101 queries)"),
        (
            'db;dur=812;desc="101 queries, 100 identical", app;dur=925',
            "Server-Timing: app 925 ms, of which db 812 ms (101 queries, 100 identical)",
        ),
        (
            'db;dur=5;desc="101 queries, 100 alike", app;dur=925',  # not where the time went
            "Server-Timing: app 925 ms, of which db 5 ms (101 queries, 100 alike)",
        ),
        ("handler;dur=920, db;dur=300, cache;dur=20", "Server-Timing: handler 920 ms, of which db 300 ms, cache 20 ms"),
        (
            'db;dur=500;desc="9 queries", search;dur=600',
            "Server-Timing (overlapping): search 600 ms, db 500 ms (9 queries)",
        ),
        ("db;dur=900, render;dur=20", "Server-Timing: db 900 ms, render 20 ms"),  # they fit side by side
        (
            'app;dur=925, cache;desc="12 hits, 3 misses"',
            "Server-Timing: app 925 ms, cache (12 hits, 3 misses)",
        ),
        ('db;dur=812;desc="Database", app;dur=30', "Server-Timing: db 812 ms, app 30 ms"),
        ("cache;desc=hit", None),
        (None, None),
    ],
)
def test_the_account_of_the_service_is_next_to_the_phases(header: str | None, account: str | None) -> None:
    phases = "waiting for the first byte 930 ms; download 93 ms"
    assert where_the_time_went(slow(header)) == (f"{phases}; {account}" if account else phases)


@pytest.mark.parametrize(
    ("header", "cause"),
    [
        (
            'app;dur=925, db;dur=812;desc="101 queries, 100 identical"',
            "likely N+1: 100 identical statements in one request",
        ),
        ('db;dur=812;desc="101 queries, 100 alike"', "likely N+1: 100 identical statements in one request"),
        ('db;dur=5;desc="101 queries, 100 identical", app;dur=925', ""),  # not where the time went
        ('db;dur=812;desc="101 queries"', ""),
        (None, ""),
    ],
)
def test_repeated_statements_are_the_likely_cause(header: str | None, cause: str) -> None:
    assert likely_cause(slow(header)) == cause


def test_words_of_a_service_are_made_safe() -> None:
    told = where_the_time_went(slow('db;dur=812;desc="1 \x1b[31mred\u202e' + "x" * 500 + '"'))
    assert told.isprintable()
    assert len(told) < 250


def test_the_words_are_in_the_run_file() -> None:
    encoded = encode_run(run([slow('db;dur=812;desc="101 queries"')]))
    assert json.loads(encoded)["endpoints"][0]["server_timing_details"] == {"db": "101 queries"}
    assert json.loads(encoded)["endpoints"][0]["server_timing"] == {"db": 812.0}


def reports(run: Run) -> dict[str, str]:
    """What each report shows, without blanks, quotes and code spans."""
    console = Console(file=io.StringIO(), width=200)
    with console.capture() as captured:
        console.print(render_console(run, UNICODE, 200))
    lines = unquote(github.render(run)).splitlines()
    shown = {
        "console": captured.get(),
        "markdown": markdown.render(run),
        "html": unescape(html.render(run)),
        "junit": unescape(junit.render(run)),
        "github": "".join(lines),
    }
    return {name: plain(text) for name, text in shown.items()}


def plain(text: str) -> str:
    return re.sub(r"[\s`'\"]", "", text.replace("→", "->"))


LEFT_OUT = {
    "github": {Label.REQUEST, Label.NOTE, Label.BASELINE},  # an annotation is at a line of the baseline
    "html": {Label.WHERE},  # a picture
}


IDS = [f"{number:032x}" for number in range(1, 7)]


def traced(one: Run, trace_url: str | None = "https://jaeger.example/trace/{trace_id}") -> Run:
    now = (TracedRequest(IDS[0], None, "status"), TracedRequest(IDS[1], 812.0, "ok"))
    before = (TracedRequest(IDS[2], 411.0, "ok"),)
    endpoints = [
        replace(each, traces=now, comparison=each.comparison and replace(each.comparison, before_traces=before))
        for each in one.endpoints
    ]
    return replace(one, endpoints=tuple(endpoints), service=replace(one.service, trace_url=trace_url))


@pytest.mark.parametrize(
    "one",
    [run(), comparison_run(), comparison_run(with_targets=True), traced(run()), traced(comparison_run(), None)],
)
def test_every_report_has_the_same_lines(one: Run) -> None:
    shown = reports(one)
    for judged in one.endpoints:
        if judged.needs_attention:
            for line in explain(one, judged):
                label, text = line
                for report, content in shown.items():
                    if line.link and report in {"markdown", "html"}:
                        assert f"{line.link}>" in content, report  # <URL>, <a href=URL>
                    elif label not in LEFT_OUT.get(report, set()):
                        assert plain(text) in content, (report, label, text)


@pytest.mark.parametrize("one", [run(), comparison_run(), comparison_run(with_targets=True)])
def test_the_lines_come_in_one_order(one: Run) -> None:
    for judged in one.endpoints:
        labels = [label for label, _ in explain(one, judged, changes_since(one, one))]
        assert labels == sorted(labels, key=list(Label).index)
        assert (labels[0], labels[-1]) == (Label.REQUEST, Label.RERUN)


def test_what_a_stream_has_after_its_first_byte_is_no_download() -> None:
    endpoint_ = replace(endpoint("events", target=100.0), metric_of=MetricOf.FIRST_BYTE)
    phases = Phases(wait_ms=30.0, download_ms=900.0)
    measured = [
        (stage, replace(sample, phases=phases, server_timing=None)) for stage, sample in samples(1, [930.0] * 5)
    ]
    one = result(endpoint_, measured, decision(Verdict.CRITICAL, 930.0))
    assert where_the_time_went(one) == "first byte to first event 900 ms; waiting for the first byte 30 ms"
    assert "first byte to first event" in html.render(run([one]))
    assert ">download<" not in html.render(run([one]))


def traces_of(one: Run) -> list[str]:
    slow_one = next(judged for judged in one.endpoints if judged.verdict is Verdict.CRITICAL)
    return [text for label, text in explain(one, slow_one) if label is Label.TRACE]


def test_traces_are_links_where_the_page_is_known_and_else_ids() -> None:
    page = "https://jaeger.example/trace/"
    assert traces_of(run()) == []
    assert traces_of(traced(run())) == [f"status {page}{IDS[0]}", f"812 ms {page}{IDS[1]}"]
    assert traces_of(traced(run(), None)) == [f"status {IDS[0]}", f"812 ms {IDS[1]}"]
    assert traces_of(traced(comparison_run(), None)) == [
        f"now status {IDS[0]}",
        f"before 411 ms {IDS[2]}",
    ]
    assert f'812 ms <a href="{page}{IDS[1]}">{page}{IDS[1]}</a>' in html.render(traced(run()))
    assert f"- **trace**: 812 ms <{page}{IDS[1]}>\n" in markdown.render(traced(run()))


@pytest.mark.parametrize(
    "page", ["javascript:alert(1)//{trace_id}", 'https://x/"><b>{trace_id}', "https://x/)[`{trace_id}"]
)
def test_a_page_from_a_run_file_is_no_link_unless_it_is_one(page: str) -> None:
    one = traced(run(), page)
    assert 'href="http' not in html.render(one)
    assert "javascript:alert(1)//" + IDS[1] not in re.findall('href="([^"]*)"', html.render(one))
    assert "<b>" + IDS[1] not in html.render(one)
    assert f"<{page}".replace("{trace_id}", IDS[1]) not in markdown.render(one)


def test_endpoints_with_one_cause_show_a_trace_each() -> None:
    similar = [replace(traced(run()).endpoints[0], name=name) for name in "abcde"]
    one = replace(traced(run()), endpoints=tuple(similar))
    page = "https://jaeger.example/trace/"
    block = explain_block(one, tuple(similar))
    assert [text for label, text in block if label is Label.TRACE] == [
        f"{name}: status {page}{IDS[0]}" for name in "abc"
    ]


def test_a_remedy_for_latency_comes_once_in_a_report() -> None:
    slow_ones = [replace(judged, name=name) for judged in run().endpoints[:1] for name in ("a", "b")]
    remedy = replace(slow_ones[0].findings[0], remedy="add an index")
    shown: set[str] = set()
    lines = [explain(run(), replace(one, findings=(remedy,)), shown=shown) for one in slow_ones]
    assert [sum(label is Label.HELP for label, _ in found) for found in lines] == [1, 0]


COUNT, LIST = "SELECT count(*) FROM t, from shop/views.py:12", "SELECT a FROM t, 2 times, from shop/views.py:13"


@pytest.mark.parametrize(
    ("before", "now", "statements"),
    [
        ({"db": 30.0}, 'db;dur=900, statement.a;dur=800;desc="{count}"', [f"statement 800 ms: {COUNT}"]),
        (
            {"db": 30.0, "statement.b": 9.0},
            'db;dur=900, statement.a;dur=400;desc="{count}", statement.b;dur=489;desc="{list}"',
            [f"statement 9 -> 489 ms: {LIST}", f"statement 400 ms, new among the slowest: {COUNT}"],
        ),
        ({"statement.a": 800.0}, 'statement.a;dur=810;desc="{count}", statement.b;dur=89;desc="{list}"', []),
        ({}, "db;dur=900, statement.a;dur=800", []),
    ],
)
def test_the_statements_that_increased_are_a_cause(before: dict[str, float], now: str, statements: list[str]) -> None:
    one = slow(now.format(count=COUNT, list=LIST))
    slower = Comparison(
        Changed.SLOWER, Metric.MEDIAN, 30.0, 930.0, 31.0, (None, None), 5, 5, before_server_timing=before
    )
    causes = [text for label, text in explain(run(), replace(one, comparison=slower)) if label is Label.CAUSE]
    assert [cause for cause in causes if cause.startswith("statement")] == statements
    assert not any("statement." in cause for cause in causes)


@pytest.mark.parametrize(("ms", "named"), [(200, True), (50, False)])
def test_the_slowest_statement_is_a_cause_where_nothing_is_compared(ms: int, named: bool) -> None:  # noqa: FBT001
    one = slow(f'app;dur=925, statement.b;dur=40;desc="x", statement.a;dur={ms};desc="{COUNT}"')
    causes = [text for label, text in explain(run(), one) if label is Label.CAUSE]
    assert causes == ([f"statement {ms} ms: {COUNT}"] if named else [])
    assert where_the_time_went(one).endswith("; Server-Timing: app 925 ms")
