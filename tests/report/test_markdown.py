from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from simulation.runs import (
    HOSTILE_NAME,
    big_run,
    decision,
    endpoint,
    example_results,
    hostile_names,
    hostile_run,
    result,
    run,
    samples,
    spread,
    warning,
)
from support.comparisons import comparison_run, hostile_comparison
from support.golden import check_golden
from support.markdown import MAGIC, check_page, elements, parse, rows, text_of, text_outside_code

from perfcheck.judge.compare_runs import changes_since
from perfcheck.model import BaselineInfo, EndpointResult, Finding, Rule, Run, Verdict
from perfcheck.report.markdown import LONGEST_COMMENT, marker, render
from perfcheck.report.markdown.escape import cell, code, prose, prose_cell
from perfcheck.text import clean

GOLDEN = Path(__file__).parent / "golden"
COMPARISONS: dict[str, Callable[[], Run]] = {
    "comparison": comparison_run,
    "release": lambda: comparison_run(with_targets=True),
    "hostile": hostile_comparison,
}
LONGEST_ON_GITHUB = 65_536  # characters


def size(text: str) -> int:
    return len(text.encode())


def healthy(count: int) -> list[EndpointResult]:
    return [result(endpoint(f"videos.{i}"), samples(1, spread(40)), decision(Verdict.OK, 40.0)) for i in range(count)]


def slower(one: Run, factor: float) -> Run:
    """The same run as if the service had taken so many times as long."""

    def changed(endpoint_: EndpointResult) -> EndpointResult:
        low, high = endpoint_.interval_ms
        return replace(
            endpoint_,
            value_ms=endpoint_.value_ms and endpoint_.value_ms * factor,
            interval_ms=(low and low * factor, high and high * factor),
        )

    return replace(one, endpoints=tuple(map(changed, one.endpoints)))


def previous_run() -> Run:
    """A run in which ``artists.never`` was not there yet, and ``videos.removed`` still was."""
    before = slower(run(), 0.7)
    removed = replace(before.endpoints[1], name="videos.removed")
    return replace(
        before,
        endpoints=(*before.endpoints[:-1], removed),
        label="v1.2.2",
        started_at="2026-11-22T09:30:00.000Z",
    )


# --- What it says --------------------------------------------------------------------------------------------------


def test_report() -> None:
    report = render(run(None, warning("the runner was busy")))
    check_page(report)
    check_golden(GOLDEN / "report.md", report)


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name: str) -> None:
    report = render(COMPARISONS[name]())
    check_page(report)
    if name != "hostile":
        check_golden(GOLDEN / f"{name}.md", report)


def test_report_compared_with_an_earlier_run() -> None:
    report = render(run(), changes_since(run(), previous_run()))
    check_page(report)
    check_golden(GOLDEN / "report-compared.md", report)


def test_healthy_report_is_all_but_folded_away() -> None:
    report = render(run(healthy(2)))
    check_page(report)
    check_golden(GOLDEN / "report-healthy.md", report)


def test_the_marker_is_the_first_line() -> None:
    assert render(run()).splitlines()[0] == marker(run()) == "<!-- perfcheck:baselines.yaml -->"


def test_a_run_without_endpoints_says_that_nothing_was_measured() -> None:
    report = render(run([]))
    assert not rows(check_page(report))
    assert "**Nothing was measured.**" in report


def test_what_needs_attention_comes_first_and_is_not_folded() -> None:
    page = check_page(render(run()))
    folded = [row for details in page.iter("details") for row in rows(details)]
    seen = [row for row in rows(page) if row not in folded]
    assert [row[0].split()[-1] for row in seen] == [*["CRITICAL"] * 3, *["WARNING"] * 3, "measured"]
    assert len(folded) == 3


@pytest.mark.parametrize(("count", "unfolded"), [(3, True), (4, False)])
def test_few_explanations_are_unfolded(count: int, *, unfolded: bool) -> None:
    slow = big_run(4 * count, 5).endpoints[3::4]
    details = check_page(render(run(slow))).iter("details")
    assert [one.get("open") is not None for one in details] == [unfolded]


@pytest.mark.parametrize(
    ("rule", "value", "limit", "expected"),
    [
        ("latency", 812.25, 600.0, "over its limit of 600 ms"),
        ("ceiling", 1200.0, 1000.0, "over the ceiling of 1 s"),
        ("new-slow-endpoint", 700.0, 500.0, "over 500 ms, without a target"),
        ("error-rate", 0.25, 0.05, "25% of requests failed"),
        ("body-size", 2_500_000.0, 1_000_000.0, "body over 1 MB"),
        ("of a later version", None, None, "its whole message"),
    ],
)
def test_the_row_says_why_in_short(rule: str, value: float | None, limit: float | None, expected: str) -> None:
    told = replace(Finding.warning(Rule(rule), "its whole message", line=5), value=value, limit=limit)
    slow = replace(run().endpoints[0], findings=(told, told))
    assert rows(check_page(render(run([slow]))))[0][-1] == expected


def rows_by_name(report: str) -> dict[str, list[str]]:
    """Of the endpoints that need attention, in a report with changes."""
    return {row[1]: row for row in rows(check_page(report)) if len(row) == 9}


def test_change_shows_both_figures() -> None:
    report = render(run(), changes_since(run(), previous_run()))
    assert rows_by_name(report)["videos.list"][6:8] == ["569", "+43%"]
    assert "569 -> 812 ms (+43%)" in shown_by(report)


def test_no_change_is_claimed_where_the_intervals_overlap() -> None:
    report = render(run(), changes_since(run(), slower(run(), 0.99)))
    assert rows_by_name(report)["videos.list"][6:8] == ["804", "no clear change"]


def test_endpoints_that_are_new_or_gone_are_reported_in_one_line() -> None:
    report = render(run(), changes_since(run(), previous_run()))
    (line,) = (line for line in report.splitlines() if "gone" in line)
    which, *names = line.split("; ")
    assert which == "Compared with the run `v1.2.2` of `2026-11-22 09:30` UTC"
    assert names == ["new since: `artists.never`", "gone since: `videos.removed`."]
    assert rows_by_name(report)["artists.never"][6:8] == ["-", "new"]


def test_many_endpoints_that_are_new_are_counted() -> None:
    assert "`videos.4` and 7 more." in render(run(healthy(12)), changes_since(run(healthy(12)), run([])))


def test_columns_are_aligned_for_who_reads_it_as_text() -> None:
    lines = [line for line in render(run()).splitlines() if line.startswith("|")]
    attention, folded = lines[:9], lines[9:]
    for table in (attention, folded):
        assert len({cell_len(line) for line in table}) == 1


def test_lines_stay_readable_in_a_viewer() -> None:
    lines = render(run(), changes_since(run(), previous_run())).splitlines()
    assert max(map(len, lines)) <= 180
    assert "\t" not in "".join(lines)


# --- Markers -------------------------------------------------------------------------------------------------------


def baseline(file: str) -> Run:
    return replace(run([]), baseline=BaselineInfo(file, "0" * 64))


def test_markers_distinguish_baselines_and_stay_when_their_content_changes() -> None:
    files = [
        "baselines.yaml",
        "a/baselines.yaml",
        "b/baselines.yaml",
        "a b.yaml",
        "a%20b.yaml",
        "--.yaml",
        "sample baseline",
    ]
    assert len({marker(baseline(file)) for file in files}) == len(files)
    edited = replace(baseline("a/baselines.yaml"), baseline=BaselineInfo("a/baselines.yaml", "1" * 64), label="v2")
    assert marker(edited) == marker(baseline("a/baselines.yaml"))


@pytest.mark.parametrize("file", ["./a/baselines.yaml", "a/./baselines.yaml", "a//baselines.yaml", "a\\baselines.yaml"])
def test_one_file_written_differently_has_one_marker(file: str) -> None:
    assert marker(baseline(file)) == "<!-- perfcheck:a/baselines.yaml -->"


@given(st.text())
@example("--><script>")
@example("--!>")
@example("-")
@example("\udcff\n->")
@example("x" * 5000)
def test_no_file_name_ends_the_marker(file: str) -> None:
    text = marker(baseline(file))
    assert re.fullmatch(r"<!-- perfcheck:[A-Za-z0-9/._~%-]+ -->", text)
    assert "--" not in text[4:-3]
    assert len(text) < 700


def test_long_file_names_that_begin_the_same_way_have_markers_of_their_own() -> None:
    assert marker(baseline("x" * 5000 + "1")) != marker(baseline("x" * 5000 + "2"))


# --- Hostile text --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("previous", [None, run(), hostile_run()])
def test_hostile_run_shows_nothing_executable(previous: Run | None) -> None:
    check_page(render(hostile_run(), changes_since(hostile_run(), previous) if previous else None))


def test_hostile_names_are_shown_as_themselves() -> None:
    page = parse(render(hostile_run()))
    headings = [text_of(heading) for heading in page.iter("h4")]
    shown = [clean(name) for name in hostile_names() if 0 < len(clean(name)) < 120]
    needing_attention = [name for name in shown if any(heading.endswith(f": {name}") for heading in headings)]
    in_tables = [cells for row in rows(page) for cells in row]
    folded = [text_of(line) for line in page.iter("li") if text_of(line).startswith("endpoints: ")]
    assert any(clean(HOSTILE_NAME)[:40] in names for names in folded)
    for name in set(shown) - set(needing_attention):
        assert name in in_tables or any(name[:40] in names for names in folded)


FRAGMENTS = [
    *("|", "\\", "\\|", "`", "``", "```", "*", "_", "~~", "[", "](", ")", "![", "{", "$", "^", "'", '"', '%"'),
    *("<b>", "<!--", "-->", "</details>", "<summary>", "</sub>", "<", ">", "&lt;", "&#64;", "1. ", "- ", "# "),
    *("http://e.com", "www.e.com", "e.com", "@me", "a@b.co", "#1", "GH-1", "!1", ":x:", "0123abc", "0123456789ab"),
    *(
        "word",
        "it's",
        "'quoted word'",
        "5%",
        "5 %",
        "9",
        "/close",
        "::error::",
        "javascript:",
        "🎬",
        "e\u0301",
        "\n",
        " ",
    ),
]
FOREIGN = st.one_of(
    st.text(max_size=30),
    st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join),
    st.lists(st.sampled_from(FRAGMENTS), max_size=8).map(" ".join),
)


@given(st.lists(FOREIGN, min_size=10, max_size=10), FOREIGN, FOREIGN)
def test_no_text_can_change_the_page(names: list[str], message: str, label: str) -> None:
    """The same page as with harmless names: no more elements, no fewer, and none but ours."""
    results = [
        replace(
            one,
            name=name,
            url=message,
            findings=tuple(replace(finding, message=message, remedy=name) for finding in one.findings),
        )
        for one, name in zip(example_results(), names, strict=True)
    ]
    foreign = replace(run(results, warning(message)), label=label, baseline=BaselineInfo(label, ""))
    page = check_page(render(foreign, changes_since(foreign, replace(foreign, endpoints=()))))
    assert len(rows(page)) == len(results)
    assert len(list(page.iter("h4"))) == 7
    assert len(list(page.iter("details"))) == 2


def shown_by(markdown: str) -> str:
    return " ".join(text_of(parse(markdown)).split())


@given(FOREIGN)
@example("the limit is 'tls: {ca: FILE}', not '@me'")
@example("@('quoted')@")
@example('5 %". the next "milestone"')
@example("<0000000")
@example("'a' `b` 'c`d'")
@example("'''")
def test_prose_shows_the_text_and_nothing_else(text: str) -> None:
    page = parse(f"x {prose(text, 200)} y")
    assert {element.tag for element in elements(page)} <= {"p", "code"}
    assert not any(MAGIC.search(part) for part in text_outside_code(page))
    expected = f"x {clean(text, 200)} y".replace("'", "")  # quotes of ours become code
    assert re.sub(r"\(blank\)|\s", "", text_of(page).replace("'", "")) == re.sub(r"\(blank\)|\s", "", expected)


@given(FOREIGN)
def test_code_shows_the_text_exactly(text: str) -> None:
    assert shown_by(f"x {code(text)} y") == f"x {clean(text) or '(blank)'} y"


@given(FOREIGN)
@example("\\|")
@example("a\\\\|b\\")
def test_a_cell_is_one_cell(text: str) -> None:
    shown = clean(text)
    for one in (cell(shown), prose_cell(text, 200)):
        assert [len(row) for row in rows(parse(f"| a | b |\n| - | - |\n| {one} | z |"))] == [2]
    assert rows(parse(f"| a |\n| - |\n| {cell(shown)} |")) == [[shown.replace("\\|", "\\ |") or "(blank)"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("median 812 ms, over 2x its target of 300 ms (limit 600 ms)", None),
        ("5 of 5 requests failed (100%), over 5%: 5x 503 Service Unavailable", None),
        ("look into the service's log", None),
        ("'timeout' sets how long", "`timeout` sets how long"),
        ("allowed by 'min_requests: 100'; see", "allowed by `min_requests: 100`; see"),
        ("ask @user (or #12).", "ask `@user` (or `#12`)."),
        ("<b>bold</b> [a](b) text", "`<b>bold</b> [a](b)` text"),
        ("a ` tick", "a `` ` `` tick"),
        ("commit 0123abc4", "commit `0123abc4`"),
    ],
)
def test_prose_reads_well_as_text(text: str, expected: str | None) -> None:
    assert prose(text, 200) == (expected or text)


# --- Room ----------------------------------------------------------------------------------------------------------


def shown_and_left_out(report: str) -> dict[str, tuple[int, int]]:
    """Of the rows that need attention, the explanations and the healthy rows: how many are shown, and how many not."""
    page = check_page(report)
    widths = [len(row) for row in rows(page)]
    shown = {
        "endpoints that need attention": widths.count(7),
        "explanations": len(list(page.iter("h4"))),
        "endpoints within their limits": widths.count(6),
    }
    text = text_of(page)
    left_out = {what: re.search(rf"room: (\d+) of the {what}\.", text) for what in shown}
    return {what: (count, int(match[1]) if (match := left_out[what]) else 0) for what, count in shown.items()}


def test_the_largest_run_fits_into_a_comment() -> None:
    report = render(big_run(1000, 20))
    assert LONGEST_COMMENT * 0.9 < size(report) <= LONGEST_COMMENT
    assert len(report) < LONGEST_ON_GITHUB
    assert [sum(counts) for counts in shown_and_left_out(report).values()] == [500, 500, 500]


@pytest.mark.parametrize("limit", [4_000, 10_000, 30_000, LONGEST_COMMENT, 100_000, 250_000, 1_000_000])
def test_the_least_important_goes_first(limit: int) -> None:
    report = render(big_run(400, 20), limit=limit)
    assert size(report) <= limit
    parts = list(shown_and_left_out(report).values())
    assert [shown + left_out for shown, left_out in parts] == [200, 200, 200]
    for (_, left_out), (shown_after, _) in pairwise(parts):
        assert not left_out or not shown_after


@pytest.mark.parametrize("limit", [-1, 0, 10, 100, 150, 200, 300, 400, 600, 900, 1_200, 1_500, 2_000, 3_000])
@pytest.mark.parametrize("one", [run(), hostile_run()], ids=["example", "hostile"])
def test_little_room_still_gives_a_whole_page_or_nothing(one: Run, limit: int) -> None:
    report = render(one, changes_since(one, previous_run()), limit=limit)
    assert size(report) <= max(0, limit)
    if report:
        assert "perfcheck: CRITICAL" in report
        assert "Omitted for lack of room" in report
        check_page(report if report.startswith("<!--") else f"{marker(one)}\n{report}")


def test_no_healthy_row_takes_the_place_of_an_explanation() -> None:
    """Though it would fit into what is left, being shorter."""
    long = [replace(one, url="x" * 400, findings=one.findings * 4) for one in run().endpoints[:1] * 2]
    one = run([*long, *healthy(1)])
    whole = size(render(one))
    for limit in range(whole - 1, whole - 1_200, -50):
        parts = shown_and_left_out(render(one, limit=limit))
        assert not parts["explanations"][1] or not parts["endpoints within their limits"][0]
        assert parts["endpoints that need attention"] == (2, 0)


def test_nothing_is_left_out_where_there_is_room() -> None:
    report = render(big_run(1000, 20), limit=1024 * 1024)
    assert list(shown_and_left_out(report).values()) == [(500, 0), (500, 0), (500, 0)]
    assert "Omitted" not in report


def test_wide_characters_count_as_the_bytes_they_take() -> None:
    named = [replace(one, name=f"🎬{i}" * 60) for i, one in enumerate(big_run(300, 5).endpoints)]
    report = render(run(named))
    assert size(report) <= LONGEST_COMMENT


def test_many_notes_on_the_run_are_bounded() -> None:
    report = render(run(None, *[warning(f"note {'x' * 5000} {i}") for i in range(50)]))
    assert size(report) <= LONGEST_COMMENT
    assert "- and 40 more in the run file" in report
