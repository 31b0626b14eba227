"""``perfcheck run``: the check."""

from __future__ import annotations

import os
import random
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_endpoints, complete_runs
from perfcheck.cli.ui.interrupts import Interrupts
from perfcheck.cli.ui.options import (
    baseline_option,
    budget_option,
    compare_to_option,
    fail_on_option,
    failing_verdict,
    github_option,
    group_option,
    history_option,
    insecure_option,
    option,
    output_option,
    quiet_option,
    report_option,
    save_option,
    seed_option,
    verbose_option,
)
from perfcheck.cli.watching import live_display, told_when_waiting
from perfcheck.demo import Regression, demo_baseline
from perfcheck.engine.select import select_endpoints
from perfcheck.errors import EXIT_OK, CouldNotMeasureError, UsageError
from perfcheck.model import Baseline, Endpoint, Metric, Run

if TYPE_CHECKING:
    from perfcheck.cli.app import Session
    from perfcheck.demo.demo_process import DemoProcess
    from perfcheck.text import Redactor

REQUESTS_TO_COMPARE = 30  # five prove a healthy median, and are too few to see that it became slower
_PATIENCE_OF_A_HOOK_S = 2.0  # with a service that may be down
_EXAMPLES = """\b
Examples:
  perfcheck run --demo                       try it on a sample service
  perfcheck run                              every endpoint of baselines.yaml
  perfcheck run 'videos.*' -g core           some of them
  perfcheck run -u http://localhost:8000 -o results.json
  perfcheck run --budget 15s --fail-on warning
  perfcheck run --save --label v1.5 --against v1.4    before a release
  perfcheck run --save --label v1.4          keep it: perfcheck history

\b
Exit codes:
  0  OK or WARNING        1  CRITICAL, or what --fail-on names
  2  usage or baseline    3  could not measure
  4  a bug in perfcheck   130  interrupted
"""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The command line of ``perfcheck run``, parsed."""

    names: tuple[str, ...]
    baseline: str | None
    base_url: str | None
    group: tuple[str, ...]
    metric: str | None
    label: str | None
    budget: float | None  # in seconds
    min_requests: int | None
    max_requests: int | None
    confirm: int | None
    fail_on: str
    report: tuple[str, ...]
    output: str | None
    save: bool
    history: str | None
    compare_to: str | None
    against: str | None
    github: bool | None  # None: where GitHub Actions runs it
    seed: int | None
    insecure: bool
    require_service: bool
    demo: bool
    regress: tuple[str, ...]
    quiet: bool
    verbose: bool


@click.command("run", cls=Command, epilog=_EXAMPLES)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_endpoints)
@baseline_option
@option("-u", "--base-url", metavar="URL", help="Address of the service, in place of the baseline's base_url.")
@group_option
@option(
    "--metric",
    type=click.Choice([str(metric) for metric in Metric]),
    metavar="METRIC",
    help="Judge every endpoint by this metric: median, p75, p90, p95, p99 or mean.",
)
@option("--label", metavar="TEXT", help="A name for this run in its reports, such as a release.")
@budget_option
@option(
    "--min-requests",
    type=click.IntRange(5, 10_000),
    metavar="N",
    help="At least this many requests an endpoint: more for a later comparison to go by.  "
    "Default: 5, or the baseline's.",
)
@option(
    "--max-requests",
    type=click.IntRange(min=5),
    metavar="N",
    help="At most this many requests an endpoint and stage. Default: as many as it takes, up to the metric's most.",
)
@option(
    "--confirm",
    type=click.IntRange(0, 2),
    metavar="0|1|2",
    help="Measure a WARNING or CRITICAL again this often, on fresh data. Default: 1, or the baseline's.",
)
@fail_on_option
@report_option
@output_option
@save_option
@history_option
@compare_to_option
@option(
    "--against",
    metavar="RUN",
    shell_complete=complete_runs,
    help="Hold the release against this earlier one (a file, or a label or id in the history): what became slower is "
    "one more reason for a verdict. Asks each endpoint at least 30 times.",
)
@github_option
@seed_option
@insecure_option
@option(
    "--require-service/--skip-unreachable",
    default=True,
    help="Whether a service that does not answer fails the check, or skips it with a line that says so.  "
    "Default: it fails.",
)
@option("--demo", is_flag=True, help="Start the sample service on a free port, check it, stop it.")
@option(
    "--regress",
    multiple=True,
    type=click.Choice([str(regression) for regression in Regression]),
    metavar="NAME",
    help="With --demo: inject a regression (perfcheck demo --help). Repeatable.",
)
@quiet_option
@verbose_option
@click.pass_obj
def command(session: Session, /, **options: Any) -> int:
    """Check a running service: measure every endpoint of the baseline, and judge it against its targets.

    NAME is an endpoint of the baseline, or a pattern such as 'videos.*'.
    """
    context = click.get_current_context()

    def give_way(name: str) -> None:
        """What the environment holds for every command is not meant against what was typed."""
        if context.get_parameter_source(name) is ParameterSource.ENVIRONMENT:
            options[name] = () if name == "regress" else None

    for name in ("base_url", "baseline") if options["demo"] else ("regress",):
        give_way(name)
    return run(RunOptions(**options), session)


def run(options: RunOptions, session: Session) -> int:
    """The whole command; returns its exit code."""
    if options.regress and not options.demo:
        raise UsageError("--regress needs --demo", "perfcheck run --demo --regress " + options.regress[0])
    if options.demo and options.base_url:
        raise UsageError("--demo and --base-url name two services", "leave one of them out")
    from perfcheck.cli.reporting import Reporting
    from perfcheck.text import Redactor

    if options.against and options.compare_to:
        raise UsageError("--against and --compare-to both name an earlier run", "--against shows the changes as well")
    before = _earlier_run(options)
    reporting = Reporting.prepare(
        options.report,
        options.output,
        compare_to=options.compare_to,
        history=options.history,
        github=options.github,
        quiet=options.quiet,
        verbose=options.verbose,
    )
    with Interrupts() as interrupts:
        with _demo_service(options) as demo:
            from perfcheck.engine.check import check  # while the sample service starts

            baseline, known = _load(options, demo.base_url() if demo else options.base_url, annotate=reporting.github)
            session.redact = Redactor(baseline.secrets)
            with live_display(quiet=options.quiet) as watch:
                outcome = check(
                    baseline,
                    seed=options.seed if options.seed is not None else random.SystemRandom().getrandbits(32),
                    label=session.redact.clean(options.label) if options.label else None,
                    command=_rerun_command(options, session.redact),
                    max_requests=options.max_requests,
                    fail_on=failing_verdict(options.fail_on),
                    redact=session.redact,
                    watch=watch,
                    measured=interrupts.hold,
                    waiting=lambda: told_when_waiting(baseline.service.ready_timeout_s, quiet=options.quiet),
                    known=known,
                    coverage=before is not None,
                )
        if before is not None:
            from perfcheck.engine.against import held_against

            whole = not options.names and not options.group
            outcome = held_against(outcome, before, baseline.compare, failing_verdict(options.fail_on), whole=whole)
        if isinstance(outcome.defect, CouldNotMeasureError) and outcome.defect.is_down and not options.require_service:
            return _skipped(outcome.defect, annotate=reporting.github)
        unreached = isinstance(outcome.defect, CouldNotMeasureError)
        reporting.write(outcome.run, on_screen=not unreached)  # where the error says it all
        if options.save:
            from perfcheck.cli.saving import save_run

            save_run(outcome.run, options.history, quiet=options.quiet)
    if outcome.defect is not None:
        raise outcome.defect
    return outcome.run.exit_code


def _skipped(reason: CouldNotMeasureError, *, annotate: bool) -> int:
    """Loud, since a check that is skipped without a word is soon believed to have passed."""
    from perfcheck.cli.ui.terminal import show_warning

    message = f"SKIPPED, nothing was checked and no report was written: {reason.message}"
    show_warning(message, f"{reason.remedy or 'start the service'}; --require-service fails instead")
    if annotate:
        from perfcheck.report.workflow_commands import workflow_command

        click.echo(workflow_command("warning", message, title="perfcheck"), err=True)
    return EXIT_OK


# --- Before the run ------------------------------------------------------------------------------------------------


def _demo_service(options: RunOptions) -> AbstractContextManager[DemoProcess | None]:
    if not options.demo:
        return nullcontext()
    from perfcheck.demo.demo_process import start_demo

    return start_demo(options.regress)


def _earlier_run(options: RunOptions) -> Run | None:
    """Read before anything is measured, so that a mistake costs no measurement."""
    if not options.against:
        return None
    from perfcheck.cli.past import run_named

    return run_named(options.against, options.history)


def _load(options: RunOptions, base_url: str | None, *, annotate: bool) -> tuple[Baseline, tuple[Endpoint, ...]]:
    """The baseline with the command line's overrides, reduced to the endpoints that were asked for; and all it has."""
    from perfcheck.baseline import find_baseline
    from perfcheck.cli.loading import load_annotated

    if options.demo and options.baseline is None:
        file, shown_as = demo_baseline(), "sample baseline"
    else:
        file, shown_as = find_baseline(options.baseline, os.environ, Path.cwd()), None
    baseline = load_annotated(file, annotate=annotate, base_url=base_url, shown_as=shown_as)
    endpoints = select_endpoints(baseline, options.names, options.group)
    if options.metric is not None:
        endpoints = tuple(replace(endpoint, metric=Metric(options.metric)) for endpoint in endpoints)
    least = options.min_requests or (REQUESTS_TO_COMPARE if options.against else 0)
    endpoints = tuple(replace(one, min_requests=max(one.min_requests, least)) for one in endpoints)
    sampling = baseline.sampling
    if options.budget is not None:
        sampling = replace(sampling, budget_s=options.budget)
    if options.confirm is not None:
        sampling = replace(sampling, confirm=options.confirm)
    service = baseline.service
    if options.insecure:
        service = replace(service, tls=replace(service.tls, verify=False))
    if not options.require_service:
        service = replace(service, ready_timeout_s=min(service.ready_timeout_s, _PATIENCE_OF_A_HOOK_S))
    return replace(baseline, endpoints=endpoints, sampling=sampling, service=service), baseline.endpoints


# --- During and after it -------------------------------------------------------------------------------------------


def _rerun_command(options: RunOptions, redact: Redactor) -> tuple[str, ...]:
    """What checks an endpoint again, with its name behind it: the same service and baseline, with the usual budget."""
    from perfcheck.client.requests import base_url_shown

    words: list[str] = []
    address = base_url_shown(options.base_url) if options.base_url else None
    for flag, value in (("-f", options.baseline), ("-u", address), ("--metric", options.metric)):
        words += [flag, value] if value else []
    words += ["--against", options.against] if options.against else []
    words += ["--insecure"] * options.insecure + ["--demo"] * options.demo
    for regression in options.regress:
        words += ["--regress", regression]
    return ("perfcheck", "run", *map(redact, words))
