from __future__ import annotations

import io
from dataclasses import dataclass

import pytest
from rich.console import Console

from perfcheck.model import Verdict
from perfcheck.report.glyphs import ASCII, UNICODE, Glyphs
from perfcheck.report.progress import render_progress, seconds_left


@dataclass(frozen=True)
class State:
    endpoint: str = "videos.list"
    stage: int = 1
    requests: int = 0
    least: int = 12
    value_ms: float | None = None
    verdict: Verdict | None = None
    wait_s: float = 0.0
    gap_s: float = 0.0


def shown(*states: State, width: int = 80, glyphs: Glyphs = UNICODE, elapsed_s: float = 1.0) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as captured:
        console.print(render_progress(states, glyphs, width, elapsed_s=elapsed_s))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_bar_of_the_time_gone_and_left() -> None:
    done = State(verdict=Verdict.OK, value_ms=40.0, requests=5)
    line, _ = shown(done, State(requests=2, value_ms=100.0), glyphs=ASCII)
    assert line == "measuring ############------------ 1 of 2 decided, about 1 s left"


def test_a_full_bar_when_all_are_decided() -> None:
    (line,) = shown(State(verdict=Verdict.OK, value_ms=40.0, requests=5), glyphs=ASCII)
    assert line == "measuring ######################## 1 of 1 decided"


def test_endpoints_that_are_looked_at_closely_have_a_line() -> None:
    lines = shown(
        State("ok", verdict=Verdict.OK),
        State("resting", stage=2, value_ms=640.0, wait_s=2.4),
        State("again", stage=2, value_ms=640.0, requests=3),
        State("found", verdict=Verdict.CRITICAL, value_ms=812.0),
        State("first", value_ms=640.0),
        State("long", value_ms=640.0, requests=30),
    )
    assert lines[1:] == [
        "  resting  looks slow or failing; measured again in 2 s",
        "  again  measuring again, 3 of at least 12 requests",
        "  found  CRITICAL 812 ms",
        "  first  measuring, 0 of at least 12 requests",
        "  long  measuring, 30 requests",
    ]


def test_many_slow_endpoints_do_not_fill_the_screen() -> None:
    assert len(shown(*[State(f"e{i}", verdict=Verdict.CRITICAL) for i in range(50)])) == 7


def test_hostile_names_stay_text() -> None:
    lines = shown(State("\x1b[31m[bold]x[/bold]", verdict=Verdict.CRITICAL), glyphs=ASCII)
    assert lines[1] == "  [31m[bold]x[/bold]  CRITICAL"


@pytest.mark.parametrize(
    ("states", "seconds"),
    [
        ([], 0.0),
        ([State(verdict=Verdict.OK, value_ms=100.0)], 0.0),
        ([State(requests=2, value_ms=100.0)], 1.0),
        ([State(requests=2, value_ms=100.0), State(requests=2)], 2.0),
        ([State(stage=2, requests=0, value_ms=10.0, wait_s=3.0, gap_s=0.75)], 12.0),
    ],
)
def test_seconds_left(states: list[State], seconds: float) -> None:
    assert seconds_left(states) == pytest.approx(seconds)
