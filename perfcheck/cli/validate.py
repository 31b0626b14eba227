"""``perfcheck validate``: the baseline file only, offline."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.core import ParameterSource

from perfcheck.baseline import BaselineError, Summary, check_baseline, find_baseline
from perfcheck.cli.github import annotate_baseline
from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_files
from perfcheck.cli.ui.options import baseline_option, github_option, is_for_github, option
from perfcheck.cli.ui.terminal import show_error
from perfcheck.errors import EXIT_OK, UsageError

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
    return validate(named, allow_unset=allow_unset, annotate=is_for_github(github, os.environ))


def validate(files: tuple[str | None, ...], *, allow_unset: bool, annotate: bool) -> int:
    """Every file is looked at, whatever is wrong with the ones before it."""
    codes = [_validate_one(file, allow_unset=allow_unset, annotate=annotate) for file in files]
    return max(codes)


def _validate_one(file: str | None, *, allow_unset: bool, annotate: bool) -> int:
    try:
        found = check_baseline(find_baseline(file, os.environ, Path.cwd()), os.environ, allow_unset=allow_unset)
    except UsageError as error:
        show_error(error.message, error.remedy)
        if annotate and isinstance(error, BaselineError):
            annotate_baseline(error, os.environ)
        return error.exit_code
    click.echo(_sentence(found))
    return EXIT_OK


def _sentence(found: Summary) -> str:
    groups = f" in {_count(found.groups, 'group')}" if found.groups else ""
    unset = f"; not set: {_listed(found.unset)}" if found.unset else ""
    return f"{found.file}: {_count(found.endpoints, 'endpoint')}{groups}, no errors{unset}"


def _listed(names: tuple[str, ...]) -> str:
    shown = [name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 3] + "..." for name in names[:_MOST_NAMES]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
