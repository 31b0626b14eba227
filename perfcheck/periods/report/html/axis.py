"""The axis of dates under a chart: round dates, as many as have room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timedelta
from itertools import pairwise

from perfcheck.times import parse_time

_APART = 0.17  # fraction of the width that a label needs
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class TimeAxis:
    begin: datetime
    end: datetime

    def __call__(self, text: str) -> float:
        """The place of a time, as a fraction of the width; what is no time, or lies beyond, stands at an end."""
        time = parse_time(text)
        return 0.0 if time is None else self.place(time)

    def place(self, time: datetime) -> float:
        length = (self.end - self.begin).total_seconds() or 1.0
        return min(max((time - self.begin).total_seconds() / length, 0.0), 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and words: ``09:00``, ``18 Jun``, ``Jun``, ``2026``."""
        for candidates, words in ((_hours(self), "%H:%M"), (_days(self), "%-d %b"), (_months(self), "%b")):
            for step in candidates:
                times = list(_within(self, step))
                places = [self.place(time) for time in times]
                gaps = [after - before for before, after in pairwise(places)]
                if times and (not gaps or min(gaps) >= _APART):
                    return [(place, _words(time, words)) for place, time in zip(places, times, strict=True)]
        return []


def time_axis(times: list[str]) -> TimeAxis | None:
    """From the first to the last, with a little air; None without any."""
    known = [time for time in map(parse_time, times) if time is not None]
    if not known:
        return None
    air = max((max(known) - min(known)) * 0.02, timedelta(minutes=1))
    return TimeAxis(min(known) - air, max(known) + air)


Step = Iterator[datetime]


def _words(time: datetime, words: str) -> str:
    """A new year is told by its number."""
    if words == "%b" and time.month == 1:
        return str(time.year)
    return f"{time.day} {time:%b}" if words == "%-d %b" else f"{time:{words}}"


def _within(axis: TimeAxis, times: Step) -> Iterator[datetime]:
    for time in times:
        if time > axis.end:
            return
        if time >= axis.begin:
            yield time


def _every(begin: datetime, step: timedelta) -> Step:
    while True:
        yield begin
        begin += step


def _hours(axis: TimeAxis) -> Iterator[Step]:
    if axis.end - axis.begin < timedelta(days=2):
        midnight = axis.begin.replace(hour=0, minute=0, second=0, microsecond=0)
        for hours in (1, 3, 6, 12):
            yield _every(midnight, timedelta(hours=hours))


def _days(axis: TimeAxis) -> Iterator[Step]:
    if axis.end - axis.begin < timedelta(days=120):
        monday = axis.begin.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=axis.begin.weekday())
        for days in (1, 2, 7, 14, 28):
            yield _every(monday, timedelta(days=days))


def _months(axis: TimeAxis) -> Iterator[Step]:
    for months in (1, 2, 3, 6, 12, 24, 60, 120):
        yield _every_month(axis.begin, months)


def _every_month(begin: datetime, months: int) -> Step:
    number = begin.year * _MONTHS
    while number // _MONTHS < MAXYEAR:
        yield begin.replace(
            year=number // _MONTHS, month=number % _MONTHS + 1, day=1, hour=0, minute=0, second=0, microsecond=0
        )
        number += months
