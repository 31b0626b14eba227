from __future__ import annotations

from dataclasses import replace

import pytest

from perfcheck.cli.ui.announcement import Announcement, announcement
from perfcheck.model import EndpointProgress, Forecast

AHEAD = Forecast(left_s=35.4, budget_left_s=110.0, budget_s=120.0, connections=8, is_known=True)


@pytest.mark.parametrize(
    ("endpoints", "forecast", "line"),
    [
        (300, AHEAD, "300 endpoints, about 35 s over 8 connections"),
        (1, replace(AHEAD, connections=1), "1 endpoint, about 35 s, one request at a time"),
        (
            9,
            replace(AHEAD, connections=1, rate_per_s=0.5),
            "9 endpoints, about 35 s, one request at a time, at most 30/min",
        ),
        (300, replace(AHEAD, left_s=400.0, budget_left_s=880.0), "300 endpoints, about 7 min over 8 connections"),
        (
            300,
            replace(AHEAD, left_s=360.0),
            (
                "300 endpoints, about 6 min over 8 connections; "
                "the budget of 2 min ends before all are decided, --budget 7m would do"
            ),
        ),
    ],
)
def test_what_the_measuring_will_take(endpoints: int, forecast: Forecast, line: str) -> None:
    assert announcement(endpoints, forecast) == line


class Source:
    def __init__(self, *forecasts: Forecast) -> None:
        self._forecasts = list(forecasts)

    def progress(self) -> list[EndpointProgress]:
        return [EndpointProgress("a", 1, 0, 5, None, None)] * 300

    def forecast(self) -> Forecast:
        return self._forecasts.pop(0)


def test_it_is_made_once_and_only_when_known(capsys: pytest.CaptureFixture[str]) -> None:
    announce, source = Announcement(), Source(replace(AHEAD, is_known=False), AHEAD, AHEAD, AHEAD)
    for _ in range(4):
        announce(source)
    assert capsys.readouterr().err == "300 endpoints, about 35 s over 8 connections\n"


def test_what_takes_little_time_is_not_announced(capsys: pytest.CaptureFixture[str]) -> None:
    announce, source = Announcement(), Source(replace(AHEAD, left_s=9.0), replace(AHEAD, left_s=5.0))
    announce(source)
    announce(source)
    assert capsys.readouterr().err == ""


def test_much_more_time_than_announced_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    lefts = (9.0, 30.0, 80.0, 120.0, 200.0)
    announce, source = Announcement(), Source(*(replace(AHEAD, left_s=left, budget_left_s=900.0) for left in lefts))
    for _ in lefts:
        announce(source)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"300 endpoints, about {left} over 8 connections" for left in ("30 s", "2 min")]


def test_a_long_wait_is_announced_once(capsys: pytest.CaptureFixture[str]) -> None:
    ahead = replace(AHEAD, is_known=False)
    limited = [replace(ahead, limited_s=s) for s in (30.0, 29.9, 0.0, 5.0, 0.0, 60.0)]
    announce, source = Announcement(), Source(*limited)
    for _ in limited:
        announce(source)
    lines = [f"the service limits requests (429): waiting {s} s\n" for s in (30, 60)]
    assert capsys.readouterr().err == "".join(lines)
