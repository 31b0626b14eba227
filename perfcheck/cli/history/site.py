"""``perfcheck history site``: the history as a static site."""

from __future__ import annotations

import gc
from pathlib import Path

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_files
from perfcheck.cli.ui.options import branch_option, history_option, opened, option
from perfcheck.errors import EXIT_OK
from perfcheck.words import plural

_EXAMPLES = """\b
Examples:
  perfcheck history site public                  for GitHub or GitLab Pages
  perfcheck history site public --runs 200       the reports of more runs
  perfcheck history site /tmp/site --branch faster-search
"""


@click.command("site", cls=Command, epilog=_EXAMPLES)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path), shell_complete=complete_files)
@history_option
@branch_option
@option(
    "--runs",
    type=click.IntRange(min=0, max=1000),
    metavar="N",
    default=50,
    show_default=True,
    help="Include the reports of this many runs, the newest ones.",
)
def command(folder: Path, history: str | None, branch: str | None, runs: int) -> int:
    """Write the history as a static site: endpoints over time, weeks and months, reports of runs, and a badge.

    DIR is created if needed. Only what changed is written again; pages of what is gone are removed, and other files in
    DIR stay as they are. The pages need no server and no script, and open from the disk as well. badge.svg, and
    badge.json for shields.io, have the verdict of the branch's last run.
    """
    from perfcheck.engine.default_branch import branch_of_series
    from perfcheck.periods.baseline_history import baseline_history
    from perfcheck.site.folder import write_site
    from perfcheck.site.pages import build_site

    gc.disable()  # the process is short, and looking for cycles in what is read takes a tenth of it
    with opened(history) as store:
        branch = branch_of_series(store, branch)
        pages = build_site(
            store, branch=branch, run_pages=runs, read_baseline=lambda period: baseline_history(None, period)
        )
    done = write_site(folder, pages)
    removed = f", {done.removed} removed" if done.removed else ""
    click.echo(f"{folder}: {plural(done.written, 'file')} written, {done.unchanged} unchanged{removed}", err=True)
    return EXIT_OK
