"""``perfcheck compare``: two releases, as stored runs or as running services."""

from __future__ import annotations

import os
import random
import re
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_runs
from perfcheck.cli.ui.interrupts import Interrupts
from perfcheck.cli.ui.options import (
    baseline_option,
    budget_option,
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
    seed_option,
    verbose_option,
)
from perfcheck.demo import Regression
from perfcheck.errors import EXIT_NOT_MEASURED, EXIT_OK, CouldNotMeasureError, UsageError
from perfcheck.model import Baseline, ComparedHow, CompareLimits

if TYPE_CHECKING:
    from perfcheck.cli.app import Session
    from perfcheck.engine.run_builder import Outcome
    from perfcheck.text import Redactor

_EXAMPLES = """\b
Examples:
  perfcheck compare http://localhost:5001 http://localhost:5002    two services, side by side
  perfcheck compare --aa http://localhost:5001                     one with itself: the noise floor
  perfcheck compare v1.4.json v1.5.json                            two saved runs
  perfcheck compare v1.4 v1.5                                      two labels in the history
  perfcheck compare --demo --regress join-always                   try it on the sample service

\b
Exit codes:
  0  none is slower, or WARNING    1  CRITICAL, or what --fail-on names
  2  usage or baseline             3  could not measure
  4  a bug in perfcheck            130  interrupted
"""


_HOST_AND_PORT = re.compile(r"[\w.-]+:\d+(/|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """The command line of ``perfcheck compare``, parsed."""

    sides: tuple[str, ...]
    names: tuple[str, ...]
    aa: bool
    demo: bool
    regress: tuple[str, ...]
    baseline: str | None
    group: tuple[str, ...]
    history: str | None
    budget: float | None  # in seconds
    max_pairs: int | None
    seed: int | None
    insecure: bool
    fail_on: str
    report: tuple[str, ...]
    output: str | None
    github: bool | None
    quiet: bool
    verbose: bool

    @property
    def is_live(self) -> bool:
        return self.aa or self.demo or any(map(is_address, self.sides))


@click.command("compare", cls=Command, epilog=_EXAMPLES)
@click.argument("words", nargs=-1, metavar="BEFORE AFTER [NAME]...", shell_complete=complete_runs)
@baseline_option
@option("--aa", is_flag=True, help="Compare the one service that is named with itself: what is found is noise.")
@group_option
@option("--demo", is_flag=True, help="Start the sample service twice, the second time with what --regress names.")
@option(
    "--regress",
    multiple=True,
    type=click.Choice([str(regression) for regression in Regression]),
    metavar="NAME",
    help="With --demo: inject a regression into the second one. Repeatable.",
)
@history_option
@budget_option
@option(
    "--max-pairs",
    type=click.IntRange(min=5, max=10_000),
    metavar="N",
    help="At most this many pairs of requests an endpoint. Default: 200.",
)
@seed_option
@insecure_option
@fail_on_option
@report_option
@output_option
@github_option
@quiet_option
@verbose_option
@click.pass_obj
def command(session: Session, /, words: tuple[str, ...], **options: Any) -> int:
    """Hold one release against another, endpoint by endpoint: which became slower, by how much, and how sure that is.

    BEFORE and AFTER are both the addresses of running services, which are asked in pairs until each endpoint is
    decided; or both saved runs: files, labels or ids in the history. NAME is an endpoint, or a pattern such as
    'videos.*'.
    """
    count = 0 if options["demo"] else 1 if options["aa"] else 2
    if len(words) < count:
        needed = "--aa needs the address of the service" if options["aa"] else "BEFORE and AFTER are needed"
        raise UsageError(needed, "'perfcheck compare --help' has examples")
    parsed = CompareOptions(sides=words[:count], names=words[count:], **options)
    return compare(parsed, session)


def compare(options: CompareOptions, session: Session) -> int:
    """The whole command; returns its exit code."""
    _check(options)
    from perfcheck.cli.reporting import Reporting

    reporting = Reporting.prepare(
        options.report,
        options.output,
        github=options.github,
        quiet=options.quiet,
        verbose=options.verbose,
    )
    with Interrupts() as interrupts:
        if options.is_live:
            outcome = _live(options, session, interrupts, annotate=reporting.github)
        else:
            outcome = _stored(options, session)
        unreached = isinstance(outcome.defect, CouldNotMeasureError)
        reporting.write(outcome.run, on_screen=not unreached)  # where the error says it all
    if outcome.defect is not None:
        raise outcome.defect
    return outcome.run.exit_code


def is_address(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _check(options: CompareOptions) -> None:
    if options.regress and not options.demo:
        raise UsageError("--regress needs --demo", "perfcheck compare --demo --regress " + options.regress[0])
    for side in options.sides:
        if "://" in side and not is_address(side):
            raise UsageError(f"not an HTTP address: {side}", "it begins with http:// or https://")
    if options.aa and any(map(is_address, options.names)):
        raise UsageError("--aa takes one address", "leave it out to compare two services")
    addresses = [is_address(side) for side in options.sides]
    if options.aa and not options.demo and not all(addresses):
        raise UsageError(f"not an address: {options.sides[0]}", "--aa takes one, such as http://localhost:5001")
    if any(addresses) and not all(addresses):
        known, other = sorted(options.sides, key=is_address, reverse=True)
        remedy = (
            "compare two running services, or two saved runs; 'perfcheck run --against' holds a service against a run"
        )
        if _HOST_AND_PORT.match(other):
            remedy = f"did you mean http://{other}?"
        raise UsageError(f"{other} is no address, and {known} is one", remedy)
    if not options.is_live:
        given = [
            flag
            for flag, value in (("--budget", options.budget), ("--max-pairs", options.max_pairs))
            if value is not None
        ]
        if given:
            raise UsageError(f"{given[0]} is for running services; saved runs are compared as they are")


# --- Saved runs ----------------------------------------------------------------------------------------------------


def _stored(options: CompareOptions, session: Session) -> Outcome:
    from perfcheck.cli.past import run_named
    from perfcheck.engine.run_builder import Outcome
    from perfcheck.engine.select import select_results
    from perfcheck.judge.compare_runs import compare_runs, nothing_compared
    from perfcheck.judge.verdict import judge_run

    before, after = (run_named(side, options.history) for side in options.sides)
    after = replace(after, endpoints=select_results(after, options.names, options.group))
    if options.names or options.group:
        kept = {result.name for result in after.endpoints}
        before = replace(before, endpoints=tuple(one for one in before.endpoints if one.name in kept))
    limits = _limits(options)
    results, against, findings = compare_runs(before, after, limits, with_targets=False)
    verdict, counts, exit_code = judge_run(results, failing_verdict(options.fail_on))
    if exit_code == EXIT_OK and nothing_compared(results):
        exit_code = EXIT_NOT_MEASURED
    run = replace(
        after,
        id=str(uuid.uuid4()),
        verdict=verdict,
        counts=counts,
        exit_code=exit_code,
        findings=findings,
        endpoints=results,
        command=("perfcheck", "compare", *map(session.redact, options.sides)),
        against=against,
    )
    return Outcome(run, None)


def _limits(options: CompareOptions) -> CompareLimits:
    """Those of the baseline that was named or is found; the usual ones where there is none."""
    from perfcheck.baseline import find_baseline, load_compare_limits

    try:
        file = find_baseline(options.baseline, os.environ, Path.cwd())
    except UsageError:
        if options.baseline:
            raise
        return CompareLimits()
    return load_compare_limits(file, os.environ)


# --- Running services ----------------------------------------------------------------------------------------------


def _live(options: CompareOptions, session: Session, interrupts: Interrupts, *, annotate: bool) -> Outcome:
    from perfcheck.cli.watching import live_display, told_when_waiting
    from perfcheck.engine.compare_live import LivePlan, compare_live
    from perfcheck.text import Redactor

    with ExitStack() as stack:
        how = ComparedHow.SAME if options.aa else ComparedHow.LIVE
        addresses = _addresses(options, stack)
        before, after = (_load(options, address, annotate=annotate) for address in addresses)
        session.redact = Redactor(before.secrets | after.secrets)
        redact = session.redact
        watch = stack.enter_context(live_display(quiet=options.quiet))
        plan = LivePlan(
            before=before,
            after=after,
            how=how,
            seed=options.seed if options.seed is not None else random.SystemRandom().getrandbits(32),
            command=_rerun_command(options, redact),
            max_pairs=options.max_pairs,
            fail_on=failing_verdict(options.fail_on),
            redact=redact,
        )

        def waiting() -> AbstractContextManager[None]:
            return told_when_waiting(after.service.ready_timeout_s, quiet=options.quiet)

        return compare_live(plan, watch=watch, measured=interrupts.hold, waiting=waiting)


def _addresses(options: CompareOptions, stack: ExitStack) -> tuple[str, str]:
    """Of the service before and of the one after."""
    if not options.demo:
        return options.sides[0], options.sides[-1]
    from perfcheck.demo.demo_process import start_demo

    started: list[Sequence[str]] = [()] if options.aa else [(), options.regress]
    services = [stack.enter_context(start_demo(regressions)) for regressions in started]  # both at once
    return services[0].base_url(), services[-1].base_url()


def _load(options: CompareOptions, base_url: str, *, annotate: bool) -> Baseline:
    """The baseline for one of the services, reduced to the endpoints that were asked for."""
    from perfcheck.baseline import find_baseline
    from perfcheck.cli.loading import load_annotated
    from perfcheck.engine.select import select_endpoints

    if options.demo and options.baseline is None:
        from perfcheck.demo import demo_baseline

        file, shown_as = demo_baseline(), "sample baseline"
    else:
        file, shown_as = find_baseline(options.baseline, os.environ, Path.cwd()), None
    baseline = load_annotated(file, annotate=annotate, base_url=base_url, shown_as=shown_as)
    sampling, service = baseline.sampling, baseline.service
    if options.budget is not None:
        sampling = replace(sampling, budget_s=options.budget)
    if options.insecure:
        service = replace(service, tls=replace(service.tls, verify=False))
    endpoints = select_endpoints(baseline, options.names, options.group)
    return replace(baseline, endpoints=endpoints, sampling=sampling, service=service)


def _rerun_command(options: CompareOptions, redact: Redactor) -> tuple[str, ...]:
    """What compares an endpoint again, with its name behind it."""
    from perfcheck.client.requests import base_url_shown

    words = ["-f", options.baseline] if options.baseline else []
    words += ["--insecure"] * options.insecure + ["--aa"] * options.aa + ["--demo"] * options.demo
    for regression in options.regress:
        words += ["--regress", regression]
    words += [base_url_shown(side) for side in options.sides]
    return ("perfcheck", "compare", *map(redact, words))
