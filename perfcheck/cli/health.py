"""``perfcheck health``: the daily check of the monitor inside the service."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_endpoints, complete_files
from perfcheck.cli.ui.interrupts import Interrupts
from perfcheck.cli.ui.options import (
    baseline_option,
    duration,
    fail_on_option,
    failing_verdict,
    github_option,
    history_option,
    insecure_option,
    option,
    report_option,
    save_option,
)
from perfcheck.errors import UsageError
from perfcheck.model import Baseline, Service

if TYPE_CHECKING:
    from perfcheck.cli.app import Session
    from perfcheck.text import Redactor

_EXAMPLES = """\b
Examples:
  perfcheck health                              by the limits of baselines.yaml
  perfcheck health -u http://localhost:5001     without a baseline: what is over 500 ms
  perfcheck health --save --fail-on warning     every morning

\b
Exit codes:
  0  OK or WARNING        1  CRITICAL, or what --fail-on names
  2  usage or baseline    3  the monitor is not alive, or has no data
  4  a bug in perfcheck   130  interrupted
"""


@dataclass(frozen=True, slots=True)
class HealthOptions:
    """The command line of ``perfcheck health``, parsed."""

    names: tuple[str, ...]
    baseline: str | None
    base_url: str | None
    monitor: str | None
    threshold: float  # in seconds
    fail_on: str
    report: tuple[str, ...]
    output: str | None
    github: bool | None
    save: bool
    history: str | None
    label: str | None
    insecure: bool
    quiet: bool
    verbose: bool


@click.command("health", cls=Command, epilog=_EXAMPLES)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_endpoints)
@baseline_option
@option("-u", "--base-url", metavar="URL", help="Address of the service, in place of the baseline's base_url.")
@option(
    "--monitor",
    metavar="PATH",
    help="Path of the statistics API. Default: the baseline's service.monitor, or /api/performance.",
)
@insecure_option
@option(
    "--threshold",
    type=duration("ms"),
    default="500ms",
    show_default=True,
    help="Over this an endpoint is slow that has no limits of its own in the baseline.",
)
@fail_on_option
@report_option
@option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=complete_files,
    help="Save what was read as a run in JSON; the same as --report json=FILE.",
)
@save_option
@history_option
@github_option
@option("--label", metavar="TEXT", help="A name for this check in its reports, such as a release.")
@option("-q", "--quiet", is_flag=True, help="Only what needs attention, and the closing line.")
@option("-v", "--verbose", is_flag=True, help="Every endpoint and note, with lines of the baseline.")
@click.pass_obj
def command(session: Session, /, **options: Any) -> int:
    """Check what the monitor inside a running service has counted: is it alive, what is slow, what fails?

    Endpoints of the baseline are held against their own limits. Any other that is slow is a new slow endpoint, and a
    WARNING. Sends three requests, and measures nothing itself.

    NAME is an endpoint as the report names it, or a pattern such as 'videos.*'.
    """
    return health(HealthOptions(**options), session)


def health(options: HealthOptions, session: Session) -> int:
    """The whole command; returns its exit code."""
    from perfcheck.cli.reporting import Reporting
    from perfcheck.text import Redactor

    reporting = Reporting.prepare(
        options.report,
        options.output,
        github=options.github,
        quiet=options.quiet,
        verbose=options.verbose,
    )
    baseline = _load(options, annotate=reporting.github)
    service = _service(options, baseline)
    redact = session.redact = Redactor(baseline.secrets if baseline else _passwords(service))
    from perfcheck.engine.health import check_health

    with Interrupts() as interrupts:
        outcome = check_health(
            service,
            baseline,
            threshold_ms=options.threshold * 1000,
            label=redact.clean(options.label) if options.label else None,
            command=_rerun_command(options, redact),
            fail_on=failing_verdict(options.fail_on),
            redact=redact,
            choose=lambda names: _chosen(options.names, names),
        )
        interrupts.hold()
        reporting.write(outcome.run, on_screen=outcome.defect is None)  # where the error says it all
        if options.save:
            from perfcheck.cli.saving import save_run

            save_run(outcome.run, options.history, quiet=options.quiet)
    if outcome.defect is not None:
        raise outcome.defect
    return outcome.run.exit_code


# --- What is asked -------------------------------------------------------------------------------------------------


def _load(options: HealthOptions, *, annotate: bool) -> Baseline | None:
    """The baseline that was named or is found; none where an address is given and there is none."""
    from perfcheck.baseline import find_baseline
    from perfcheck.cli.loading import load_annotated

    try:
        file = find_baseline(options.baseline, os.environ, Path.cwd())
    except UsageError as error:
        if options.base_url:
            return None
        raise UsageError(error.message, f"{error.remedy}; without a baseline, give the address: -u URL") from error
    return load_annotated(file, annotate=annotate, base_url=options.base_url)


def _service(options: HealthOptions, baseline: Baseline | None) -> Service:
    from perfcheck.baseline.addresses import base_url_option

    service = baseline.service if baseline else Service(base_url_option(options.base_url or ""))
    if options.monitor is not None:
        if not options.monitor.startswith("/"):
            raise UsageError(f"not a path: --monitor {options.monitor}", f"did you mean '/{options.monitor}'?")
        service = replace(service, monitor=options.monitor)
    if options.insecure:
        service = replace(service, tls=replace(service.tls, verify=False))
    return service


def _passwords(service: Service) -> set[str]:
    from perfcheck.baseline.addresses import passwords_of

    return passwords_of(service.base_url)


def _chosen(patterns: Sequence[str], names: Sequence[str]) -> Sequence[str] | None:
    """The names that were asked for; None when all are. Raises UsageError for a pattern that nothing fits."""
    if not patterns:
        return None
    chosen: list[str] = []
    for pattern in patterns:
        fitting = [pattern] if pattern in names else [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:
            near = get_close_matches(pattern, names, n=1)
            remedy = f"did you mean '{near[0]}'?" if near else "'perfcheck health' without a name lists all"
            raise UsageError(f"the monitor knows no endpoint '{pattern}'", remedy)
        chosen += fitting
    return chosen


def _rerun_command(options: HealthOptions, redact: Redactor) -> tuple[str, ...]:
    """What reads the same endpoint again, with its name behind it."""
    from perfcheck.client.requests import base_url_shown
    from perfcheck.units import format_ms

    words: list[str] = []
    address = base_url_shown(options.base_url) if options.base_url else None
    for flag, value in (("-f", options.baseline), ("-u", address), ("--monitor", options.monitor)):
        words += [flag, value] if value else []
    words += ["--insecure"] * options.insecure
    threshold = format_ms(options.threshold * 1000).replace(" ", "")
    words += ["--threshold", threshold] if threshold != "500ms" else []
    return ("perfcheck", "health", *map(redact, words))
