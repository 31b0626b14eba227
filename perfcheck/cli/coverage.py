"""``perfcheck coverage``: the operations of a service that its baseline does not measure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.discovery import Sources, discovered, discovery_options, require_operations
from perfcheck.cli.measuring import Options
from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_files
from perfcheck.cli.ui.options import PERCENTAGE, baseline_option, option
from perfcheck.cli.ui.terminal import show_error
from perfcheck.errors import EXIT_CRITICAL, EXIT_OK, EXIT_USAGE, UsageError

if TYPE_CHECKING:
    from perfcheck.cli.app import Session
    from perfcheck.cli.reports import ReportTarget
    from perfcheck.model.coverage import Coverage

_EXAMPLES = """\b
Examples:
  perfcheck coverage                     what baselines.yaml lacks
  perfcheck coverage --min 80%           fail below it
  perfcheck coverage --report markdown   for a comment

\b
Exit codes:
  0  covered, or no --min     1  below --min
  2  usage or baseline error  3  could not measure
  4  a bug in perfcheck       130  interrupted
"""
_FORMATS = ("console", "json", "markdown", "junit")


@click.command("coverage", cls=Command, epilog=_EXAMPLES)
@baseline_option
@discovery_options
@option("--min", "least", type=PERCENTAGE, help="Fail if less than this share of the operations is covered: 80%.")
@option(
    "--report",
    multiple=True,
    metavar="FORMAT",
    help="Write a report: console, json, markdown or junit. FORMAT=FILE writes it to a file, FORMAT alone to stdout. "
    "Repeatable.",
)
@option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=complete_files,
    help="Save the coverage as JSON; same as --report json=FILE.",
)
@click.pass_obj
def command(session: Session, /, least: float | None, **options: Any) -> int:
    """List the operations of a running service that its baseline does not measure, slow and busy ones first.

    Finds operations as perfcheck init does, and sends one request to each that only reads. Each that is not covered
    comes with the lines that would measure it. Operations that may change something, look like an action, are
    deprecated or never end do not count.
    """
    from perfcheck.cli.reports import parse_targets, write_all
    from perfcheck.report.coverage_report import is_enough

    sources, given = Sources.taken_from(options), Options(**options)
    targets = parse_targets(given.report, given.output)
    for target in targets:
        if target.format not in _FORMATS:
            raise UsageError(f"coverage has no {target.format} report", f"it can be {', '.join(_FORMATS)}")
    with discovered(session, given, lambda frame, address: frame.load(address)[0], sources) as found:
        from perfcheck.engine.coverage import coverage

        require_operations(found.discovery, found.client.base_url_shown)
        result = coverage(found.baseline, found.discovery, found.client.fetch)
    render = partial(_render, result, least, quiet=given.quiet, verbose=given.verbose)
    errors = [error for _, error in write_all(targets, render, quiet=given.quiet) if error is not None]
    for error in errors:
        show_error(error)
    if not is_enough(result, least):
        return EXIT_CRITICAL
    return EXIT_USAGE if errors else EXIT_OK


def _render(coverage: Coverage, least: float | None, target: ReportTarget, *, quiet: bool, verbose: bool) -> bytes:
    from perfcheck.report import coverage_report as reports

    if target.format == "console":
        text = f"{reports.headline(coverage, least)}\n" if quiet else reports.text(coverage, least, verbose=verbose)
        return text.encode(errors="replace")
    renderers: dict[str, Callable[[Coverage, float | None], str]] = {
        "json": reports.as_json,
        "markdown": reports.as_markdown,
        "junit": reports.as_junit,
    }
    return renderers[target.format](coverage, least).encode()
