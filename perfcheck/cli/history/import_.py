"""``perfcheck history import``: run files that come from elsewhere, or from before there was a history."""

from __future__ import annotations

from pathlib import Path

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_files
from perfcheck.cli.ui.options import history_option, json_option, opened
from perfcheck.cli.ui.output import as_json
from perfcheck.cli.ui.terminal import show_error
from perfcheck.errors import EXIT_OK, EXIT_USAGE, UsageError

_EXAMPLES = """\b
Examples:
  perfcheck history import results.json
  perfcheck history import runs/*.json
"""


@click.command("import", cls=Command, epilog=_EXAMPLES)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=complete_files)
@history_option
@json_option
def command(files: tuple[str, ...], history: str | None, *, in_json: bool) -> int:
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
