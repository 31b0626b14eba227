"""``perfcheck compare``: two versions, as commits, as running services or as saved runs."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

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
from perfcheck.cli.ui.completers import complete_files, complete_sides
from perfcheck.cli.ui.options import (
    budget_option,
    connections_option,
    group_option,
    history_option,
    option,
    rate_option,
    seed_option,
)
from perfcheck.errors import UsageError
from perfcheck.model import ComparedHow
from perfcheck.words import did_you_mean_url

if TYPE_CHECKING:
    from perfcheck.cli.app import Session
    from perfcheck.engine.session import Outcome
    from perfcheck.history.model import NoSuchRunError

_EXAMPLES = """\b
Examples:
  perfcheck compare main HEAD --start 'flask run'  two commits
  perfcheck compare http://localhost:5001 http://localhost:5002
  perfcheck compare --aa http://localhost:5001     the noise floor
  perfcheck compare v1.4.json v1.5.json            two saved runs
  perfcheck compare v1.4 v1.5                      two labels in the history
  perfcheck compare --demo --regress join-always   try it
"""


@click.command("compare", cls=Command, epilog=_EXAMPLES + exit_codes(passed="none slower, or WARNING"))
@click.argument("words", nargs=-1, metavar="BEFORE AFTER [NAME]...", shell_complete=complete_sides)
@shared_options
@option("--aa", is_flag=True, help="Compare one service with itself: any difference is noise.")
@group_option
@option("--demo", is_flag=True, help="Compare two sample services, the second with the regressions of --regress.")
@regress_option
@history_option
@budget_option
@connections_option
@rate_option
@option(
    "--max-pairs",
    type=click.IntRange(min=5, max=10_000),
    metavar="N",
    help="At most this many pairs of requests per endpoint. Default: 200.",
)
@seed_option
@option(
    "--start",
    is_flag=False,
    flag_value="",
    metavar="[CMD]",
    help="BEFORE and AFTER are git refs: start the service of each with this shell command, in a checkout, and compare "
    "the two. It has to listen on $PORT, which also replaces {port} in it. Without CMD: service.start of the baseline.",
)
@option(
    "--setup",
    metavar="CMD",
    help="With --start: run this first in each checkout, such as the installation of its packages.",
)
@option(
    "--setup-inputs",
    multiple=True,
    metavar="GLOB",
    help="With --setup: keep its result for the next comparison, as long as the files that match stay the same, such "
    "as 'requirements*.txt'. Repeatable.",
)
@option(
    "--copy",
    multiple=True,
    metavar="FILE",
    shell_complete=complete_files,
    help="With --start: copy this file or folder, which git ignores, from the working tree into each checkout. "
    "Repeatable.",
)
@click.pass_obj
def command(session: Session, /, words: tuple[str, ...], **options: Any) -> int:
    """Compare two versions, endpoint by endpoint: which became slower, by how much, and with what confidence.

    BEFORE and AFTER are, with --start, two commits, by any name that git has for them, '.' being the working tree as it
    is; or the addresses of two running services; or two saved runs: files, labels or ids in the history. Services are
    measured in pairs of requests until each endpoint is decided. NAME is an endpoint, or a pattern such as 'videos.*'.
    """
    count = 0 if options["demo"] else 1 if options["aa"] else 2
    if len(words) < count:
        missing = "--aa needs the address of the service" if options["aa"] else "BEFORE and AFTER are needed"
        taken = f"; --start has taken '{options['start']}' as its command" if options["start"] else ""
        raise UsageError(f"{missing}{taken}", "'perfcheck compare --help' has examples")
    if options["demo"] or options["aa"] or any(map(_is_address, words[:count])):
        options = _without_start_of_environment(options)
    given = Options(sides=words[:count], names=words[count:], **options)
    check_demo_options(given, "compare")
    if given.start is not None:
        from perfcheck.cli.comparing_refs import compare_refs

        _check_refs(given)
        return carry_out(given, session, compare_refs)
    for flag, value in {"--setup": given.setup, "--setup-inputs": given.setup_inputs, "--copy": given.copy}.items():
        if value:
            raise UsageError(f"{flag} needs --start", "perfcheck compare main HEAD --start 'flask run'")
    _check_sides(given)
    if given.aa or given.demo or any(map(_is_address, given.sides)):
        return carry_out(given, session, _compare_live)
    only_live: dict[str, object] = {
        "--budget": given.budget,
        "--connections": given.connections,
        "--rate": given.rate,
        "--max-pairs": given.max_pairs,
    }
    for flag, limit in only_live.items():
        if limit is not None:
            raise UsageError(f"{flag} is for running services; saved runs are compared as they are")
    return carry_out(given, session, _compare_saved)


def _compare_saved(frame: Frame) -> Outcome:
    from perfcheck.engine.saved_runs import compare_saved, find_earlier_run, limits_in_force
    from perfcheck.history.model import NoSuchRunError

    options = frame.options
    try:
        before, after = (find_earlier_run(side, options.history) for side in options.sides)
    except NoSuchRunError as error:
        _suggest_start(error, options.sides)
        raise
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
                redact=frame.session.redact,
            )


# --- What is compared ----------------------------------------------------------------------------------------------


def _is_address(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _without_start_of_environment(options: dict[str, Any]) -> dict[str, Any]:
    """Where it is not two commits that are compared, what the environment sets for all commands is not for this one."""
    source = click.get_current_context().get_parameter_source
    of_commits = ("start", "setup", "setup_inputs", "copy")
    unused = {name for name in of_commits if source(name) is ParameterSource.ENVIRONMENT}
    return {name: value for name, value in options.items() if name not in unused}


def _check_refs(options: Options) -> None:
    if options.aa:
        raise UsageError("--aa and --start exclude each other", "name one commit twice instead")
    for side in options.sides:
        if _is_address(side):
            raise UsageError(f"{side} is an address, and --start takes two commits", "leave --start out, or name refs")


def _suggest_start(error: NoSuchRunError, sides: tuple[str, ...]) -> None:
    """Where the words that are no runs are commits."""
    from perfcheck.engine.sides import find_sides

    with suppress(UsageError):
        find_sides(Path.cwd(), *sides)
        words = shlex.join(sides)
        error.remedy = (
            f"to compare two commits: perfcheck compare {words} --start 'the command that starts the service'"
        )


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
        message = f"{addresses[0]} is an address, and {others[0]} is not"
        raise UsageError(message, did_you_mean_url(others[0]) or remedy)
