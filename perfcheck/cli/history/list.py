"""``perfcheck history list``: the runs that were saved."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_labels
from perfcheck.cli.ui.options import (
    BRANCH,
    history_option,
    json_option,
    opened,
    option,
    since_option,
    until_option,
)
from perfcheck.cli.ui.output import as_json, print_page
from perfcheck.errors import EXIT_OK
from perfcheck.model import CAPACITY, Counts, Source

if TYPE_CHECKING:
    from perfcheck.history.model import PastMeasurement, PastRun
    from perfcheck.history.store import History

_EXAMPLES = """\b
Examples:
  perfcheck history list
  perfcheck history list --since 4w --branch main
  perfcheck history list --source monitored         runs of 'perfcheck health --save'
  perfcheck history list --source load              runs of 'perfcheck capacity --save'
  perfcheck history list --limit 1000 --json | jq '.runs[].verdict'
"""


@click.command("list", cls=Command, epilog=_EXAMPLES)
@history_option
@since_option
@until_option
@option(
    "--branch",
    type=BRANCH,
    metavar="NAME",
    help="Only runs of this branch; '-' for those without one. Default: runs of all branches.",
)
@option("--label", metavar="TEXT", shell_complete=complete_labels, help="Only runs with this label.")
@option("--machine", metavar="TEXT", help="Only runs on this machine, as named in the list.")
@option("--source", type=click.Choice([str(source) for source in Source]), help="Only runs of this kind.")
@option("--limit", type=click.IntRange(min=1), metavar="N", default=20, show_default=True, help="At most this many.")
@json_option
def command(history: str | None, source: str | None, *, in_json: bool, **filters: Any) -> int:
    """List saved runs, newest first.

    With --json: {"runs": [{"id", "label", "started_at", "duration_ms", "verdict", "exit_code", "complete", "counts",
    "source", "commit", "branch", "dirty", "ci", "machine", "base_url", "baseline_file", "baseline_sha256"}]}.
    """
    with opened(history) as store:
        runs = store.runs(source=Source(source) if source else None, **filters)
        if in_json:
            _print_json(runs)
            return EXIT_OK
        listed = list(runs)
        capacities = _capacities(store, listed)
    from perfcheck.history.report.lists import render_runs

    print_page(lambda glyphs, width: render_runs(listed, glyphs, width, capacities))
    return EXIT_OK


def _capacities(store: History, listed: Sequence[PastRun]) -> dict[str, PastMeasurement]:
    """Of those runs that searched for one, by their ids."""
    since = min((run.started_at for run in listed if run.source is Source.LOAD), default=None)
    if since is None:
        return {}
    found = store.measurements(endpoint=CAPACITY, source=Source.LOAD, since=since)
    return {measurement.run_id: measurement for measurement in found}


def _print_json(runs: Iterable[PastRun]) -> None:
    """``{"runs": [...]}``, each run as soon as it is known, so that memory does not grow with their number."""
    from perfcheck.history.model import PastRun

    write = sys.stdout.write  # click.echo would send every line by itself
    write('{"runs": [')
    separator = "\n"
    for run in runs:
        # Not asdict, which copies every value: that takes longer than reading the run.
        fields = {name: getattr(run, name) for name in PastRun.__slots__}
        fields["counts"] = {name: getattr(run.counts, name) for name in Counts.__slots__}
        write(f"{separator}{as_json(fields)}")
        separator = ",\n"
    write("\n]}\n" if separator == ",\n" else "]}\n")
