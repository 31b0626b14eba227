"""``perfcheck baseline update``: targets from past runs, as a diff of the baseline."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfcheck.cli.ui.commands import Command, LazyGroup
from perfcheck.cli.ui.completers import complete_endpoints
from perfcheck.cli.ui.options import (
    PERCENTAGE,
    baseline_option,
    branch_option,
    history_option,
    json_option,
    opened,
    option,
)
from perfcheck.cli.ui.output import as_json, print_diff, print_page
from perfcheck.errors import EXIT_OK, UsageError
from perfcheck.text import clean
from perfcheck.words import plural

if TYPE_CHECKING:
    from perfcheck.engine.update_targets import Update

_EXAMPLES = """\b
Examples:
  perfcheck run --save                           keep runs, in CI or by hand
  perfcheck baseline update                      the targets they suggest, as a diff
  perfcheck baseline update --write              write them to the baseline
"""
_UPDATE_EXAMPLES = """\b
Examples:
  perfcheck baseline update                        from the last 20 good runs, as a diff
  perfcheck baseline update 'videos.*' --write     write it to the baseline
  perfcheck baseline update search.basic --loosen 'accepted in v1.4' --write

\b
Exit codes:
  0  whether or not anything is proposed
  2  usage, baseline or history error
  4  a bug in perfcheck
  130  interrupted
"""

command = LazyGroup(
    "baseline",
    package="perfcheck.cli",
    lines={"update": "Propose targets from past runs, as a diff."},
    locations={"update": "baseline:update"},
    help="Update the targets and ideals of the baseline from past runs.",
    epilog=_EXAMPLES,
)


@click.command("update", cls=Command, epilog=_UPDATE_EXAMPLES)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_endpoints)
@baseline_option
@history_option
@branch_option
@option(
    "--runs",
    type=click.IntRange(min=5),
    metavar="N",
    default=20,
    show_default=True,
    help="Number of recent good runs to use; at least 5.",
)
@option(
    "--margin",
    type=PERCENTAGE,
    default="20%",
    show_default=True,
    help="Margin above the measured value for a target; a quarter of it for an ideal.",
)
@option("--loosen", metavar="REASON", help="Propose looser values too, using CRITICAL runs as well; REASON is printed.")
@option("--write", is_flag=True, help="Write the values to the baseline file; nothing else in it changes.")
@json_option
def update(
    names: tuple[str, ...],
    baseline: str | None,
    history: str | None,
    branch: str | None,
    runs: int,
    margin: float,
    loosen: str | None,
    *,
    write: bool,
    in_json: bool,
) -> int:
    """Propose targets and ideals from the runs in the history, as a diff of the baseline.

    The target is the 90th percentile of the recent good runs plus a margin, and at least 5 ms above their median,
    rounded up to a number such as 250 or 300; the ideal is their median plus a quarter of the margin. It takes runs of
    five occasions, an hour apart, over at least a day. Targets only become tighter, by 10% or more; an endpoint without
    a target gets one. Runs before the last change, on another machine or of another branch are not used.

    NAME is an endpoint of the baseline, or a pattern such as 'videos.*'. Without --write, nothing is changed.

    With --json: {"baseline", "history", "branch", "runs", "margin", "loosen", "written", "endpoints": [{"endpoint",
    "metric", "runs", "target_ms", "ideal_ms", "target", "ideal", "why", "by_hand"}], "diff"}.
    """
    if loosen is not None and not loosen.strip():
        raise UsageError("--loosen needs a reason", "state it: --loosen 'exact match counts, since v1.4'")
    from perfcheck.baseline import find_baseline
    from perfcheck.engine.update_targets import propose_update, write_update
    from perfcheck.history.propose import ProposalRule

    file = find_baseline(baseline, os.environ, Path.cwd())
    with opened(history) as store:
        rule = ProposalRule(runs=runs, margin=margin, loosen=loosen is not None)
        update = propose_update(file, names, store, rule, branch=branch)
        location = store.shown
    is_written = write and update.made > 0
    if is_written:
        write_update(update)
    if in_json:
        document = {
            "baseline": str(file),
            "history": location,
            "branch": update.branch,
            "runs": runs,
            "margin": margin,
            "loosen": loosen,
            "written": is_written,
            "endpoints": [
                {**asdict(proposal), "by_hand": update.by_hand.get(proposal.endpoint, [])}
                for proposal in update.proposals
            ],
            "diff": "".join(f"{line}\n" for line in update.diff),
        }
        click.echo(as_json(document))
    else:
        _print(update, loosen, is_written=is_written)
    return EXIT_OK


def _print(update: Update, loosen: str | None, *, is_written: bool) -> None:
    from perfcheck.history.report.lists import render_proposals

    print_page(lambda glyphs, width: render_proposals(update.proposals, update.by_hand, glyphs, width))
    if update.made:
        click.echo()
        print_diff(update.diff)
    click.echo()
    for line in _closing(update, loosen, is_written=is_written):
        click.echo(line)


def _closing(update: Update, loosen: str | None, *, is_written: bool) -> Iterator[str]:
    """The result, and the next step."""
    if loosen is not None and any(value.is_looser for proposal in update.proposals for value in proposal.values):
        yield f"looser, because: {clean(loosen, 1000)}"
    if update.other_branches:
        from perfcheck.history.branches import of_branch, with_options

        yield f"from runs {of_branch(update.branch or '')}; not used: {with_options(update.other_branches)}"
    values = plural(update.made, "value")
    if not update.made:
        yield f"{update.file}: nothing to change"
    elif is_written:
        yield f"{update.file}: {values} changed, and nothing else"
        diff = f"git diff {shlex.quote(str(update.file))}"
        yield f"next: review it ({diff}), run perfcheck with it (perfcheck run), and commit it with the reason"
    else:
        yield f"{update.file}: {values} would change; nothing was written"
        yield "next: review the diff, then run the same command with --write"
