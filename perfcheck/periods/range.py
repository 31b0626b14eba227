"""Which period is meant: ``--period``, ``--since`` and ``--until`` as times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from perfcheck.errors import UsageError
from perfcheck.periods.model import Period, PeriodKind
from perfcheck.times import rfc3339, typed_time

if TYPE_CHECKING:
    from perfcheck.history.store import History

_LENGTHS = {PeriodKind.DAY: timedelta(days=1), PeriodKind.WEEK: timedelta(days=7)}
_MOMENT = timedelta(milliseconds=1)  # what times of runs are counted in


def period_of(kind: PeriodKind, since: str | None, until: str | None, now: datetime) -> Period:
    """All but RELEASE, which takes a history.

    A day is the last 24 hours and a week the last 7 days, up to ``until`` or ``now``. A month is the calendar month
    (UTC) so far or, with ``until``, the whole one that ends then, or that ``until`` lies in. Raises UsageError.
    """
    try:
        return _period_of(kind, since, until, now)
    except OverflowError:
        raise UsageError(
            "the period lies outside of the calendar", "--since and --until take dates such as 2026-11-01"
        ) from None


def _period_of(kind: PeriodKind, since: str | None, until: str | None, now: datetime) -> Period:
    end = now if until is None else _time(until, now, "--until")
    if kind is PeriodKind.SPAN:
        return _period(kind, _time(since or "", now, "--since"), end)
    if since is not None:
        raise UsageError(f"--period {kind} says itself where it begins", "give --since without --period, or --until")
    if kind is not PeriodKind.MONTH:
        return _period(kind, end - _LENGTHS[kind], end)
    if until is None:
        return _period(kind, _first_of_month(end), end)
    begin = _first_of_month(end - _MOMENT)
    return _period(kind, begin, _first_of_month(begin + timedelta(days=32)))


def release_period(history: History, since: str | None, until: str | None) -> Period:
    """After the run of the previous label, up to and with the newest labelled one; or between two runs that are named.

    Raises UsageError where there are not two.
    """
    newest = history.past_run(until) if until else next((run for run in history.runs() if run.label), None)
    if newest is None:
        raise UsageError("no run in the history has a label", "give a release its name: perfcheck history label")
    if since:
        previous = history.past_run(since)
    else:
        before = (run for run in history.runs(until=newest.started_at) if run.label and run.label != newest.label)
        found = next(before, None)
        if found is None:
            name = newest.label or newest.id
            raise UsageError(f"there is no labelled run before {name}", "name the one before: --since LABEL")
        previous = found
    if previous.started_at >= newest.started_at:
        raise UsageError("the run of --since is not before that of --until", "name the earlier one in --since")
    return Period(
        PeriodKind.RELEASE,
        _just_after(previous.started_at),
        _just_after(newest.started_at),
        previous.label or previous.id,
        newest.label or newest.id,
    )


def _first_of_month(time: datetime) -> datetime:
    return time.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _time(text: str, now: datetime, name: str) -> datetime:
    try:
        return datetime.fromisoformat(typed_time(text, now))
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def _period(kind: PeriodKind, since: datetime, until: datetime) -> Period:
    if since >= until:
        raise UsageError("the period ends before it begins", "--since comes before --until, which is now by default")
    return Period(kind, rfc3339(since), rfc3339(until))


def _just_after(started_at: str) -> str:
    return rfc3339(datetime.fromisoformat(started_at).astimezone(UTC) + _MOMENT)
