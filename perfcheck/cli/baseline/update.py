"""``perfcheck baseline update``: targets from past runs, as a diff of the baseline."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_endpoints
from perfcheck.cli.ui.options import PERCENTAGE, baseline_option, history_option, json_option, opened, option
from perfcheck.cli.ui.output import as_json
from perfcheck.errors import EXIT_OK, UsageError
from perfcheck.text import clean

if TYPE_CHECKING:
    from perfcheck.engine.update_targets import Update
    from perfcheck.history.model import Proposal

_EXAMPLES = """\b
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


@dataclass(frozen=True, slots=True)
class UpdateOptions:
    """The command line of ``perfcheck baseline update``, parsed."""

    names: tuple[str, ...]
    baseline: str | None
    history: str | None
    runs: int
    margin: float
    loosen: str | None
    write: bool
    in_json: bool


@click.command("update", cls=Command, epilog=_EXAMPLES)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_endpoints)
@baseline_option
@history_option
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
def command(**options: Any) -> int:
    """Propose targets and ideals from the runs in the history, as a diff of the baseline.

    The target is the 90th percentile of the recent good runs plus a margin, rounded up to a number such as 250 or 300;
    the ideal is their median plus a quarter of the margin. Targets only become tighter, by 10% or more; an endpoint
    without a target gets one. Runs before the last change, or on another machine, are not used.

    NAME is an endpoint of the baseline, or a pattern such as 'videos.*'. Without --write, nothing is changed.

    With --json: {"baseline", "history", "runs", "margin", "loosen", "written", "endpoints": [{"endpoint", "metric",
    "runs", "target_ms", "ideal_ms", "target", "ideal", "why", "by_hand"}], "diff"}.
    """
    return update(UpdateOptions(**options))


def update(options: UpdateOptions) -> int:
    """The whole command; returns its exit code."""
    if options.loosen is not None and not options.loosen.strip():
        remedy = "say why it may be slower: --loosen 'exact match counts, since v1.4'"
        raise UsageError("--loosen needs a reason", remedy)
    from perfcheck.baseline import find_baseline
    from perfcheck.engine.update_targets import propose_update, write_update
    from perfcheck.history.propose import ProposalRule

    file = find_baseline(options.baseline, os.environ, Path.cwd())
    rule = ProposalRule(runs=options.runs, margin=options.margin, loosen=options.loosen is not None)
    with opened(options.history) as store:
        found = propose_update(file, options.names, store, rule)
        shown = store.shown
    is_written = options.write and found.made > 0
    if is_written:
        write_update(found)
    if options.in_json:
        click.echo(as_json(_document(found, options, shown, written=is_written)))
    else:
        _print(found, options)
    return EXIT_OK


def _document(found: Update, options: UpdateOptions, history: str, *, written: bool) -> dict[str, Any]:
    return {
        "baseline": str(found.file),
        "history": history,
        "runs": options.runs,
        "margin": options.margin,
        "loosen": options.loosen,
        "written": written,
        "endpoints": [{**asdict(one), "by_hand": found.by_hand.get(one.endpoint, [])} for one in found.proposals],
        "diff": "".join(f"{line}\n" for line in found.diff),
    }


def _print(found: Update, options: UpdateOptions) -> None:
    from perfcheck.cli.ui.output import print_diff, print_page
    from perfcheck.history.report.proposals import render_proposals

    print_page(lambda glyphs, width: render_proposals(found.proposals, found.by_hand, glyphs, width))
    if found.made:
        click.echo()
        print_diff(found.diff)
    click.echo()
    for line in _closing(found, options):
        click.echo(line)


def _closing(found: Update, options: UpdateOptions) -> Iterator[str]:
    """What came of it, and what to do next."""
    if options.loosen is not None and any(map(_is_looser, found.proposals)):
        yield f"looser, because: {clean(options.loosen, 1000)}"
    values = f"{found.made} value{'s' * (found.made != 1)}"
    if not found.made:
        yield f"{found.file}: nothing to change"
    elif options.write:
        yield f"{found.file}: {values} changed, and nothing else"
        seen = f"git diff {shlex.quote(str(found.file))}"
        yield f"next: look at it ({seen}), measure by it (perfcheck run), and commit it with the reason"
    else:
        yield f"{found.file}: {values} would change; nothing is written"
        yield "next: look at the diff, then give the same command with --write"


def _is_looser(one: Proposal) -> bool:
    return any(value.is_looser for value in one.values)
