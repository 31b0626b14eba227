"""What run, compare and health share: their options, and the way from the baseline to reports and an exit code."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from perfcheck.cli.ui.options import (
    baseline_option,
    fail_on_option,
    github_option,
    insecure_option,
    on_option,
    opened,
    option,
    output_option,
    quiet_option,
    report_option,
    verbose_option,
)
from perfcheck.cli.ui.terminal import Interrupts, live_display, show_error, show_warning, waiting_line
from perfcheck.demo import Regression
from perfcheck.errors import EXIT_OK, EXIT_USAGE, CouldNotMeasureError, UsageError
from perfcheck.model import Baseline, ErrorProof, Metric, Run, Verdict
from perfcheck.words import did_you_mean_url, short_run

if TYPE_CHECKING:
    from perfcheck.cli.app import Session
    from perfcheck.engine.session import Callbacks, Outcome

F = TypeVar("F", bound=Callable[..., Any])

_TIMEOUT_TO_SKIP_S = 2.0  # for a service that may be down: a hook must not hold up its user
_DEFAULT_THRESHOLD = "500ms"


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of run, compare or health; what a command has no option for keeps its default."""

    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()  # what is checked without a baseline
    sides: tuple[str, ...] = ()  # what is compared: addresses or saved runs, none with --demo
    baseline: str | None = None
    base_url: str | None = None
    start: str | None = None  # command; "" for that of the baseline, None to start nothing
    monitor: str | None = None
    group: tuple[str, ...] = ()
    aa: bool = False
    demo: bool = False
    regress: tuple[str, ...] = ()
    budget: float | None = None  # in seconds
    connections: int | Literal["auto"] | None = None
    rate: float | None = None  # per second
    errors: str | None = None
    min_requests: int | None = None
    max_requests: int | None = None
    max_pairs: int | None = None
    setup: str | None = None
    setup_inputs: tuple[str, ...] = ()
    copy: tuple[str, ...] = ()
    confirm: int | None = None
    seed: int | None = None
    insecure: bool = False
    require_service: bool = True
    metric: str | None = None
    target: float | None = None  # in seconds, of each URL
    threshold: float = 0.5  # in seconds
    against: str | None = None
    fail_on: str = "critical"
    allow_partial: bool = False
    report: tuple[str, ...] = ()
    on: str = "always"
    output: str | None = None
    save: bool = False
    history: str | None = None
    compare_to: str | None = None
    browser_files: Path | None = None
    github: bool | None = None  # None: where GitHub Actions runs it
    label: str | None = None
    quiet: bool = False
    verbose: bool = False

    @property
    def lowest_failing(self) -> Verdict | None:
        """The lowest verdict that fails the check; None: no verdict does."""
        return None if self.fail_on == "never" else Verdict(self.fail_on.upper())


def shared_options(command: F) -> F:
    """The options that all three commands have."""
    decorators = (
        baseline_option,
        insecure_option,
        fail_on_option,
        report_option,
        on_option,
        output_option,
        github_option,
        quiet_option,
        verbose_option,
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


base_url_option = option(
    "-u", "--base-url", metavar="URL", help="Address of the service; overrides base_url of the baseline."
)
label_option = option("--label", metavar="TEXT", help="Name of this run in reports and history, such as a release.")
regress_option = option(
    "--regress",
    multiple=True,
    type=click.Choice([str(regression) for regression in Regression]),
    metavar="NAME",
    help="With --demo: inject a regression (see perfcheck demo --help). Repeatable.",
)


@dataclass(slots=True)
class Frame:
    """What surrounds the work of one command."""

    options: Options
    session: Session
    interrupts: Interrupts
    annotate: bool  # for GitHub

    def baseline_file(self) -> tuple[Path, str | None]:
        """The file, and what it is called in messages if not by its path. Raises UsageError when there is none."""
        from perfcheck.baseline import find_baseline

        if self.options.demo and self.options.baseline is None:
            from perfcheck.demo import demo_baseline

            return demo_baseline(), "sample baseline"
        try:
            return find_baseline(self.options.baseline, os.environ, Path.cwd()), None
        except UsageError as error:
            urls = filter(None, map(did_you_mean_url, self.options.names))
            raise UsageError(error.message, next(urls, error.remedy)) from error

    def load(self, *addresses: str | int | None, file: tuple[Path, str | None] | None = None) -> list[Baseline]:
        """The baseline for the service at each address, with the values of the command line.

        An address is a URL, a port of this machine on which the service is started, or None for that of the baseline.
        ``file`` as from ``baseline_file``, where it is another one.
        """
        if self.options.urls:
            return self._of_urls()
        from perfcheck.baseline import BaselineError

        path, shown_as = file or self.baseline_file()
        try:
            baselines = [_load_for(address, path, shown_as) for address in addresses]
        except BaselineError as error:
            if self.annotate:
                from perfcheck.cli.reports import annotate_baseline

                annotate_baseline(error)
            raise
        return self.prepare(*baselines)

    def _of_urls(self) -> list[Baseline]:
        from perfcheck.baseline.from_urls import baseline_of_urls

        target_s = self.options.target
        return self.prepare(baseline_of_urls(self.options.urls, None if target_s is None else target_s * 1000))

    def prepare(self, *baselines: Baseline) -> list[Baseline]:
        """With the values of the command line in place of their own. From here on no message shows their secrets."""
        from perfcheck.engine.selection import override
        from perfcheck.text import Redactor

        options = self.options
        self.session.redact = Redactor(secret for baseline in baselines for secret in baseline.secrets)
        return [
            override(
                baseline,
                metric=Metric(options.metric) if options.metric else None,
                min_requests=options.min_requests,
                budget_s=options.budget,
                connections=options.connections,
                rate_per_s=options.rate,
                errors=ErrorProof(options.errors) if options.errors else None,
                confirm=options.confirm,
                monitor=options.monitor,
                insecure=options.insecure,
                ready_timeout_s=None if options.require_service else _TIMEOUT_TO_SKIP_S,
            )
            for baseline in baselines
        ]

    @contextmanager
    def callbacks(self) -> Iterator[Callbacks]:
        """Shows on stderr how the measuring goes. Once it is done, an interruption no longer costs the reports."""
        from perfcheck.engine.session import Callbacks

        quiet = self.options.quiet
        with live_display(quiet=quiet) as progress:
            yield Callbacks(progress, self.interrupts.hold, lambda timeout_s: waiting_line(timeout_s, quiet=quiet))


def carry_out(options: Options, session: Session, work: Callable[[Frame], Outcome]) -> int:
    """Do the ``work`` of a command, write its reports, and return its exit code."""
    from perfcheck.cli.reports import Reporting

    reporting = Reporting(
        options.report,
        options.output,
        compare_to=options.compare_to,
        history=options.history,
        github=options.github,
        quiet=options.quiet,
        verbose=options.verbose,
        on_change=_on_change(options),
    )
    with Interrupts() as interrupts:
        outcome = work(Frame(options, session, interrupts, reporting.github))
        error = outcome.error
        has_steps = outcome.run.capacity is not None and outcome.run.capacity.steps  # up to an error of the generator
        unreached = isinstance(error, CouldNotMeasureError) and not has_steps
        if isinstance(error, CouldNotMeasureError) and error.is_down and not options.require_service:
            return _skipped(error, annotate=reporting.github)
        written = reporting.write(outcome.run, on_screen=not unreached)  # where the error says it all
        if options.save:
            _save(outcome.run, options.history, quiet=options.quiet)
    if error is not None:
        raise error
    return outcome.run.exit_code or (EXIT_OK if written else EXIT_USAGE)  # nobody may read a report that is not there


def _on_change(options: Options) -> bool:
    """Raises UsageError where there would be nothing to compare the verdict with."""
    if options.on == "change" and not options.save:
        raise UsageError("--on change needs --save", "the verdict is compared with that of the last saved run")
    return options.on == "change"


def _load_for(address: str | int | None, file: Path, shown_as: str | None) -> Baseline:
    from perfcheck.baseline import load_baseline

    if isinstance(address, int):
        return load_baseline(file, os.environ, port=address, shown_as=shown_as)
    return load_baseline(file, os.environ, base_url=address, shown_as=shown_as)


def check_demo_options(options: Options, command: str) -> None:
    if options.demo and options.start is not None:
        raise UsageError("--demo and --start name two services", "leave one of them out")
    if options.regress and not options.demo:
        raise UsageError("--regress needs --demo", f"perfcheck {command} --demo --regress {options.regress[0]}")


def rerun_command(command: str, options: Options) -> tuple[str, ...]:
    """The words that, followed by its name, check an endpoint again: same service and baseline, usual budget.

    URLs are among the words, and no name follows.
    """
    from perfcheck.client.prepared_request import without_password
    from perfcheck.text import without_credentials
    from perfcheck.units import format_duration, format_rate

    threshold = format_duration(options.threshold * 1000)
    values = {
        "-f": options.baseline,
        "--start": without_credentials(options.start or ""),
        "-u": without_password(options.base_url) if options.base_url else None,
        "--monitor": options.monitor,
        "--metric": options.metric,
        "--rate": None if options.rate is None else format_rate(options.rate),
        "--target": None if options.target is None else format_duration(options.target * 1000),
        "--threshold": None if threshold == _DEFAULT_THRESHOLD else threshold,
        "--against": options.against,
        "--setup": without_credentials(options.setup or ""),
    }
    flags = {
        "--start=": options.start == "",
        "--insecure": options.insecure,
        "--aa": options.aa,
        "--demo": options.demo,
    }
    words = [word for flag, value in values.items() if value for word in (flag, value)]
    words += [flag for flag, is_set in flags.items() if is_set]
    repeated = {"--regress": options.regress, "--setup-inputs": options.setup_inputs, "--copy": options.copy}
    words += [word for flag, values in repeated.items() for value in values for word in (flag, value)]
    return ("perfcheck", command, *words, *map(without_password, (*options.sides, *options.urls)))


# --- On stderr -----------------------------------------------------------------------------------------------------


def _skipped(reason: CouldNotMeasureError, *, annotate: bool) -> int:
    """Loud, since a check that is skipped silently is soon believed to have passed."""
    message = f"SKIPPED, nothing was checked and no report was written: {reason.message}"
    show_warning(message, f"{reason.remedy or 'start the service'}; --require-service fails instead")
    if annotate:
        from perfcheck.report.workflow_commands import workflow_command

        click.echo(workflow_command("warning", message, title="perfcheck"), err=True)
    return EXIT_OK


def _save(run: Run, history: str | None, *, quiet: bool) -> None:
    """After the reports; a history that cannot be used is reported, and changes nothing else."""
    try:
        with opened(history, create=True) as store:
            store.save(run)
            location = store.shown
    except UsageError as error:
        also = "-o FILE keeps the run, and 'perfcheck history import FILE' imports it later"
        show_error(f"the run was not saved: {error.message}", f"{error.remedy}; {also}" if error.remedy else also)
        return
    if not quiet:
        with contextlib.suppress(OSError):
            click.echo(f"saved {short_run(run.id)} in {location}", err=True)
