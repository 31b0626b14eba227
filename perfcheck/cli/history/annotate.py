"""``perfcheck history label`` and ``note``: what people add to saved runs."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_runs
from perfcheck.cli.ui.options import history_option, json_option, opened, option
from perfcheck.cli.ui.output import as_json
from perfcheck.errors import EXIT_OK, UsageError
from perfcheck.text import clean
from perfcheck.words import short_commit, short_run

if TYPE_CHECKING:
    from perfcheck.history.store import History

_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.ASCII)
_LONGEST = 2000
_LABEL_EXAMPLES = """\b
Examples:
  perfcheck history label 5e0cbd2e v1.4
  perfcheck history label v1.4-rc1 v1.4
  perfcheck history label v1.4 --remove
"""
_NOTE_EXAMPLES = """\b
Examples:
  perfcheck history note v1.4 --incident 'slow search' --cause 'index dropped'
  perfcheck history note 0123abc --incident 'memory leak'
"""


@click.command("label", cls=Command, epilog=_LABEL_EXAMPLES)
@click.argument("run", metavar="RUN", shell_complete=complete_runs)
@click.argument("text", required=False, metavar="[TEXT]")
@history_option
@option("--remove", is_flag=True, help="Remove the label.")
def label(run: str, text: str | None, history: str | None, *, remove: bool) -> int:
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


@click.command("note", cls=Command, epilog=_NOTE_EXAMPLES)
@click.argument("subject", metavar="RUN|COMMIT", shell_complete=complete_runs)
@history_option
@option("--incident", metavar="TEXT", required=True, help="What happened.")
@option("--cause", metavar="TEXT", help="What caused it.")
@option("--fix", metavar="TEXT", help="What was done about it.")
@json_option
def note(subject: str, history: str | None, incident: str, cause: str | None, fix: str | None, *, in_json: bool) -> int:
    """Record an incident with its cause and its fix for a run or a commit; reports show it there.

    RUN is an id or its first digits, or a label. COMMIT has seven digits or more; it need not have been measured.
    A run with a note is never pruned. With --json: {"id", "created_at", "run_id", "commit", "incident", "cause",
    "fix"}.
    """
    if not incident.strip():
        raise UsageError("--incident is empty", "describe what happened")
    with opened(history) as store:
        run_id, commit = _subject(store, subject)
        details = {name: clean(text, _LONGEST) if text else None for name, text in (("cause", cause), ("fix", fix))}
        note = store.add_note(run_id=run_id, commit=commit, incident=clean(incident, _LONGEST), **details)
    if in_json:
        click.echo(as_json(asdict(note)))
    else:
        where = f"run {short_run(run_id)}" if run_id else f"commit {short_commit(commit or '')}"
        click.echo(f"note {note.id}: {where}", err=True)
    return EXIT_OK


def _subject(store: History, text: str) -> tuple[str | None, str | None]:
    """The id of a run, or else a commit."""
    from perfcheck.history.model import NoSuchRunError

    try:
        return store.past_run(text).id, None
    except NoSuchRunError:
        if _COMMIT.fullmatch(text.lower()):
            return None, text.lower()
        raise
