"""``perfcheck report --period``: what the history holds of a while, read, judged and written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perfcheck import __version__
from perfcheck.errors import UsageError
from perfcheck.periods.judge import judge_period, tally_runs
from perfcheck.periods.model import BaselineHistory, Period, PeriodReport, TargetChange
from perfcheck.text import clean

if TYPE_CHECKING:
    from perfcheck.history.store import History
    from perfcheck.periods.revisions import Revision


def read_period(history: History, period: Period, baseline: BaselineHistory, *, generated_at: str) -> PeriodReport:
    """The report of ``period``, with as much of the history before it as it takes to tell what changed in it."""
    runs = history.runs(since=period.since, until=period.until, newest_first=False)
    tally = tally_runs(period, history.notes(), runs)
    since = period.since
    if tally.runs:
        for run in history.runs(until=period.since, limit=tally.context_runs):
            tally.add_earlier(run)
            since = run.started_at
    measurements = history.measurements(since=since, until=period.until)
    return judge_period(tally, measurements, baseline, tool_version=__version__, generated_at=generated_at)


# --- The baseline's own history ------------------------------------------------------------------------------------


def baseline_history(named: str | None, period: Period) -> BaselineHistory:
    """The targets that moved in the period, by the commits of the baseline. Raises UsageError for a named file only."""
    from perfcheck.baseline import find_baseline
    from perfcheck.periods.revisions import NoRevisionsError, revisions

    try:
        file = find_baseline(named, os.environ, Path.cwd())
    except UsageError as error:
        return BaselineHistory("", message=error.message)
    if named and not file.exists():
        raise UsageError(f"there is no baseline {named}", "name the file with -f, or leave it out")
    try:
        return _changes(file, [*revisions(file, period.since, period.until)], period)
    except NoRevisionsError as error:
        return BaselineHistory(clean(str(file)), message=str(error))


def _changes(file: Path, found: Sequence[Revision], period: Period) -> BaselineHistory:
    from perfcheck.periods.target_history import AllTargets, changed_targets, targets_in

    changes: list[TargetChange] = []
    before: AllTargets = {}
    unreadable = 0
    within = [one for one in found if one.committed_at >= period.since]
    for one in found:
        after = {} if one.content is None else targets_in(one.content, file.parent)
        if after is None:
            unreadable += one in within
            continue
        if one in within:
            changes += changed_targets(before, after, one.commit, one.committed_at, one.subject)
        before = after
    return BaselineHistory(clean(str(file)), tuple(changes), len(within), unreadable)
