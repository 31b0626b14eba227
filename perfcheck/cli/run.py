"""``perfcheck run``: the check."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from perfcheck.cli.measuring import (
    Frame,
    Options,
    base_url_option,
    carry_out,
    check_demo_options,
    label_option,
    regress_option,
    rerun_command,
    shared_options,
)
from perfcheck.cli.services import service_of
from perfcheck.cli.ui.commands import Command, exit_codes
from perfcheck.cli.ui.completers import complete_endpoints, complete_runs
from perfcheck.cli.ui.options import (
    budget_option,
    compare_to_option,
    connections_option,
    duration,
    group_option,
    history_option,
    opened,
    option,
    rate_option,
    save_option,
    seed_option,
    start_option,
)
from perfcheck.errors import UsageError
from perfcheck.model import ErrorProof, Metric, Source
from perfcheck.times import typed_time

if TYPE_CHECKING:
    from perfcheck.cli.app import Session
    from perfcheck.engine.session import Outcome

_RECENT_RUNS = 20
_RECENT = "60d"  # an endpoint that was not measured alone for longer comes first in any case

_EXAMPLES = """\b
Examples:
  perfcheck run --demo                       try it with a sample service
  perfcheck run                              every endpoint of baselines.yaml
  perfcheck run 'videos.*' -g core           only these
  perfcheck run http://localhost:8000/api/videos --target 300ms
  perfcheck run -u http://localhost:8000 -o results.json
  perfcheck run --max-time 15s --fail-on warning
  perfcheck run --save --label v1.4          save it to the history
  perfcheck run --label v1.5 --against v1.4  compare a release with it
"""


@click.command("run", cls=Command, epilog=_EXAMPLES + exit_codes())
@click.argument("words", nargs=-1, metavar="[NAME|URL]...", shell_complete=complete_endpoints)
@shared_options
@base_url_option
@start_option
@group_option
@option(
    "--metric",
    type=click.Choice([str(metric) for metric in Metric]),
    metavar="METRIC",
    help="Judge every endpoint by this metric: median, p75, p90, p95, p99 or mean.",
)
@option(
    "--target",
    type=duration("ms"),
    metavar="DURATION",
    help="The target of each URL; its limits are 1.5x and 2x. Without it a URL is WARNING over 500 ms.",
)
@label_option
@budget_option
@connections_option
@rate_option
@option(
    "--errors",
    type=click.Choice([str(proof) for proof in ErrorProof]),
    metavar="quick|proven|strict",
    help="How much evidence an endpoint needs before its failure rate is OK. Default: as in the baseline, else proven.",
)
@option(
    "--min-requests",
    type=click.IntRange(5, 10_000),
    metavar="N",
    help="At least this many requests per endpoint; more make later comparisons sharper. "
    "Default: as in the baseline, else 5.",
)
@option(
    "--max-requests",
    type=click.IntRange(min=5),
    metavar="N",
    help="At most this many requests per endpoint and stage. Default: as many as needed, up to a limit per metric.",
)
@option(
    "--confirm",
    type=click.IntRange(0, 2),
    metavar="0|1|2",
    help="Confirm a WARNING or CRITICAL this many times with new requests. Default: as in the baseline, else 1.",
)
@save_option
@history_option
@compare_to_option
@option(
    "--against",
    metavar="RUN",
    shell_complete=complete_runs,
    help="Also compare with this earlier run (a file, or a label or id in the history): an endpoint that became slower "
    "gets a verdict for that too. Sends at least 30 requests per endpoint.",
)
@seed_option
@option(
    "--require-service/--skip-unreachable",
    default=True,
    help="If the service does not respond: fail, or skip the check with a warning. Default: fail.",
)
@option(
    "--allow-partial",
    is_flag=True,
    help="Let endpoints pass for which there was no time, with a warning, as long as one was measured. Without it such "
    "a run has exit code 3.",
)
@option(
    "--browser-files",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep a screenshot and a HAR of the slowest load of each page in this folder.",
)
@option("--demo", is_flag=True, help="Check the sample service, started on a free port.")
@regress_option
@click.pass_obj
def command(session: Session, /, words: tuple[str, ...], **options: Any) -> int:
    """Check a running service: measure every endpoint of the baseline and judge it by its targets.

    NAME is an endpoint of the baseline, or a pattern such as 'videos.*'. A URL is checked by itself, without a
    baseline.
    """
    urls = tuple(word for word in words if "://" in word)  # an endpoint with such a name is reached by a pattern
    names = tuple(word for word in words if word not in urls)
    given = Options(names=names, urls=urls, **_without_contradictions(options, has_urls=bool(urls)))
    check_demo_options(given, "run")
    _check_urls(given)
    if given.start is not None and not given.require_service:
        remedy = "leave one of them out: what --start starts has to respond"
        raise UsageError("--skip-unreachable is for a service that may be down", remedy)
    if given.demo and given.base_url:
        raise UsageError("--demo and --base-url name two services", "leave one of them out")
    if given.against and given.compare_to:
        raise UsageError("--against and --compare-to both name an earlier run", "--against shows the changes as well")
    earlier = None
    if given.against:  # before anything is measured, so that a mistake costs no measurement
        from perfcheck.engine.saved_runs import find_earlier_run

        earlier = find_earlier_run(given.against, given.history)

    def check_service(frame: Frame) -> Outcome:
        with service_of(frame, lambda address: frame.load(address)[0]) as (baseline, process):
            from perfcheck.engine.check import check  # while the service starts

            with frame.callbacks() as callbacks:
                return check(
                    baseline,
                    names=given.names,
                    groups=given.group,
                    against=earlier,
                    fail_on=given.lowest_failing,
                    allow_partial=given.allow_partial,
                    label=given.label,
                    command=rerun_command("run", given),
                    max_requests=given.max_requests,
                    seed=given.seed,
                    measured_alone=partial(_measured_alone, given.history) if given.save else None,
                    known_operations=partial(_known_operations, given.history) if given.save else None,
                    process=process,
                    callbacks=callbacks,
                    redact=session.redact,
                    browser_files=given.browser_files,
                )

    return carry_out(given, session, check_service)


def _without_contradictions(options: dict[str, Any], *, has_urls: bool) -> dict[str, Any]:
    """What the environment sets for every command does not contradict what was typed."""
    unused = {"base_url", "baseline", "start"} if options["demo"] or has_urls else set()
    unused |= {"group"} if has_urls else {"target"}
    unused |= set() if options["demo"] else {"regress"}
    source = click.get_current_context().get_parameter_source
    ignored = {name for name in unused if source(name) is ParameterSource.ENVIRONMENT}
    return {name: value for name, value in options.items() if name not in ignored}


def _check_urls(given: Options) -> None:
    if given.target is not None and not given.urls:
        remedy = "perfcheck run URL --target 300ms; the targets of a baseline are in the file"
        raise UsageError("--target needs a URL", remedy)
    if given.urls and given.names:
        raise UsageError(f"'{given.names[0]}' is not a URL", "give only URLs, or only endpoints of the baseline")
    needless = {"--demo": given.demo, "-u": given.base_url, "-f": given.baseline, "-g": given.group}
    for flag, value in needless.items():
        if given.urls and value:
            raise UsageError(f"{flag} cannot be used with a URL, which is checked by itself", "leave one of them out")


def _measured_alone(history: str | None, branch: str) -> Mapping[str, str]:
    """When each endpoint was last measured alone, as far as a history has it: what is wrong with it, saving reports."""
    try:
        with opened(history) as store:
            return store.last_times(typed_time(_RECENT, datetime.now(UTC)), branch)
    except UsageError:
        return {}


def _known_operations(history: str | None, branch: str) -> Collection[str]:
    """Of the last saved run that has any: of the branch, else of any branch. Saving reports what is wrong with it."""
    with suppress(UsageError), opened(history) as store:
        for of_branch in (branch, None):
            for past in store.runs(limit=_RECENT_RUNS, branch=of_branch, source=Source.MEASURED):
                if operations := store.run(past.id).operations:
                    return operations
    return ()
