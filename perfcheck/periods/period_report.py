"""``perfcheck report --period``: which period is meant, and its report from the history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from perfcheck import __version__
from perfcheck.errors import UsageError
from perfcheck.history.branches import other_branches
from perfcheck.model import CAPACITY, Source
from perfcheck.periods.judge.judge import PeriodJudge, judge_periods
from perfcheck.periods.judge.tally import PeriodTally, tally_runs
from perfcheck.periods.model import BaselineHistory, Period, PeriodKind, PeriodReport
from perfcheck.times import rfc3339, typed_time

if TYPE_CHECKING:
    from perfcheck.history.model import Note, PastRun
    from perfcheck.history.store import History

_LENGTHS = {PeriodKind.DAY: timedelta(days=1), PeriodKind.WEEK: timedelta(days=7)}
_RESOLUTION = timedelta(milliseconds=1)  # of the times of runs


def read_period(
    history: History, period: Period, baseline: BaselineHistory, *, branch: str, generated_at: str
) -> PeriodReport:
    """The report of ``period``, with as many runs before it as it takes to find what changed in it.

    It is of the runs of one ``branch``, "" for those without one.
    """
    [judge] = read_periods(history, [period], branch=branch)
    return judge.report(baseline, tool_version=__version__, generated_at=generated_at)


def read_periods(history: History, periods: Iterable[Period], *, branch: str) -> list[PeriodJudge]:
    """What their reports are made from: of several together, each measurement is read once."""
    notes = history.notes()
    tallies = [_tally(history, period, notes, branch) for period in periods]
    since = min((tally.since for tally in tallies), default=None)
    until = max((tally.period.until for tally in tallies), default=None)
    # Searches for a capacity are rarer than checks: the earlier runs may have none, so all of them are read.
    capacities = history.measurements(endpoint=CAPACITY, source=Source.LOAD, until=until, branch=branch)
    measured = history.measurements(since=since, until=until, branch=branch)
    others = (measurement for measurement in measured if measurement.source is not Source.LOAD)
    return judge_periods(tallies, chain(capacities, others))


def _tally(history: History, period: Period, notes: Sequence[Note], branch: str) -> PeriodTally:
    tally = tally_runs(
        period, notes, history.runs(since=period.since, until=period.until, branch=branch, newest_first=False)
    )
    tally.branch = branch or None
    tally.other_branches = other_branches(history.branches(since=period.since, until=period.until), branch)
    if tally.runs:
        for run in history.runs(until=period.since, branch=branch, limit=tally.context_runs):
            tally.add_earlier(run)
    return tally


def encode_period(report: PeriodReport) -> bytes:
    """As JSON in UTF-8 with a final newline; absent values are null.

    History of the format: perfcheck.period/1 (0.2.0), the first; its fields are those of PeriodReport.
    """
    import msgspec

    return msgspec.json.encode(report) + b"\n"


# --- Which period --------------------------------------------------------------------------------------------------


def period_of(kind: PeriodKind, since: str | None, until: str | None, now: datetime) -> Period:
    """All kinds but RELEASE, which needs a history.

    A day is the last 24 hours and a week the last 7 days, up to ``until`` or ``now``. A month is the calendar month
    (UTC) so far or, with ``until``, the whole one that ends then, or that ``until`` is in. Raises UsageError.
    """
    try:
        begin, end = _ends(kind, since, until, now)
    except OverflowError:
        remedy = "--since and --until take dates such as 2026-11-01"
        raise UsageError("the period is outside the calendar", remedy) from None
    if begin >= end:
        raise UsageError("the period ends before it begins", "--since comes before --until, which defaults to now")
    return Period(kind, rfc3339(begin), rfc3339(end))


def _ends(kind: PeriodKind, since: str | None, until: str | None, now: datetime) -> tuple[datetime, datetime]:
    end = now if until is None else _time(until, now, "--until")
    if kind is PeriodKind.SPAN:
        return _time(since or "", now, "--since"), end
    if since is not None:
        raise UsageError(f"--period {kind} takes no --since", "give --since without --period, or --until")
    if kind in _LENGTHS:
        return end - _LENGTHS[kind], end
    if until is None:
        return _first_of_month(end - _RESOLUTION), end
    begin = _first_of_month(end - _RESOLUTION)
    return begin, _first_of_month(begin + timedelta(days=32))


def release_period(history: History, since: str | None, until: str | None, *, branch: str) -> Period:
    """After the run of the previous label, up to and including the newest labelled one; or between two given runs.

    Runs with a label are those of the ``branch`` and those without one, as a build of a tag makes them. Raises
    UsageError where there are not two.
    """

    def with_label(until: str | None = None) -> Iterator[PastRun]:
        return (run for run in history.runs(until=until) if run.label and run.branch in {branch, None})

    newest = history.past_run(until) if until else next(with_label(), None)
    if newest is None:
        raise UsageError("no run in the history has a label", "label the run of a release: perfcheck history label")
    if since:
        previous = history.past_run(since)
    else:
        earlier = with_label(until=newest.started_at)
        labelled = next((run for run in earlier if run.label != newest.label), None)
        if labelled is None:
            raise UsageError(f"no labelled run before {newest.label or newest.id}", "name one: --since LABEL")
        previous = labelled
    if previous.started_at >= newest.started_at:
        raise UsageError("the run of --since is not before that of --until", "give the earlier one as --since")
    return Period(
        PeriodKind.RELEASE,
        just_after(previous.started_at),
        just_after(newest.started_at),
        previous.label or previous.id,
        newest.label or newest.id,
    )


def _first_of_month(time: datetime) -> datetime:
    return time.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _time(text: str, now: datetime, option: str) -> datetime:
    try:
        return datetime.fromisoformat(typed_time(text, now))
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def just_after(started_at: str) -> str:
    """The end of a period whose last run began then."""
    return rfc3339(datetime.fromisoformat(started_at).astimezone(UTC) + _RESOLUTION)
