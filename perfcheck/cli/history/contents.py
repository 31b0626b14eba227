"""``perfcheck history import``, ``export`` and ``prune``: which runs the history holds, and their run files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_files, complete_runs
from perfcheck.cli.ui.options import (
    DATE_OR_AGE,
    history_option,
    json_option,
    opened,
    option,
    since_option,
    until_option,
)
from perfcheck.cli.ui.output import as_json, write_to_stdout
from perfcheck.cli.ui.terminal import show_error
from perfcheck.errors import EXIT_OK, EXIT_USAGE, UsageError
from perfcheck.runfile import write_atomically
from perfcheck.text import short_hash
from perfcheck.words import plural

if TYPE_CHECKING:
    from perfcheck.history.model import PastRun
    from perfcheck.history.store import History

_IMPORT_EXAMPLES = """\b
Examples:
  perfcheck history import results.json
  perfcheck history import runs/*.json
"""
_EXPORT_EXAMPLES = """\b
Examples:
  perfcheck history export v1.4 -o v1.4.json      one run to a file
  perfcheck history export v1.4 | jq .verdict     or to stdout
  perfcheck history export -o runs                every run to a folder
"""
_PRUNE_EXAMPLES = """\b
Examples:
  perfcheck history prune --older-than 1y --dry-run     only count them
  perfcheck history prune --older-than 1y --keep 100    but keep the newest 100
  perfcheck history prune --keep 1000                   all but the newest 1000
"""


@click.command("import", cls=Command, epilog=_IMPORT_EXAMPLES)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=complete_files)
@history_option
@json_option
def import_runs(files: tuple[str, ...], history: str | None, *, in_json: bool) -> int:
    """Import run files, as written by 'perfcheck run -o FILE', into the history exactly as they are.

    A run that is already there is left as it is. A file that is not a run is reported, the others are imported, and
    the exit code is 2. With --json: {"new", "already_there", "failed"}, each a list of files.
    """
    outcome: dict[str, list[str]] = {"new": [], "already_there": [], "failed": []}
    with opened(history, create=True) as store:
        for file in files:
            try:
                content = _content(file)
                result = "new" if store.save_document(content, file) else "already_there"
            except UsageError as error:
                show_error(error.message, error.remedy)
                result = "failed"
            outcome[result].append(file)
            if not in_json and result != "failed":
                click.echo(f"{file}: {result.replace('_', ' ')}")
    if in_json:
        click.echo(as_json(outcome))
    return EXIT_USAGE if outcome["failed"] else EXIT_OK


def _content(file: str) -> bytes:
    try:
        return Path("/dev/stdin" if file == "-" else file).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error


@click.command("export", cls=Command, epilog=_EXPORT_EXAMPLES)
@click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=complete_runs)
@history_option
@since_option
@until_option
@option(
    "-o",
    "--output",
    metavar="DIR|FILE",
    shell_complete=complete_files,
    help="A folder, created if needed; or, for one RUN, a file. Default for one RUN: stdout.",
)
def export(runs: tuple[str, ...], history: str | None, since: str | None, until: str | None, output: str | None) -> int:
    """Export saved runs as run files, exactly as they were saved. Without a RUN, export all of them.

    RUN is an id or its first digits, or a label. A label given later is not in the file.
    """
    with opened(history) as store:
        if len(runs) == 1 and not (output and (output.endswith("/") or Path(output).is_dir())):
            content = store.document(store.past_run(runs[0]).id)
            _write(Path(output), content) if output else write_to_stdout(content)
            return EXIT_OK
        if not output:
            raise UsageError("several runs need a folder", "-o DIR writes a file for each")
        count = _write_all(store, runs, since, until, Path(output))
    click.echo(f"wrote {plural(count, 'run')} to {output}", err=True)
    return EXIT_OK


def _write_all(store: History, names: Sequence[str], since: str | None, until: str | None, folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror}", "name another: -o DIR") from error
    runs = (store.past_run(name) for name in names) if names else store.runs(since=since, until=until)
    count = 0
    for run in runs:
        _write(folder / _name(run), store.document(run.id))
        count += 1
    return count


def _name(run: PastRun) -> str:
    """Sorts by time, and differs for each run; an id from elsewhere may hold any character."""
    time = run.started_at.partition(".")[0].replace("-", "").replace(":", "")
    name = re.sub(r"[^0-9A-Za-z-]", "_", run.id)[:64]
    if name != run.id:
        name += f"-{short_hash(run.id)}"
    return f"{time}Z-{name}.json"


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "name another location: -o DIR|FILE") from error


@click.command("prune", cls=Command, epilog=_PRUNE_EXAMPLES)
@history_option
@option("--older-than", type=DATE_OR_AGE, help="Remove runs older than this: 1y, 6m, or a date.")
@option("--keep", type=click.IntRange(min=0), metavar="N", help="Never remove the newest N runs.")
@option("--dry-run", is_flag=True, help="Remove nothing; print how many runs would be removed.")
@json_option
def prune(history: str | None, older_than: str | None, keep: int | None, *, dry_run: bool, in_json: bool) -> int:
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
