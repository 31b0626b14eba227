"""``perfcheck history label``: a name for a saved run."""

from __future__ import annotations

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_runs
from perfcheck.cli.ui.options import history_option, opened, option
from perfcheck.errors import EXIT_OK, UsageError
from perfcheck.text import clean
from perfcheck.words import short_run

_EXAMPLES = """\b
Examples:
  perfcheck history label 5e0cbd2e v1.4
  perfcheck history label v1.4-rc1 v1.4
  perfcheck history label v1.4 --remove
"""


@click.command("label", cls=Command, epilog=_EXAMPLES)
@click.argument("run", metavar="RUN", shell_complete=complete_runs)
@click.argument("text", required=False, metavar="[TEXT]")
@history_option
@option("--remove", is_flag=True, help="Remove the label.")
def command(run: str, text: str | None, history: str | None, *, remove: bool) -> int:
    """Label a saved run, for example with a release, so that every command finds it by that name.

    RUN is an id or its first digits, or a label, which stands for the newest run that has it. A run with a label is
    never pruned. 'perfcheck history export' writes the label that the run was saved with.
    """
    label = clean(text) if text and text.strip() else None
    if (label is None) is not remove:
        raise UsageError(
            "a label and --remove exclude each other" if remove else "no label given",
            f"perfcheck history label {run} TEXT, or --remove",
        )
    with opened(history) as store:
        past = store.past_run(run)
        store.set_label(past.id, label)
    before = f" (before: {clean(past.label)})" if past.label else ""
    click.echo(f"{short_run(past.id)}: {label or 'no label'}{before}", err=True)
    return EXIT_OK
