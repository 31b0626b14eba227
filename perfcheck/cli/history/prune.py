"""``perfcheck history prune``: room for new runs."""

from __future__ import annotations

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.options import DATE_OR_AGE, history_option, json_option, opened, option
from perfcheck.cli.ui.output import as_json
from perfcheck.errors import EXIT_OK, UsageError
from perfcheck.words import plural

_EXAMPLES = """\b
Examples:
  perfcheck history prune --older-than 1y --dry-run     only count them
  perfcheck history prune --older-than 1y --keep 100    but keep the newest 100
  perfcheck history prune --keep 1000                   all but the newest 1000
"""


@click.command("prune", cls=Command, epilog=_EXAMPLES)
@history_option
@option("--older-than", type=DATE_OR_AGE, help="Remove runs older than this: 1y, 6m, or a date.")
@option("--keep", type=click.IntRange(min=0), metavar="N", help="Never remove the newest N runs.")
@option("--dry-run", is_flag=True, help="Remove nothing; print how many runs would be removed.")
@json_option
def command(history: str | None, older_than: str | None, keep: int | None, *, dry_run: bool, in_json: bool) -> int:
    """Remove runs that are older than --older-than and not among the newest --keep; either may be left out.

    Runs that have a label or a note, or whose commit has a note, are always kept. With --json: {"removed", "dry_run"}.
    """
    if older_than is None and keep is None:
        raise UsageError("which runs? Without a condition nothing is removed", "--older-than 1y, or --keep 1000")
    with opened(history) as store:
        removed = store.prune(older_than=older_than, keep=keep, dry_run=dry_run)
    if in_json:
        click.echo(as_json({"removed": removed, "dry_run": dry_run}))
    else:
        click.echo(f"{'would remove' if dry_run else 'removed'} {plural(removed, 'run')}")
    return EXIT_OK
