"""``perfcheck history show``: a saved run again, or an endpoint over time."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_runs_and_endpoints
from perfcheck.cli.ui.options import (
    branch_option,
    history_option,
    json_option,
    opened,
    option,
    since_option,
    until_option,
)
from perfcheck.cli.ui.output import as_json, print_page, write_to_stdout
from perfcheck.errors import EXIT_OK, UsageError
from perfcheck.model import Source
from perfcheck.text import clean
from perfcheck.words import did_you_mean

if TYPE_CHECKING:
    from perfcheck.history.model import PastRun
    from perfcheck.history.series import SeriesHistory
    from perfcheck.history.store import History

_EXAMPLES = """\b
Examples:
  perfcheck history show v1.4                    a run, with its notes
  perfcheck history show videos.list             an endpoint over time
  perfcheck history show capacity                the capacity over time
  perfcheck history show videos.list --branch faster-search
  perfcheck history show videos.list --since 6m --json
"""


@click.command("show", cls=Command, epilog=_EXAMPLES)
@click.argument("name", metavar="RUN|ENDPOINT", shell_complete=complete_runs_and_endpoints)
@history_option
@since_option
@until_option
@branch_option
@option("--source", type=click.Choice([str(source) for source in Source]), help="Only runs of this kind.")
@option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=500,
    show_default=True,
    help="At most this many runs of an endpoint, the newest ones.",
)
@option("-v", "--verbose", is_flag=True, help="For a run: every endpoint and note, and the environment.")
@json_option
def command(name: str, history: str | None, source: str | None, *, verbose: bool, in_json: bool, **filters: Any) -> int:
    """Show the report of a saved run with its notes, or an endpoint over time with its changes marked.

    RUN is an id or its first digits, or a label. If a name is both an endpoint and a label, the endpoint is shown. Its
    runs are those of one branch. Runs on another machine, or with another baseline file, request or metric, are a
    series of their own: they cannot be compared.

    With --json, for a run: {"run": the run file, "label", "notes"}; for an endpoint: {"endpoint", "branch", "series":
    [{"series", "earlier", "points", "steps", "drift", "spread_steps", "spread_drift", "notes"}]}.
    """
    with opened(history) as store:
        endpoints = list(store.endpoints())
        if name in endpoints:
            filters["source"] = Source(source) if source else None
            _show_endpoint(store, name, filters.pop("limit"), filters, in_json=in_json)
        else:
            _show_run(store, _run(store, name, endpoints), verbose=verbose, in_json=in_json)
    return EXIT_OK


def _run(store: History, name: str, endpoints: list[str]) -> PastRun:
    from perfcheck.history.model import NoSuchRunError

    try:
        return store.past_run(name)
    except NoSuchRunError as error:
        remedy = did_you_mean(name, endpoints, most=3) or error.remedy
        raise UsageError(f"no run and no endpoint '{clean(name)}' in the history", remedy) from error


# --- A run ---------------------------------------------------------------------------------------------------------


def _show_run(store: History, past: PastRun, *, verbose: bool, in_json: bool) -> None:
    notes = store.notes(run_id=past.id, commit=past.commit)
    if in_json:
        store.run(past.id)  # an error where its document is damaged
        document = {
            "run": json.loads(store.document(past.id)),
            "label": past.label,
            "notes": [asdict(n) for n in notes],
        }
        click.echo(as_json(document))
        return
    from perfcheck.cli.reports import ReportTarget, render_report

    write_to_stdout(render_report(store.run(past.id), ReportTarget("console", None), verbose=verbose))
    if not notes:
        return
    from rich.console import Group
    from rich.text import Text

    from perfcheck.history.report.series_chart import note_text

    lines = [Text(f"note of {note.created_at[:10]}: {note_text(note)}") for note in notes]
    print_page(lambda _glyphs, _width: Group(Text(), *lines))


# --- An endpoint ---------------------------------------------------------------------------------------------------


def _show_endpoint(store: History, name: str, most: int, filters: dict[str, Any], *, in_json: bool) -> None:
    from perfcheck.engine.default_branch import branch_of_series
    from perfcheck.history.branches import of_branch, other_branches, with_options
    from perfcheck.history.series import read_series

    branch = branch_of_series(store, filters.pop("branch"))
    series = read_series(store, name, branch=branch, most=most, **filters)
    if in_json:
        parts = [_series_as_json(part) for part in series]
        click.echo(as_json({"endpoint": name, "branch": branch or None, "series": parts}))
        return
    others = other_branches(store.branches(name, **filters), branch)
    if not series:
        message = f"no measurement of '{clean(name)}' in that time among the runs {of_branch(branch)}"
        raise UsageError(
            message, f"there are {with_options(others)}" if others else "leave out --since, --until or --source"
        )
    from perfcheck.history.report.series_chart import render_series

    print_page(lambda glyphs, width: render_series(name, series, glyphs, width, branch=branch, others=others))


def _series_as_json(series: SeriesHistory) -> dict[str, Any]:
    trend, spread = series.trend, series.spread_trend
    return {
        "series": series.points[-1].series,
        "earlier": series.earlier,
        "points": [point._asdict() for point in series.points],
        "steps": [asdict(step) for step in trend.steps],
        "drift": asdict(trend.drift) if trend.drift else None,
        "forming": asdict(trend.forming) if trend.forming else None,
        "state": trend.state,
        "smallest_ratio": trend.smallest_ratio if math.isfinite(trend.smallest_ratio) else None,
        "runs_needed": trend.runs_needed,
        "spread_steps": [asdict(step) for step in spread.steps],
        "spread_drift": asdict(spread.drift) if spread.drift else None,
        "notes": [{"index": index, **asdict(note)} for index, note in series.notes],
    }
