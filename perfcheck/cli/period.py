"""``perfcheck report --period``: what the history holds of a while, read, judged and written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from perfcheck import __version__
from perfcheck.cli.app import show_error
from perfcheck.cli.history_options import opened
from perfcheck.cli.moments import rfc3339
from perfcheck.cli.period_of import period_of, release_period
from perfcheck.cli.reports import ReportTarget, parse_targets, write_all
from perfcheck.errors import EXIT_OK, EXIT_USAGE, UsageError
from perfcheck.judge.period import judge_period, tally_runs
from perfcheck.period import BaselineHistory, Period, PeriodKind, PeriodReport, TargetChange
from perfcheck.text import clean

if TYPE_CHECKING:
    from perfcheck.record.history import History
    from perfcheck.record.revisions import Revision

FORMATS = ("console", "json", "markdown", "html")


def report_on_period(
    kind: PeriodKind,
    since: str | None,
    until: str | None,
    *,
    history: str | None,
    baseline: str | None,
    reports: Sequence[str],
    quiet: bool,
) -> int:
    """The whole command; returns its exit code. Raises UsageError."""
    targets = parse_targets(reports, None)
    for target in targets:
        if target.format not in FORMATS:
            remedy = f"a period is reported as {', '.join(FORMATS)}; {target.format} takes a run: --from FILE"
            raise UsageError(f"there is no {target.format} report of a period", remedy)
    now = datetime.now(UTC)
    with opened(history) as store:
        release = kind is PeriodKind.RELEASE
        period = release_period(store, since, until) if release else period_of(kind, since, until, now)
        report = read_period(store, period, baseline_history(baseline, period), generated_at=rfc3339(now))
    problems = [
        problem
        for _, problem in write_all(targets, lambda target: render_period(report, target, quiet=quiet), quiet=quiet)
        if problem is not None
    ]
    for problem in problems:
        show_error(problem)
    return EXIT_USAGE if problems else EXIT_OK


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


def render_period(report: PeriodReport, target: ReportTarget, *, quiet: bool = False) -> bytes:
    """One report, as it is written."""
    if target.format == "json":
        from perfcheck.record.period_file import encode_period

        return encode_period(report)
    if target.format == "markdown":
        from perfcheck.report.period import markdown

        return markdown.render(report).encode()
    if target.format == "html":
        from perfcheck.report.period import html

        return html.render(report).encode()
    from perfcheck.cli.pages import page
    from perfcheck.report.period.console import render_console

    return page(
        lambda glyphs, width: render_console(report, glyphs, width, quiet=quiet), is_file=target.path is not None
    )


# --- The baseline's own history ------------------------------------------------------------------------------------


def baseline_history(named: str | None, period: Period) -> BaselineHistory:
    """The targets that moved in the period, by the commits of the baseline. Raises UsageError for a named file only."""
    from perfcheck.baseline import find_baseline
    from perfcheck.record.revisions import NoRevisionsError, revisions

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
    from perfcheck.baseline.targets import AllTargets, changed_targets, targets_in

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
