"""``perfcheck history export``: saved runs as run files again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_files, complete_runs
from perfcheck.cli.ui.options import history_option, opened, option, since_option, until_option
from perfcheck.errors import EXIT_OK, UsageError
from perfcheck.history.model import PastRun
from perfcheck.runfile import write_atomically
from perfcheck.words import plural

if TYPE_CHECKING:
    from perfcheck.history.store import History

_EXAMPLES = """\b
Examples:
  perfcheck history export v1.4 -o v1.4.json      one run to a file
  perfcheck history export v1.4 | jq .verdict     or to stdout
  perfcheck history export -o runs                every run to a folder
"""


@click.command("export", cls=Command, epilog=_EXAMPLES)
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
def command(
    runs: tuple[str, ...], history: str | None, since: str | None, until: str | None, output: str | None
) -> int:
    """Export saved runs as run files, exactly as they were saved. Without a RUN, export all of them.

    RUN is an id or its first digits, or a label. A label given later is not in the file.
    """
    with opened(history) as store:
        if len(runs) == 1 and not (output and _is_folder(output)):
            content = store.document(store.past_run(runs[0]).id)
            _write(Path(output), content) if output else _print(content)
            return EXIT_OK
        if not output:
            raise UsageError("several runs need a folder", "-o DIR writes a file for each")
        count = _write_all(store, runs, since, until, Path(output))
    click.echo(f"wrote {plural(count, 'run')} to {output}", err=True)
    return EXIT_OK


def _is_folder(output: str) -> bool:
    return output.endswith("/") or Path(output).is_dir()


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
    return f"{time}Z-{''.join(char if char.isalnum() or char == '-' else '_' for char in run.id)[:64]}.json"


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "name another location: -o DIR|FILE") from error


def _print(content: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
