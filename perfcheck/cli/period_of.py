"""Which period is meant: ``--period``, ``--since`` and ``--until`` as times."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from perfcheck.errors import UsageError
from perfcheck.period import Period, PeriodKind

if TYPE_CHECKING:
    from perfcheck.record.history import History

_AGO = re.compile(r"(\d{1,5})([hdw])", re.ASCII)
_HOURS = {"h": 1, "d": 24, "w": 168}
_LENGTHS = {PeriodKind.DAY: timedelta(days=1), PeriodKind.WEEK: timedelta(days=7)}


def period_of(kind: str | None, since: str | None, until: str | None, now: datetime) -> Period:
    """All but RELEASE. A day is the last 24 hours and a week the last 7 days, up to ``until`` or now.

    A month is the calendar month (UTC) so far, or the whole one that ``until`` lies in. Raises UsageError.
    """
    if kind is None:
        begin, end = _time(since or "", now, "--since"), now if until is None else _end(until, now)
        return _period(PeriodKind.SPAN, begin, end)
    if since is not None:
        raise UsageError(f"--period {kind} says itself where it begins", "give --since without --period, or --until")
    if kind == PeriodKind.MONTH:
        return _month(until, now)
    end = now if until is None else _end(until, now)
    return _period(PeriodKind(kind), end - _LENGTHS[PeriodKind(kind)], end)


def release_period(history: History, since: str | None, until: str | None) -> Period:
    """After the run of the previous label, up to and with the newest labelled one; or between two runs that are named.

    Raises UsageError where there are not two.
    """
    newest = history.past_run(until) if until else next((run for run in history.runs() if run.label), None)
    if newest is None:
        raise UsageError("no run in the history has a label", "label the run of a release: perfcheck run --label v1.0")
    if since:
        previous = history.past_run(since)
    else:
        before = history.runs(until=newest.started_at)
        found = next((run for run in before if run.label and run.label != newest.label), None)
        if found is None:
            raise UsageError(
                f"there is no labelled run before {newest.label or newest.id[:8]}", "name the one before: --since LABEL"
            )
        previous = found
    if previous.started_at >= newest.started_at:
        raise UsageError("--since is not before --until", "name the earlier run in --since")
    return Period(
        PeriodKind.RELEASE,
        _just_after(previous.started_at),
        _just_after(newest.started_at),
        previous.label or previous.id[:8],
        newest.label or newest.id[:8],
    )


def _month(until: str | None, now: datetime) -> Period:
    if until is None:
        return _period(PeriodKind.MONTH, _first_of_month(now), now)
    begin = _first_of_month(_time(until, now, "--until"))
    following = _first_of_month(begin + timedelta(days=32))
    return _period(PeriodKind.MONTH, begin, following)


def _first_of_month(time: datetime) -> datetime:
    return time.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _end(text: str, now: datetime) -> datetime:
    """A date is meant with all of its day."""
    time = _time(text, now, "--until")
    return time + timedelta(days=1) if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else time


def _time(text: str, now: datetime, name: str) -> datetime:
    if ago := _AGO.fullmatch(text):
        try:
            return now - timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
        except OverflowError:
            raise UsageError(f"{name} {text} is too long ago", "write a date, as in 2026-11-01") from None
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        remedy = "write a date, as in 2026-11-01, or how long ago, as in 7d, 4w or 12h"
        raise UsageError(f"{name}: '{text}' is no date", remedy) from None


def _period(kind: PeriodKind, since: datetime, until: datetime) -> Period:
    if since >= until:
        raise UsageError("the period ends before it begins", "--since comes before --until")
    return Period(kind, _text(since), _text(until))


def _just_after(started_at: str) -> str:
    time = datetime.fromisoformat(started_at).astimezone(UTC)
    return _text(time + timedelta(milliseconds=1))


def _text(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
