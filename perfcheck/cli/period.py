"""``perfcheck report --period``: read from the history, judged and written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from perfcheck.cli.reports import ReportTarget, parse_targets, write_all
from perfcheck.cli.ui.options import opened
from perfcheck.cli.ui.terminal import show_error
from perfcheck.errors import EXIT_OK, EXIT_USAGE, UsageError
from perfcheck.periods.baseline_history import baseline_history
from perfcheck.periods.model import PeriodKind, PeriodReport
from perfcheck.periods.period_report import encode_period, period_of, read_period, release_period
from perfcheck.times import rfc3339

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


def render_period(report: PeriodReport, target: ReportTarget, *, quiet: bool = False) -> bytes:
    """One report, as it is written."""
    if target.format == "json":
        return encode_period(report)
    if target.format == "markdown":
        from perfcheck.periods.report import markdown

        return markdown.render(report).encode()
    if target.format == "html":
        from perfcheck.periods.report import html

        return html.render(report).encode()
    from perfcheck.cli.ui.output import page
    from perfcheck.periods.report.console import render_console

    return page(
        lambda glyphs, width: render_console(report, glyphs, width, quiet=quiet), is_file=target.path is not None
    )
