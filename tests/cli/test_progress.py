from __future__ import annotations

import io
import threading
from contextlib import nullcontext, redirect_stderr
from dataclasses import replace

import pytest
from rich.console import Console

from perfcheck.cli.ui.progress import live_progress, render_progress
from perfcheck.model import EndpointProgress, Forecast, Unit, Verdict
from perfcheck.report.glyphs import ASCII, UNICODE, Glyphs


def state(
    name: str = "videos.list",
    stage: int = 1,
    requests: int = 0,
    *,
    least: int = 12,
    value_ms: float | None = None,
    verdict: Verdict | None = None,
    wait_s: float = 0.0,
) -> EndpointProgress:
    return EndpointProgress(name, stage, requests, least, value_ms, verdict, wait_s)


def forecast(
    left_s: float = 1.0, *, budget_left_s: float = 60.0, connections: int = 1, is_known: bool = True
) -> Forecast:
    return Forecast(left_s, budget_left_s, 120.0, connections, is_known)


def shown(
    *states: EndpointProgress,
    ahead: Forecast = forecast(),  # noqa: B008
    width: int = 80,
    glyphs: Glyphs = UNICODE,
    elapsed_s: float = 1.0,
    waiting_s: float = 0.0,
) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as captured:
        console.print(render_progress(states, ahead, glyphs, width, elapsed_s=elapsed_s, waiting_s=waiting_s))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_bar_of_the_time_gone_and_left() -> None:
    done = state(verdict=Verdict.OK, value_ms=40.0, requests=5)
    line, _ = shown(done, state(requests=2, value_ms=100.0), glyphs=ASCII)
    assert line == "measuring ############------------ 1 of 2 decided, about 1 s left"


def test_a_figure_of_a_page_has_its_unit() -> None:
    size = replace(state(verdict=Verdict.CRITICAL, value_ms=512_000.0, requests=5), unit=Unit.SIZE)
    assert shown(size)[1] == "  videos.list  CRITICAL 512 kB"


def test_a_full_bar_when_all_are_decided() -> None:
    (line,) = shown(state(verdict=Verdict.OK, value_ms=40.0, requests=5), ahead=forecast(0.0), glyphs=ASCII)
    assert line == "measuring ######################## 1 of 1 decided"


@pytest.mark.parametrize(
    ("ahead", "line"),
    [
        (forecast(35.4), "#----------------------- 0 of 1 decided, about 35 s left"),
        (forecast(400.0, budget_left_s=1000.0), "------------------------ 0 of 1 decided, about 7 min left"),
        (forecast(400.0, budget_left_s=20.0), "#----------------------- 0 of 1 decided, about 20 s left"),
        (forecast(35.0, connections=8), "------------- 0 of 1 decided, 8 connections, about 35 s left"),
        (forecast(35.0, is_known=False), "#----------------------- 0 of 1 decided"),
        (forecast(0.4), "#################------- 0 of 1 decided"),
    ],
)
def test_the_time_left_is_the_forecast_and_no_more_than_the_budget(ahead: Forecast, line: str) -> None:
    assert shown(state(), ahead=ahead, glyphs=ASCII)[0] == f"measuring {line}"


def test_a_long_wait_is_counted() -> None:
    line, _ = shown(state(requests=2, value_ms=100.0), glyphs=ASCII, waiting_s=7.4)
    assert line.endswith(" 0 of 1 decided, waiting 7 s")


@pytest.mark.parametrize("width", [20, 40, 60])
def test_no_line_wraps_in_a_narrow_terminal(width: int) -> None:
    lines = shown(
        state("videos.by_date.and_title", stage=2, value_ms=640.0, wait_s=2.4),
        state("a", requests=2, value_ms=9999.0),
        ahead=forecast(500.0, budget_left_s=900.0, connections=32),
        glyphs=ASCII,
        width=width,
    )
    assert len(lines) == 3
    assert max(map(len, lines)) <= width


class Terminal(io.StringIO):
    """Says when it was told of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if "waiting" in text:
            self.waiting.set()
        return super().write(text)


class Many:
    """Thousands of endpoints; counts how many it was asked for."""

    def __init__(self, endpoints: int) -> None:
        self._states = [state(verdict=Verdict.OK)] * endpoints
        self.shown = 0

    def progress(self) -> list[EndpointProgress]:
        self.shown += len(self._states)
        return self._states

    def forecast(self) -> Forecast:
        return forecast()


@pytest.mark.parametrize("endpoints", [30, 300, 3000])
def test_the_work_of_the_display_does_not_grow_with_the_endpoints(
    monkeypatch: pytest.MonkeyPatch, endpoints: int
) -> None:
    """A request a millisecond, of so many endpoints: each request is followed by two of them at the most."""
    monkeypatch.setenv("TERM", "xterm")
    requests, source, clock = 20_000, Many(endpoints), iter(range(10**9))
    monkeypatch.setattr("time.monotonic", lambda: next(clock) / 1000)
    monkeypatch.setattr("perfcheck.cli.ui.progress._every_second", lambda _: nullcontext())
    with redirect_stderr(Terminal()), live_progress() as watch:
        for _ in range(requests):
            watch(source)
    assert endpoints < source.shown <= 2 * requests + endpoints


class Hanging:
    def progress(self) -> list[EndpointProgress]:
        return [state("hanging")]

    def forecast(self) -> Forecast:
        return forecast(is_known=False)


def test_the_display_moves_while_a_request_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    with redirect_stderr(terminal), live_progress() as watch:
        watch(Hanging())
        assert terminal.waiting.wait(timeout=30)
    assert all(thread.name != "progress" for thread in threading.enumerate())


def test_endpoints_that_are_looked_at_closely_have_a_line() -> None:
    lines = shown(
        state("ok", verdict=Verdict.OK),
        state("resting", stage=2, value_ms=640.0, wait_s=2.4),
        state("again", stage=2, value_ms=640.0, requests=3),
        state("found", verdict=Verdict.CRITICAL, value_ms=812.0),
        state("first", value_ms=640.0),
        state("long", value_ms=640.0, requests=30),
    )
    assert lines[1:] == [
        "  resting  looks slow or failing; to be confirmed in 2 s",
        "  again  confirming, 3 of at least 12 requests",
        "  found  CRITICAL 812 ms",
        "  first  measuring, 0 of at least 12 requests",
        "  long  measuring, 30 requests",
    ]


def test_the_time_left_has_room_next_to_the_largest_figures() -> None:
    states = [state(verdict=Verdict.OK)] * 9_999 + [state()]
    line, _ = shown(*states, ahead=forecast(900.0, budget_left_s=900.0, connections=32), glyphs=ASCII)
    assert line.endswith(" 9999 of 10000 decided, 32 connections, about 15 min left")


def test_many_slow_endpoints_do_not_fill_the_screen() -> None:
    assert len(shown(*[state(f"e{i}", verdict=Verdict.CRITICAL) for i in range(50)])) == 7


def test_hostile_names_stay_text() -> None:
    lines = shown(state("\x1b[31m[bold]x[/bold]", verdict=Verdict.CRITICAL), glyphs=ASCII)
    assert lines[1] == "  [31m[bold]x[/bold]  CRITICAL"
