"""``perfcheck health``: the daily check of the monitor inside the service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.measuring import (
    Frame,
    Options,
    base_url_option,
    carry_out,
    label_option,
    rerun_command,
    shared_options,
)
from perfcheck.cli.services import service_of
from perfcheck.cli.ui.commands import Command, exit_codes
from perfcheck.cli.ui.completers import complete_endpoints
from perfcheck.cli.ui.options import duration, history_option, option, save_option, start_option
from perfcheck.cli.ui.terminal import waiting_line
from perfcheck.errors import UsageError
from perfcheck.model import Baseline

if TYPE_CHECKING:
    from perfcheck.cli.app import Session
    from perfcheck.engine.session import Outcome

_EXAMPLES = """\b
Examples:
  perfcheck health                              limits of baselines.yaml
  perfcheck health -u http://localhost:5001     no baseline: slow is over 500 ms
  perfcheck health --save --fail-on warning     every morning
"""
_EXIT_CODES = exit_codes(not_measured="the monitor is not alive, or has no data")


@click.command("health", cls=Command, epilog=_EXAMPLES + _EXIT_CODES)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_endpoints)
@shared_options
@base_url_option
@start_option
@option(
    "--monitor",
    metavar="PATH",
    help="Path of the statistics API. Default: the baseline's service.monitor, or /api/performance.",
)
@option(
    "--threshold",
    type=duration("ms"),
    default="500ms",
    show_default=True,
    help="Limit for endpoints that have none in the baseline.",
)
@save_option
@history_option
@label_option
@click.pass_obj
def command(session: Session, /, **options: Any) -> int:
    """Check the figures of the monitor inside a running service: is it alive, what is slow, what fails?

    Endpoints of the baseline are judged by their own limits. Any other slow endpoint is new, and a WARNING. Sends three
    requests and measures nothing itself.

    NAME is an endpoint as named in the report, or a pattern such as 'videos.*'.
    """
    return carry_out(Options(**options), session, check_monitor)


def check_monitor(frame: Frame) -> Outcome:
    options = frame.options
    with service_of(frame, partial(_load, frame)) as (baseline, process):
        from perfcheck.engine.health import check_health
        from perfcheck.engine.session import Callbacks

        waiting = partial(waiting_line, quiet=options.quiet)
        return check_health(
            baseline,
            names=options.names,
            threshold_ms=options.threshold * 1000,
            fail_on=options.lowest_failing,
            label=options.label,
            command=rerun_command("health", options),
            process=process,
            callbacks=Callbacks(measured=frame.interrupts.hold, waiting=waiting),
        )


def _load(frame: Frame, address: str | int | None) -> Baseline:
    """The baseline that was named or is found; one without endpoints where only an address is known."""
    try:
        frame.baseline_file()
    except UsageError as error:
        if not address:
            raise UsageError(error.message, f"{error.remedy}; without a baseline, give the address: -u URL") from error
        from perfcheck.baseline.from_urls import baseline_of_service

        (baseline,) = frame.prepare(
            baseline_of_service(f"http://127.0.0.1:{address}" if isinstance(address, int) else address)
        )
        return baseline
    (baseline,) = frame.load(address)
    return baseline
