"""``perfcheck capacity``: the largest load that the targets hold for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.load_workers import remote_workers, work_for, worker_options
from perfcheck.cli.measuring import Frame, Options, base_url_option, carry_out, label_option, shared_options
from perfcheck.cli.services import service_of
from perfcheck.cli.ui.commands import Command, exit_codes
from perfcheck.cli.ui.completers import complete_runs
from perfcheck.cli.ui.options import Parsed, history_option, option, save_option, start_option
from perfcheck.cli.ui.terminal import show_note, status_line, waiting_line
from perfcheck.errors import UsageError
from perfcheck.model import Baseline, Load, LoadModel, Run
from perfcheck.units import format_about, format_load
from perfcheck.words import plural

if TYPE_CHECKING:
    from perfcheck.capacity.engine.remote import RemoteWorkers
    from perfcheck.capacity.model import Attempt
    from perfcheck.cli.app import Session
    from perfcheck.engine.session import Outcome

_EXAMPLES = """\b
Examples:
  perfcheck capacity --demo --max-time 1m           try it with a sample service
  perfcheck capacity --at-least '50 users'          fail below it
  perfcheck capacity --model rate -o capacity.json  requests a second, not users
  perfcheck capacity --save --label v1.4            save it to the history
  perfcheck capacity --label v1.5 --against v1.4    fail if it became lower
  perfcheck capacity --worker --master 10.0.0.5     make load for the search on that machine
"""


def _load(text: str) -> Load:
    from perfcheck.baseline.capacity import parse_load

    return parse_load(text)


def _time(text: str) -> float:
    """In seconds, as in the baseline."""
    from perfcheck.baseline.value_types import TIMEOUT

    return float(TIMEOUT.parse(text))


@click.command(
    "capacity", cls=Command, epilog=_EXAMPLES + exit_codes(not_measured="not known, or not proven in this time")
)
@shared_options
@base_url_option
@start_option
@option(
    "--model",
    type=click.Choice([str(model) for model in LoadModel]),
    metavar="users|rate",
    help="Concurrent users, or requests a second. Default: as in the baseline, else users.",
)
@option(
    "--at-least",
    type=Parsed("load", _load),
    help="The load that has to hold: '50 users', or 200/s. Default: as in the baseline.",
)
@option(
    "--max-time",
    type=Parsed("duration", _time),
    help="End the search after this time of load. Default: as in the baseline, else 3m.",
)
@worker_options
@option(
    "--against",
    metavar="RUN",
    shell_complete=complete_runs,
    help="Also compare with the capacity of this earlier run (a file, or a label or id in the history): one that "
    "became lower fails.",
)
@save_option
@history_option
@option(
    "--i-own-this-host",
    "owns_host",
    is_flag=True,
    help="Allow a service on another machine. Load that its owner does not expect is an attack.",
)
@label_option
@option("--demo", is_flag=True, help="Search the capacity of the sample service, started on a free port.")
@click.pass_obj
def command(
    session: Session,
    /,
    model: str | None,
    at_least: Load | None,
    max_time: float | None,
    workers: int,
    expect_workers: int | None,
    bind: tuple[str, int] | None,
    master: tuple[str, int] | None,
    *,
    worker: bool,
    owns_host: bool,
    **options: Any,
) -> int:
    """Find the largest load that a service holds its targets for, with an interval.

    Makes load on the service, in steps, with the endpoints that the baseline has under 'capacity'. It takes minutes,
    and slows the service down meanwhile. Needs the extra: pip install 'perfcheck[load]'.
    """
    given = Options(**options)
    if worker or master:
        work_for(master, is_worker=worker, owns_host=owns_host, quiet=given.quiet)
    remote = remote_workers(expect_workers, bind)
    if given.demo and (given.start is not None or given.base_url):
        raise UsageError("--demo, --start and --base-url name different services", "leave one of them out")
    earlier = _earlier(given.against, given.history) if given.against else None  # before anything is measured

    def search(frame: Frame) -> Outcome:
        def load(address: str | int | None) -> Baseline:
            (baseline,) = frame.load(address)
            return _with_options(baseline, model, at_least, max_time)

        with service_of(frame, load) as (baseline, process), status_line(quiet=given.quiet) as show:
            from perfcheck.engine.capacity import check_capacity  # while the service starts
            from perfcheck.engine.session import Callbacks

            waiting = partial(waiting_line, quiet=given.quiet)
            return check_capacity(
                baseline,
                workers=replace(remote, waiting=partial(_show_joined, show, remote)) if remote else workers,
                owns_host=owns_host,
                against=earlier,
                fail_on=given.lowest_failing,
                label=given.label,
                process=process,
                callbacks=Callbacks(measured=frame.interrupts.hold, waiting=waiting),
                trying=_trying(baseline, show),
                redact=session.redact,
            )

    return carry_out(given, session, search)


def _earlier(reference: str, history: str | None) -> Run:
    from perfcheck.engine.saved_runs import find_earlier_run

    return find_earlier_run(reference, history, of_capacity=True)


def _with_options(baseline: Baseline, model: str | None, at_least: Load | None, max_time_s: float | None) -> Baseline:
    """What was typed counts in place of the baseline's. Raises UsageError where the two contradict each other."""
    from perfcheck.baseline.capacity import why_never_tried

    goals = baseline.capacity
    kind = LoadModel(model) if model else at_least.model if at_least else goals.model
    if at_least and at_least.model is not kind:
        raise UsageError(f"--at-least is not of --model {kind}", "write '50 users' of users, 200/s of a rate")
    if kind is not goals.model:  # the loads of the baseline are in the other unit
        _note_ignored({"at_least": None if at_least else goals.at_least, "to": goals.highest}, kind)
        goals = replace(goals, model=kind, at_least=None, lowest=1.0, highest=None)
    if at_least:
        goals = replace(goals, at_least=at_least.amount, line=0)
        if never_tried := why_never_tried(goals.at_least, goals.lowest, goals.highest, kind):
            raise UsageError(f"--at-least is {never_tried[0]}", f"{never_tried[1]} in {baseline.file}")
    return replace(baseline, capacity=goals if max_time_s is None else replace(goals, max_time_s=max_time_s))


def _note_ignored(loads: dict[str, float | None], model: LoadModel) -> None:
    """``at_least`` fails a build, and ``to`` protects the service: neither is to be missing silently."""
    means = {"at_least": "--at-least sets what has to hold", "to": "the load grows until it is too much"}
    ignored = [key for key, load in loads.items() if load is not None]
    if ignored:
        names = " and ".join(f"capacity.{key}" for key in ignored)
        show_note(f"not used with the model {model}: {names}", "; ".join(means[key] for key in ignored))


def _show_joined(show: Callable[[str], None], remote: RemoteWorkers, port: int, joined: int) -> None:
    from perfcheck.capacity.engine.remote import JOIN_TIMEOUT_S

    at_most = format_about(JOIN_TIMEOUT_S)
    show(f"waiting for {plural(remote.count, 'worker')} at {remote.host}:{port}, at most {at_most}; {joined} joined")


def _trying(baseline: Baseline, show: Callable[[str], None]) -> Callable[[Attempt], None]:
    """Shows what is tried now."""
    goals = baseline.capacity
    tried: list[float] = []
    shown = partial(format_load, is_rate=goals.model is LoadModel.RATE)

    def trying(attempt: Attempt) -> None:
        if attempt.is_fresh:
            tried.append(attempt.load)
            so_far = f", so far {' to '.join(map(shown, attempt.so_far))}" if attempt.so_far else ""
            steps = f", step {len(tried)}, at most {format_about(goals.max_time_s)} of load"
            show(f"trying {shown(attempt.load)}{so_far}{steps}")

    return trying
