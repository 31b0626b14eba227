"""The page as a parser sees it. What only a browser can tell stands in test_html_browser.py."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pytest
from simulation.runs import (
    big_run,
    decision,
    endpoint,
    example_results,
    failed,
    hostile_run,
    result,
    run,
    samples,
    spread,
)
from support.comparisons import comparison_run, hostile_comparison, live_run
from support.golden import check_golden
from support.past import example_report, hostile_report, report_on

from perfcheck.judge.compare_runs import changes_since
from perfcheck.model import EndpointResult, Run, Timeline, Verdict
from perfcheck.periods.model import PeriodKind, PeriodReport
from perfcheck.periods.report.html import render as render_period
from perfcheck.report.html import render

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"


def critical(name: str = "videos.list", count: int = 5) -> EndpointResult:
    measured = samples(1, spread(800, count)) + samples(2, spread(810, count), start_s=110.0)
    return result(
        endpoint(name),
        measured,
        decision(Verdict.CRITICAL, 802.5, requests=count),
        decision(Verdict.CRITICAL, 812.25, stage=2, requests=count),
    )


def extremes() -> Run:
    """What a run may hold at its edges: next to nothing, a minute, one moment, all alike, a limit below the target."""
    fast = result(endpoint("fast", target=0.01), samples(1, [0.001] * 5), decision(Verdict.OK, 0.001))
    slow = result(endpoint("slow", target=0.01), samples(1, [60_000.0] * 5), decision(Verdict.CRITICAL, 60_000.0))
    moment = replace(critical("moment"), timeline=Timeline((0.0,), (0.0,), (1,), ("ok",)))
    capped = result(
        replace(endpoint("capped"), ceiling_ms=100.0), samples(1, [800.0] * 5), decision(Verdict.CRITICAL, 800.0)
    )
    lost = result(endpoint("lost"), failed(0, 1))
    open_ends = [
        replace(critical(f"open {ends}"), interval_ms=ends) for ends in ((None, None), (700.0, None), (None, 900.0))
    ]
    return replace(run([fast, slow, moment, capped, lost, *open_ends]), duration_ms=0.0, started_at="never")


def without_measurements() -> Run:
    return run([result(endpoint(f"videos.{i}"), []) for i in range(3)])


def healthy() -> Run:
    return run([result(endpoint(f"videos.{i}"), samples(1, spread(40)), decision(Verdict.OK, 40.0)) for i in range(60)])


def compared() -> str:
    before = [
        result(endpoint("videos.list"), samples(1, spread(40)), decision(Verdict.OK, 40.0)),
        *example_results()[1:],
    ]
    return render(run(), changes_since(run(), replace(run(before), label="v1.2.2")))


PAGES: dict[str, Callable[[], str]] = {
    "example": lambda: render(run()),
    "hostile": lambda: render(hostile_run()),
    "big": lambda: render(big_run()),
    "empty": lambda: render(run([])),
    "extremes": lambda: render(extremes()),
    "nothing measured": lambda: render(without_measurements()),
    "healthy": lambda: render(healthy()),
    "compared": compared,
    "comparison": lambda: render(comparison_run()),
    "live comparison": lambda: render(live_run()),
    "release": lambda: render(comparison_run(with_targets=True)),
    "hostile comparison": lambda: render(hostile_comparison()),
    "period": lambda: render_period(example_report()),
    "hostile period": lambda: render_period(hostile_report()),
    "empty period": lambda: render_period(report_on([], 0, 7)),
    "week": lambda: render_period(as_week(example_report())),
}


def as_week(report: PeriodReport) -> PeriodReport:
    return replace(report, period=replace(report.period, kind=PeriodKind.WEEK))


@cache
def html(name: str) -> str:
    return PAGES[name]()


@cache
def tree(name: str) -> Element:
    return parsed(html(name))


def parsed(page: str) -> Element:
    """As HTML 5; any error of syntax is raised."""
    parser = html5lib.HTMLParser(html5lib.getTreeBuilder("etree"), strict=True, namespaceHTMLElements=False)
    root: Element = parser.parse(page)
    return root


def tags(name: str) -> Iterator[tuple[str, Element]]:
    yield from html_tags(tree(name))


def html_tags(page: Element) -> Iterator[tuple[str, Element]]:
    for element in page.iter():
        if isinstance(element.tag, str):  # a comment's is not
            yield element.tag.removeprefix(SVG), element


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


every_page = pytest.mark.parametrize("name", PAGES)


@every_page
def test_nothing_can_be_executed_or_loaded(name: str) -> None:
    active = {"script", "iframe", "object", "embed", "link", "base", "form", "img", "image", "foreignObject", "animate"}
    for tag, element in tags(name):
        assert tag not in active
        for attribute, value in element.attrib.items():
            plain = attribute.rsplit("}", 1)[-1]
            assert not plain.startswith("on")
            assert plain not in {"src", "srcset", "action", "background", "ping"}
            assert plain != "href" or value.startswith("#")
            assert "url(" not in value
    styles = " ".join(text_of(element) for tag, element in tags(name) if tag == "style")
    assert "@import" not in styles
    assert "url(" not in styles


@every_page
def test_a_policy_forbids_what_the_page_does_without(name: str) -> None:
    policies = [one.get("content") for tag, one in tags(name) if one.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


@every_page
def test_every_link_has_its_place(name: str) -> None:
    ids = [element.get("id") for _, element in tags(name) if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z0-9-]+", one or "") for one in ids)
    for _, element in tags(name):
        for attribute in ("href", "aria-labelledby"):
            assert element.get(attribute, "#main").removeprefix("#") in ids


@every_page
def test_pictures_speak_or_keep_out_of_the_way(name: str) -> None:
    for tag, element in tags(name):
        if tag == "svg" and element.get("aria-hidden") != "true" and element.get("class") != "layer":
            assert element.get("role") == "img"
            assert text_of(element.findall(f"{SVG}title")[0])


@every_page
def test_structure_for_keyboard_and_screen_reader(name: str) -> None:
    levels = [int(tag[1]) for tag, _ in tags(name) if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))
    assert all(element.get("scope") in {"row", "col"} for tag, element in tags(name) if tag == "th")
    assert [tag for tag, _ in tags(name) if tag in {"header", "main", "footer"}] == ["header", "main", "footer"]
    assert tree(name).get("lang") == "en"


@every_page
def test_no_hidden_character_reaches_the_page(name: str) -> None:
    unwanted = {
        char for char in html(name) if char != "\n" and unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn"}
    }
    assert not unwanted


@every_page
def test_places_in_charts_are_numbers_within_them(name: str) -> None:
    for tag, element in tags(name):
        for attribute in ("x", "x1", "x2", "width"):
            value = element.get(attribute, "")
            if tag in {"rect", "line", "use", "text"} and value.endswith("%"):
                assert -2 <= float(value[:-1]) <= 100
        assert "nan" not in element.get("d", "")
        assert "inf" not in element.get("d", "")


def test_what_the_page_says() -> None:
    """Word for word, without the pictures."""
    blocks = {"h1", "h2", "h3", "h4", "p", "li", "dt", "dd", "th", "td", "figcaption", "summary", "title", "caption"}
    lines = [f"{tag}: {text_of(element)}" for tag, element in tags("example") if tag in blocks]
    check_golden(GOLDEN / "html.txt", "\n".join(line.rstrip() for line in lines) + "\n")


def test_hostile_text_is_shown_as_text() -> None:
    shown = text_of(tree("hostile"))
    assert "<script>alert(1)</script> ]]> ::error:: [31mred" in shown
    assert "<img src=x onerror=alert(1)>" in shown
    assert "{{ 7 * 7 }} {% raw %}" in shown
    assert "the runner said <script>alert(3)</script>" in shown


def test_long_names_are_shortened_and_still_distinguished() -> None:
    names = [text_of(one) for tag, one in tags("hostile") if tag == "a" and "long." in text_of(one)]
    names += [text_of(one) for tag, one in tags("hostile") if one.get("scope") == "row" and "long." in text_of(one)]
    assert {name.rsplit(".", 1)[1] for name in names} == {"one", "two"}
    assert max(map(len, names)) < 200


def test_size_of_a_page_with_fifty_endpoints() -> None:
    """The dearest: every one needs attention, and has a dot for every request."""
    page = render(run([critical(f"videos.endpoint_{i}", 30) for i in range(50)]))
    assert len(page.encode()) < 300_000


def test_a_large_run_aggregates() -> None:
    assert len(html("big").encode()) < 2_000_000
    assert len([tag for tag, _ in tags("big") if tag == "article"]) == 30
    assert len([one for _, one in tags("big") if one.get("scope") == "row"]) == 970


def test_every_endpoint_has_its_place() -> None:
    places = {one.get("id") for _, one in tags("big") if one.get("id")}
    assert {f"e{i}" for i in range(1, 1001)} <= places


def test_worst_first_and_under_the_titles_of_groups() -> None:
    one, other = critical("videos.slow"), replace(critical("search.slow"), group="search", ratio=9.0)
    page = render(replace(run([one, other]), groups={"videos": "Video lists", "search": "Search"}))
    assert page.index("<h3>Search</h3>") < page.index("<h3>Video lists</h3>")


def test_change_is_reported_where_it_is_clear() -> None:
    shown = text_of(tree("compared"))
    assert "Compared with v1.2.2 (2026-11-23 12:00 UTC): 1 of" in shown
    assert "40 → 812 ms (20.3x)" in shown
    assert "no clear change" in shown
    assert "m-ring" in html("compared")


def test_a_change_is_drawn_within_its_interval() -> None:
    """It is that of all pairs: the quotient of the two medians, here three times it, may lie outside."""
    live = live_run()
    far = [replace(one, value_ms=one.value_ms * 3 if one.value_ms else None) for one in live.endpoints]
    rows = [
        row
        for tag, row in html_tags(parsed(render(replace(live, endpoints=tuple(far)))))
        if tag == "svg" and row.get("class") == "chart row"
    ]
    drawn = 0
    for row in rows:
        bars = [one for one in row.iter(f"{SVG}rect") if (one.get("class") or "").startswith("iv")]
        marks = [one for one in row.iter(f"{SVG}use") if (one.get("class") or "").startswith("v ")]
        for bar, mark in zip(bars, marks[: len(bars)], strict=True):
            left, width, at = (
                float(value.rstrip("%")) for value in (bar.get("x"), bar.get("width"), mark.get("x")) if value
            )
            assert left <= at <= left + width
            drawn += 1
    assert drawn == 7
    axis = next(one for _, one in tags("comparison") if one.get("class") == "axis")
    assert [text_of(one) for one in axis.iter(f"{SVG}text")][:3] == ["-100%", "-50%", "before"]


def test_spans_of_the_service_are_drawn_within_the_time_they_are_a_part_of() -> None:
    """They would add up to twice the waiting if they stood side by side."""
    measured = [
        (stage, replace(sample, server_timing="db;dur=700, app;dur=925")) for stage, sample in samples(1, [930.0] * 5)
    ]
    page = parsed(render(run([result(endpoint("a"), measured, decision(Verdict.CRITICAL, 930.0))])))
    phases = next(one for _, one in html_tags(page) if one.get("class") == "phases")
    bars = [(one.get("class"), text_of(one)) for one in phases.iter("li")]
    assert [css for css, _ in bars] == [None, "in1", "in2", None]
    assert [words for _, words in bars][1:3] == ["service: app925 ms", "of which db700 ms"]


def test_a_folded_table_has_no_empty_columns() -> None:
    failing = [
        result(
            endpoint(f"m.{n}"), failed(1, 5), decision(Verdict.NOT_MEASURED, None, failures=5, errors=Verdict.CRITICAL)
        )
        for n in range(3)
    ]
    heads = [text_of(one) for _, one in html_tags(parsed(render(run(failing)))) if one.get("scope") == "col"]
    assert heads == ["Endpoint", "Target", "Requests"]


def test_of_many_with_one_cause_the_first_have_a_row_and_the_others_a_line() -> None:
    slow = [critical(f"videos.{n}") for n in range(100)]
    page = parsed(render(run([*slow, *healthy().endpoints])))
    assert len([one for _, one in html_tags(page) if one.get("class") == "chart row"]) == 40
    assert next(text_of(one) for tag, one in html_tags(page) if tag == "h3") == "120 more, a line each"


def test_what_fails_shows_how_often_in_place_of_how_fast() -> None:
    """In the colour of the verdict: a red "no change" is no reason for it."""
    shown = text_of(tree("comparison"))
    (row,) = [text_of(one) for tag, one in tags("comparison") if tag == "li" and "search.failing" in text_of(one)]
    assert row.endswith("75% failed")
    assert "75% of requests failed" in shown


def test_a_release_that_became_slower_shows_by_how_much() -> None:
    """Within its limits, or nearly: the change is the reason, and has the colour of the verdict."""
    page = render(comparison_run(with_targets=True))
    (row,) = [one for tag, one in html_tags(parsed(page)) if tag == "li" and "videos.list" in text_of(one)]
    coloured = [text_of(one) for one in row.iter("span") if "crit" in (one.get("class") or "").split()]
    assert coloured == ["+112%"]
    assert '<b class="crit">+112%</b>' in page
    assert "203 → 434 ms (+112% over all requests)" in page  # not the quotient of the medians


def test_seconds_are_shown_as_such() -> None:
    (row,) = [text_of(one) for tag, one in tags("example") if tag == "li" and "search.hanging" in text_of(one)]
    assert ">10 s" in row
    assert "10000" not in row


def test_notes_on_the_run_are_one_list_below_its_warnings() -> None:
    lists = [one for _, one in tags("comparison") if (one.get("class") or "").startswith("finding")]
    assert [one.get("class") for one in lists] == ["finding note"]
    assert len(list(lists[0].iter("li"))) == 5


def test_few_samples_are_dots_in_a_table() -> None:
    """Bars of five would have heights by chance."""
    measured = {
        count: result(endpoint(f"n{count}"), samples(1, spread(40, count)), decision(Verdict.OK, 40.0))
        for count in (5, 60)
    }
    for count, one in measured.items():
        (spark,) = [one for _, one in html_tags(parsed(render(run([one])))) if one.get("class") == "spark"]
        assert [path.get("class") for path in spark.iter(f"{SVG}path")] == (["dots few"] if count == 5 else ["bars"])


def test_each_zone_has_one_word() -> None:
    zones_of = {
        name: {css for _, one in tags(name) if (css := one.get("class") or "") in {"z0", "z1", "z2", "z3"}}
        for name in ("example", "comparison")
    }
    words_of = {
        name: next(text_of(one) for _, one in tags(name) if one.get("class") == "key")
        for name in ("example", "comparison")
    }
    assert words_of["example"] == "within its targetover its targetwarningcriticalideal"
    assert zones_of["comparison"] == {"z0", "z2", "z3"}
    assert words_of["comparison"] == "not slowerwarningcritical"


def test_a_burst_on_all_endpoints_shows_as_one() -> None:
    def with_burst(name: str) -> EndpointResult:
        latencies = [40.0 if not 20 <= i < 25 else 400.0 for i in range(60)]
        return result(endpoint(name), samples(1, latencies), decision(Verdict.OK, 40.0, requests=60))

    page = render(run([with_burst("a"), with_burst("b")]))
    assert "the slowest took 10.0 times its endpoint&#x27;s median" in page


def test_an_endpoint_that_failed_says_so_in_place_of_a_value() -> None:
    down = result(
        endpoint("down"), failed(1, 5), decision(Verdict.NOT_MEASURED, None, failures=5, errors=Verdict.CRITICAL)
    )
    assert "100% of requests failed" in render(run([down]))
