"""``perfcheck compare``: two releases, as saved runs or as running services."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.measuring import (
    Frame,
    Options,
    carry_out,
    check_demo_options,
    regress_option,
    rerun_command,
    shared_options,
)
from perfcheck.cli.services import sample_services
from perfcheck.cli.ui.commands import Command, exit_codes
from perfcheck.cli.ui.completers import complete_runs
from perfcheck.cli.ui.options import (
    budget_option,
    connections_option,
    group_option,
    history_option,
    option,
    seed_option,
)
from perfcheck.errors import UsageError
from perfcheck.model import ComparedHow

if TYPE_CHECKING:
    from perfcheck.cli.app import Session
    from perfcheck.engine.session import Outcome

_HOST_AND_PORT = re.compile(r"[\w.-]+:\d+(/|$)", re.ASCII)
_EXAMPLES = """\b
Examples:
  perfcheck compare http://localhost:5001 http://localhost:5002
  perfcheck compare --aa http://localhost:5001     the noise floor
  perfcheck compare v1.4.json v1.5.json            two saved runs
  perfcheck compare v1.4 v1.5                      two labels in the history
  perfcheck compare --demo --regress join-always   try it
"""


@click.command("compare", cls=Command, epilog=_EXAMPLES + exit_codes(passed="none slower, or WARNING"))
@click.argument("words", nargs=-1, metavar="BEFORE AFTER [NAME]...", shell_complete=complete_runs)
@shared_options
@option("--aa", is_flag=True, help="Compare one service with itself: any difference is noise.")
@group_option
@option("--demo", is_flag=True, help="Compare two sample services, the second with the regressions of --regress.")
@regress_option
@history_option
@budget_option
@connections_option
@option(
    "--max-pairs",
    type=click.IntRange(min=5, max=10_000),
    metavar="N",
    help="At most this many pairs of requests per endpoint. Default: 200.",
)
@seed_option
@click.pass_obj
def command(session: Session, /, words: tuple[str, ...], **options: Any) -> int:
    """Compare two releases, endpoint by endpoint: which became slower, by how much, and with what confidence.

    BEFORE and AFTER are either the addresses of two running services, which are measured in pairs of requests until
    each endpoint is decided, or two saved runs: files, labels or ids in the history. NAME is an endpoint, or a pattern
    such as 'videos.*'.
    """
    count = 0 if options["demo"] else 1 if options["aa"] else 2
    if len(words) < count:
        missing = "--aa needs the address of the service" if options["aa"] else "BEFORE and AFTER are needed"
        raise UsageError(missing, "'perfcheck compare --help' has examples")
    given = Options(sides=words[:count], names=words[count:], **options)
    check_demo_options(given, "compare")
    _check_sides(given)
    if given.aa or given.demo or any(map(_is_address, given.sides)):
        return carry_out(given, session, _compare_live)
    only_live = {"--budget": given.budget, "--connections": given.connections, "--max-pairs": given.max_pairs}
    for flag, value in only_live.items():
        if value is not None:
            raise UsageError(f"{flag} is for running services; saved runs are compared as they are")
    return carry_out(given, session, _compare_saved)


def _compare_saved(frame: Frame) -> Outcome:
    from perfcheck.engine.saved_runs import compare_saved, find_earlier_run, limits_in_force

    options = frame.options
    before, after = (find_earlier_run(side, options.history) for side in options.sides)
    return compare_saved(
        before,
        after,
        names=options.names,
        groups=options.group,
        limits=limits_in_force(options.baseline),
        fail_on=options.lowest_failing,
        command=("perfcheck", "compare", *options.sides),
    )


def _compare_live(frame: Frame) -> Outcome:
    from perfcheck.engine.compare_live import compare_live

    options = frame.options
    regressions = ([()] if options.aa else [(), options.regress]) if options.demo else []
    with sample_services(*regressions) as samples:
        addresses = [sample.url for sample in samples] or options.sides
        before, after = frame.load(addresses[0], addresses[-1])
        with frame.callbacks() as callbacks:
            return compare_live(
                before,
                after,
                names=options.names,
                groups=options.group,
                how=ComparedHow.SAME if options.aa else ComparedHow.LIVE,
                fail_on=options.lowest_failing,
                command=rerun_command("compare", options),
                max_pairs=options.max_pairs,
                seed=options.seed,
                processes=samples,
                callbacks=callbacks,
            )


# --- What is compared ----------------------------------------------------------------------------------------------


def _is_address(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _check_sides(options: Options) -> None:
    for side in options.sides:
        if "://" in side and not _is_address(side):
            raise UsageError(f"not an HTTP address: {side}", "an address begins with http:// or https://")
    if options.aa and any(map(_is_address, options.names)):
        raise UsageError("--aa takes one address", "leave it out to compare two services")
    addresses = [side for side in options.sides if _is_address(side)]
    others = [side for side in options.sides if not _is_address(side)]
    if options.aa and others:
        raise UsageError(f"not an address: {others[0]}", "--aa takes one, such as http://localhost:5001")
    if addresses and others:
        remedy = (
            "compare two running services, or two saved runs; 'perfcheck run --against' compares a service with a run"
        )
        if _HOST_AND_PORT.match(others[0]):
            remedy = f"did you mean http://{others[0]}?"
        raise UsageError(f"{addresses[0]} is an address, and {others[0]} is not", remedy)
