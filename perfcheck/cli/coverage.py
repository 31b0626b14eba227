"""``perfcheck coverage``: the operations of a service that its baseline does not measure."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfcheck.cli.measuring import base_url_option
from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.options import (
    LINE,
    PERCENTAGE,
    baseline_option,
    insecure_option,
    option,
    output_option,
    quiet_option,
    verbose_option,
)
from perfcheck.cli.ui.terminal import Interrupts, show_error, status_line
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
@base_url_option
@insecure_option
@option("--min", "least", type=PERCENTAGE, help="Fail if less than this share of the operations is covered: 80%.")
@option(
    "--allow",
    multiple=True,
    type=LINE,
    metavar="OPERATION",
    help="Try what looks like an action or may change something as well, as in perfcheck init. Repeatable.",
)
@option(
    "--report",
    multiple=True,
    metavar="FORMAT",
    help="Write a report: console, json, markdown or junit. FORMAT=FILE writes it to a file, FORMAT alone to stdout. "
    "Repeatable.",
)
@output_option
@quiet_option
@verbose_option
@click.pass_obj
def command(
    session: Session,
    /,
    baseline: str | None,
    base_url: str | None,
    least: float | None,
    allow: tuple[str, ...],
    report: tuple[str, ...],
    output: str | None,
    *,
    insecure: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """List the operations of a running service that its baseline does not measure, slow and busy ones first.

    Finds operations as perfcheck init does, and sends one request to each that only reads. Each that is not covered
    comes with the lines that would measure it. Operations that may change something, look like an action or are
    deprecated do not count.
    """
    from perfcheck.cli.reports import parse_targets, write_all
    from perfcheck.report.coverage_report import is_enough

    targets = parse_targets(report, output)
    for target in targets:
        if target.format not in _FORMATS:
            raise UsageError(f"coverage has no {target.format} report", f"it can be {', '.join(_FORMATS)}")
    with Interrupts():
        coverage = _coverage(session, baseline, base_url, allow, insecure=insecure, quiet=quiet)
    render = partial(_render, coverage, least, quiet=quiet, verbose=verbose)
    errors = [error for _, error in write_all(targets, render, quiet=quiet) if error is not None]
    for error in errors:
        show_error(error)
    if not is_enough(coverage, least):
        return EXIT_CRITICAL
    return EXIT_USAGE if errors else EXIT_OK


def _coverage(
    session: Session,
    file: str | None,
    base_url: str | None,
    allow: tuple[str, ...],
    *,
    insecure: bool,
    quiet: bool,
) -> Coverage:
    from perfcheck.baseline import find_baseline, load_baseline
    from perfcheck.client.client import Client
    from perfcheck.engine.coverage import coverage
    from perfcheck.engine.discover import discover
    from perfcheck.engine.selection import override
    from perfcheck.text import Redactor

    path = find_baseline(file, os.environ, Path.cwd())
    baseline = override(load_baseline(path, os.environ, base_url=base_url), insecure=insecure)
    session.redact = redact = Redactor(baseline.secrets)
    with status_line(quiet=quiet) as show, Client(baseline.service, redact=redact) as client:
        show("looking for operations")
        client.wait_until_ready(baseline.endpoints)
        found = discover(
            baseline.service, client, allowed=allow, progress=lambda done, total: show(f"trying {done}/{total}")
        )
        return coverage(baseline, found, client.fetch)


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
