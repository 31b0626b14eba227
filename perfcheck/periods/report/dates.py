"""Times and spans of time, in words. All are UTC."""

from __future__ import annotations

from datetime import datetime, timedelta

from perfcheck.periods.model import Moment, Period, PeriodKind
from perfcheck.text import clean
from perfcheck.times import parse_time

_SHORT_HASH = 10
_LONGEST_LABEL = 60


def day(text: str) -> str:
    """``18 June 2026``; what is no time is shown as it is."""
    time = parse_time(text)
    return clean(text, 40) if time is None else f"{time.day} {time:%B %Y}"


def minute(text: str) -> str:
    """``18 June 2026, 03:00 UTC``."""
    time = parse_time(text)
    return clean(text, 40) if time is None else f"{time.day} {time:%B %Y, %H:%M} UTC"


def short_commit(commit: str) -> str:
    return clean(commit[:_SHORT_HASH])


def run_in_words(moment: Moment) -> str:
    """``the run of 18 June 2026, 03:00 UTC, v2.6, commit 0123abcdef``."""
    label = f", {clean(moment.label, _LONGEST_LABEL)}" if moment.label else ""
    commit = f", commit {short_commit(moment.commit)}" if moment.commit else ""
    return f"the run of {minute(moment.started_at)}{label}{commit}"


def title(period: Period) -> str:
    """``November 2026``, ``Week to 25 November 2026``, ``Release v2.6``."""
    begin, end = parse_time(period.since), parse_time(period.until)
    if period.kind is PeriodKind.RELEASE:
        return f"Release {clean(period.until_label or '', _LONGEST_LABEL)}"
    if begin is None or end is None:
        return f"{clean(period.since, 40)} to {clean(period.until, 40)}"
    last = end - timedelta(milliseconds=1)
    if period.kind is PeriodKind.MONTH:
        return f"{begin:%B %Y}"
    if period.kind is PeriodKind.SPAN:
        return f"{begin.day} {begin:%B %Y} to {last.day} {last:%B %Y}"
    return f"{period.kind.capitalize()} to {last.day} {last:%B %Y}"


def span(period: Period) -> str:
    """Exactly, as the head of a report has it."""
    begin, end = parse_time(period.since), parse_time(period.until)
    if begin is None or end is None:
        return f"{clean(period.since, 40)} to {clean(period.until, 40)}"
    if period.kind is PeriodKind.RELEASE:
        before, after = (clean(label or "", _LONGEST_LABEL) for label in (period.since_label, period.until_label))
        return f"after {before} ({minute(period.since)}) up to and with {after} ({minute(period.until)})"
    what = {
        PeriodKind.DAY: "the 24 hours",
        PeriodKind.WEEK: "the 7 days",
        PeriodKind.MONTH: "the calendar month" if _is_midnight(end) and end.day == 1 else "the calendar month so far,",
        PeriodKind.SPAN: "the runs",
    }[period.kind]
    return f"{what} from {_edge(begin)} to {_edge(end, is_end=True)}"


def _edge(time: datetime, *, is_end: bool = False) -> str:
    """The end of a day is told by that day."""
    if _is_midnight(time):
        shown = time - timedelta(days=1) if is_end else time
        return f"{shown.day} {shown:%B %Y}"
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def _is_midnight(time: datetime) -> bool:
    return (time.hour, time.minute, time.second) == (0, 0, 0)


def next_period(period: Period) -> str:
    """What the last section is about: ``Next month``."""
    return {PeriodKind.RELEASE: "Next release", PeriodKind.SPAN: "Next"}.get(period.kind, f"Next {period.kind}")
