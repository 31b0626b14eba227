from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from simulation.runs import HOSTILE_NAME, decision, endpoint, example_results, result, run, samples, spread, warning
from support.comparisons import comparison_run, live_run
from support.golden import check_golden

from perfcheck.model import EndpointResult, Run, Verdict
from perfcheck.report.console import render_console
from perfcheck.report.glyphs import ASCII, UNICODE, Glyphs, choose_glyphs, shorten, sparkline

GOLDEN = Path(__file__).parent / "golden"


def render(
    one: Run,
    *,
    width: int = 80,
    glyphs: Glyphs = UNICODE,
    color: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=color, color_system="standard" if color else None, markup=False
    )
    with console.capture() as captured:
        console.print(render_console(one, glyphs, width, quiet=quiet, verbose=verbose))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_report_at_widths(width: int) -> None:
    check_golden(GOLDEN / f"width-{width}.txt", render(run(), width=width))


def test_report_in_ascii() -> None:
    report = render(run(), glyphs=ASCII)
    assert report.isascii()
    check_golden(GOLDEN / "ascii.txt", report)


@pytest.mark.parametrize("width", [60, 100])
def test_comparison_at_widths(width: int) -> None:
    report = render(comparison_run(), width=width)
    assert max(map(len, report.splitlines())) <= width
    check_golden(GOLDEN / f"comparison-{width}.txt", report)


def test_comparison_of_running_services() -> None:
    check_golden(GOLDEN / "comparison-live.txt", render(live_run(), width=100))


def test_release_next_to_the_one_before() -> None:
    check_golden(GOLDEN / "release.txt", render(comparison_run(with_targets=True), width=100))


def test_quiet_report() -> None:
    check_golden(GOLDEN / "quiet.txt", render(run(), quiet=True))


def test_verbose_report() -> None:
    check_golden(GOLDEN / "verbose.txt", render(run(None, warning("the runner was busy")), width=120, verbose=True))


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(len(line) for line in render(run(), width=width).splitlines()) <= width


def healthy(count: int) -> list[EndpointResult]:
    return [result(endpoint(f"videos.{i}"), samples(1, spread(40)), decision(Verdict.OK, 40.0)) for i in range(count)]


def test_many_healthy_endpoints_are_cut_but_for_verbose() -> None:
    many = run(healthy(60))
    assert "and 20 more OK (-v shows them)" in render(many)
    assert "more OK" not in render(many, verbose=True)


def test_passing_run_says_so() -> None:
    assert render(run(healthy(2))).splitlines()[-1] == "2 OK · 10 requests in 12.3 s · exit 0: passed"


def test_hostile_name_reaches_the_terminal_as_plain_text() -> None:
    hostile = endpoint(HOSTILE_NAME)
    slow = result(hostile, samples(1, spread(800)), decision(Verdict.CRITICAL, 800.0))
    report = render(run([slow]), width=160)
    assert "\x1b" not in report
    assert "[bold]markup[/bold]" in report  # shown, not obeyed


def test_colour_marks_verdicts_only_where_requested() -> None:
    assert "\x1b[1;31mCRITICAL" in render(run(), color=True)
    assert "\x1b" not in render(run())


def test_worst_comes_first() -> None:
    shown = [line.split()[0] for line in render(run(example_results())).splitlines()[3:15] if line.split()]
    order = ["CRITICAL", "WARNING", "not", "OK"]
    verdicts = [word for word in shown if word in order]
    assert len(verdicts) == 10
    assert verdicts == sorted(verdicts, key=order.index)


@pytest.mark.parametrize(
    ("encoding", "env", "expected"),
    [
        ("utf-8", {}, UNICODE),
        ("UTF-8", {"LANG": "de_DE.UTF-8"}, UNICODE),
        ("utf-8", {"LANG": "C"}, ASCII),
        ("utf-8", {"LANG": "en_US.UTF-8", "LC_ALL": "C"}, ASCII),
        ("utf-8", {"LANG": "C", "LC_CTYPE": "C.UTF-8"}, ASCII),
        ("utf-8", {"LC_CTYPE": "C.UTF-8"}, UNICODE),
        ("utf-8", {"LC_ALL": "C.UTF-8"}, UNICODE),
        ("utf-8", {"TERM": "dumb"}, ASCII),
        ("ascii", {}, ASCII),
        ("cp1252", {}, ASCII),
    ],
)
def test_choose_glyphs(encoding: str, env: dict[str, str], expected: Glyphs) -> None:
    assert choose_glyphs(encoding, env) is expected


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("videos.list", 11, "videos.list"),
        ("videos.search.filtered", 12, "videos…tered"),
        ("abcdef", 1, "…"),
        ("", 5, ""),
    ],
)
def test_shorten(text: str, width: int, expected: str) -> None:
    assert shorten(text, width, "…") == expected
    assert len(shorten(text, width, "…")) <= max(width, 1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ""),
        ([5.0], "  · "),
        ([1.0, 10.0, 100.0, 1000.0], "····"),
        ([1.0, 1.0, 1.0, 1000.0], "∴  ·"),
        ([1.0] * 15 + [1000.0] * 5, "∷  ∷"),
        ([1.0] * 15 + [1000.0] * 6, "▇  ▃"),
        ([float("inf"), 0.0], ""),
    ],
)
def test_sparkline(values: list[float], expected: str) -> None:
    """Few samples are dots: the heights of bars would be chance."""
    assert sparkline(values, 4, UNICODE) == expected
    assert sparkline(values, 4, ASCII).isascii()
