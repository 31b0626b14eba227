"""``perfcheck report``: a saved run rendered again, or a period of the history reported on."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_files, complete_labels
from perfcheck.cli.ui.options import (
    baseline_option,
    branch_option,
    compare_to_option,
    history_option,
    opened,
    option,
    report_option,
)
from perfcheck.cli.ui.terminal import show_error
from perfcheck.errors import EXIT_OK, EXIT_USAGE, UsageError
from perfcheck.periods.model import PeriodKind
from perfcheck.times import rfc3339

if TYPE_CHECKING:
    from perfcheck.cli.reports import ReportTarget
    from perfcheck.periods.model import PeriodReport

_EXAMPLES = """\b
Examples:
  perfcheck report --period week                            for the weekly review
  perfcheck report --period month --report html=month.html
  perfcheck report --period month --until 2026-11-01        October 2026
  perfcheck report --period release                         since the previous labelled run
  perfcheck report --period release --since v2.3 --until v2.4
  perfcheck report --since 90d --report json

\b
A saved run:
  perfcheck run -o results.json              save a run, with every sample
  perfcheck report --from results.json --report html=report.html
  perfcheck report --from results.json --compare-to previous.json

\b
Periods, all in UTC:
  day, week  the last 24 hours, the last 7 days, up to now or --until
  month      the calendar month so far; with --until, the month that contains that date or ends at it
  release    after the previous labelled run, up to and including the newest

\b
Exit codes:
  0  written, whatever the verdict
  2  no such run or history, a usage error, or not written
"""
_FORMATS_OF_PERIODS = ("console", "json", "markdown", "html")
_KINDS = [str(kind) for kind in PeriodKind if kind is not PeriodKind.SPAN]


@click.command("report", cls=Command, epilog=_EXAMPLES)
@option(
    "--from",
    "source",
    metavar="FILE",
    shell_complete=complete_files,
    help="A run saved with -o; '-' reads it from stdin.",
)
@option("--period", type=click.Choice(_KINDS), help="Report on this period of the history instead of a run.")
@option(
    "--since",
    metavar="DATE|LABEL",
    shell_complete=complete_labels,
    help="Start of the period: 2026-11-01, or 7d or 4w ago; for a release, the label of the run before it.",
)
@option(
    "--until",
    metavar="DATE|LABEL",
    shell_complete=complete_labels,
    help="End of the period, exclusive; for a release, the label of its run. Default: now.",
)
@branch_option
@history_option
@baseline_option
@report_option
@compare_to_option
@option("--github/--no-github", default=False, help="Annotations, job summary and outputs for GitHub Actions.")
@option("-q", "--quiet", is_flag=True, help="Console: only what needs attention, and the closing line.")
@option("-v", "--verbose", is_flag=True, help="Console: every endpoint and note, and the environment.")
def command(
    source: str | None,
    period: str | None,
    since: str | None,
    until: str | None,
    branch: str | None,
    history: str | None,
    baseline: str | None,
    report: tuple[str, ...],
    **options: Any,
) -> int:
    """Report on a period of the history: what got slower or faster and with which run, what is slow, what is new.

    Or, with --from, render a saved run in any format. Nothing is measured or judged again. A period is reported as
    console, json, markdown or html.
    """
    if (source is None) == (period is None and since is None) or (source is not None and until is not None):
        message = "nothing to report on" if source is None else "--from reports one run, --period and --since many"
        raise UsageError(message, "give one of --from FILE, --period week, or --since 30d")
    if source is not None:
        from perfcheck.cli.reports import Reporting
        from perfcheck.engine.saved_runs import find_run

        run = find_run(source, history)
        return EXIT_OK if Reporting(report, None, history=history, **options).write(run) else EXIT_USAGE
    for name in ("compare_to", "github"):
        if options[name]:
            raise UsageError(f"--{name.replace('_', '-')} goes with --from, not with a period", "leave it out")
    kind = PeriodKind(period) if period else PeriodKind.SPAN
    quiet = options["quiet"]
    return _period(kind, since, until, branch, history=history, baseline=baseline, reports=report, quiet=quiet)


# --- A period of the history ---------------------------------------------------------------------------------------


def _period(
    kind: PeriodKind,
    since: str | None,
    until: str | None,
    branch: str | None,
    *,
    history: str | None,
    baseline: str | None,
    reports: Sequence[str],
    quiet: bool,
) -> int:
    from perfcheck.cli.reports import parse_targets, write_all
    from perfcheck.engine.default_branch import branch_of_series
    from perfcheck.periods.baseline_history import baseline_history
    from perfcheck.periods.period_report import period_of, read_period, release_period

    targets = parse_targets(reports, None)
    for target in targets:
        if target.format not in _FORMATS_OF_PERIODS:
            remedy = f"a period can be {', '.join(_FORMATS_OF_PERIODS)}; {target.format} needs a run: --from FILE"
            raise UsageError(f"a period has no {target.format} report", remedy)
    gc.disable()  # the process is short, and looking for cycles in what is read takes a tenth of it
    now = datetime.now(UTC)
    with opened(history) as store:
        branch = branch_of_series(store, branch)
        is_release = kind is PeriodKind.RELEASE
        period = (
            release_period(store, since, until, branch=branch) if is_release else period_of(kind, since, until, now)
        )
        changes = baseline_history(baseline, period)
        report = read_period(store, period, changes, branch=branch, generated_at=rfc3339(now))
    results = write_all(targets, lambda target: _render(report, target, quiet=quiet), quiet=quiet)
    errors = [error for _, error in results if error is not None]
    for error in errors:
        show_error(error)
    return EXIT_USAGE if errors else EXIT_OK


def _render(report: PeriodReport, target: ReportTarget, *, quiet: bool) -> bytes:
    if target.format == "json":
        from perfcheck.periods.period_report import encode_period

        return encode_period(report)
    if target.format in {"markdown", "html"}:
        module = importlib.import_module(f"perfcheck.periods.report.{target.format}")
        render: Callable[[PeriodReport], str] = module.render
        return render(report).encode()
    from perfcheck.cli.ui.output import page
    from perfcheck.periods.report.console import render_console

    return page(
        lambda glyphs, width: render_console(report, glyphs, width, quiet=quiet), is_file=target.path is not None
    )
