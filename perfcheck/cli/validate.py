"""``perfcheck validate``: the baseline file only, offline."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.core import ParameterSource

from perfcheck.baseline import BaselineError, check_baseline, find_baseline
from perfcheck.cli.reports import annotate_baseline
from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_files
from perfcheck.cli.ui.options import baseline_option, github_option, is_for_github, option
from perfcheck.cli.ui.terminal import show_error
from perfcheck.errors import EXIT_OK, UsageError
from perfcheck.text import clean
from perfcheck.words import and_more, plural

_MOST_NAMES = 8
_LONGEST_NAME = 40
_EXAMPLES = """\b
Examples:
  perfcheck validate
  perfcheck validate services/catalogue/baselines.yaml
  perfcheck validate --allow-unset           where the secrets are not set
"""


@click.command("validate", cls=Command, epilog=_EXAMPLES, short_help="Check the baseline file only, offline.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=complete_files)
@baseline_option
@option(
    "--allow-unset",
    is_flag=True,
    help="Accept variables that are not set; values that depend on them are not checked.",
)
@github_option
def command(files: tuple[str, ...], baseline: str | None, *, allow_unset: bool, github: bool | None) -> int:
    """Check the baseline file: every error at once, each with its line. Sends no request.

    Exit code 0 if the file is valid, 2 if it is not.
    """
    source = click.get_current_context().get_parameter_source("baseline")
    if files and source is ParameterSource.ENVIRONMENT:
        baseline = None
    named = (*([baseline] if baseline or not files else []), *files)
    annotate = is_for_github(github)
    # Every file is checked, whatever is wrong with the ones before it.
    return max([_validate(file, allow_unset=allow_unset, annotate=annotate) for file in named])


def _validate(file: str | None, *, allow_unset: bool, annotate: bool) -> int:
    try:
        summary = check_baseline(find_baseline(file, os.environ, Path.cwd()), os.environ, allow_unset=allow_unset)
    except UsageError as error:
        show_error(error.message, error.remedy)
        if annotate and isinstance(error, BaselineError):
            annotate_baseline(error)
        return error.exit_code
    groups = f" in {plural(summary.groups, 'group')}" if summary.groups else ""
    unset = and_more([clean(name, _LONGEST_NAME) for name in summary.unset], _MOST_NAMES)
    endpoints = plural(summary.endpoints, "endpoint")
    if summary.workflows:
        endpoints += f" ({plural(summary.workflows, 'workflow')})"
    click.echo(f"{summary.file}: {endpoints}{groups}, no errors" + (f"; not set: {unset}" if unset else ""))
    return EXIT_OK
