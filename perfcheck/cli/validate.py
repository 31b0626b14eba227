"""``perfcheck validate``: the baseline file only, offline."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.core import ParameterSource

from perfcheck.baseline import find_baseline, load_baseline
from perfcheck.cli.app import show_error
from perfcheck.cli.options import baseline_option
from perfcheck.errors import EXIT_OK, UsageError

_EXAMPLES = """\b
Examples:
  perfcheck validate
  perfcheck validate services/catalogue/baselines.yaml
"""


@click.command("validate", epilog=_EXAMPLES, short_help="Check the baseline file only, offline.")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@baseline_option
def command(files: tuple[str, ...], baseline: str | None) -> int:
    """Check the baseline file only: every error at once, each with its line. Sends nothing.

    Exit code 0 when it is right, 2 when it is not.
    """
    source = click.get_current_context().get_parameter_source("baseline")
    if files and source is ParameterSource.ENVIRONMENT:
        baseline = None
    return validate((*([baseline] if baseline or not files else []), *files))


def validate(files: tuple[str | None, ...]) -> int:
    """Every file is looked at, whatever is wrong with the ones before it."""
    codes = [_validate_one(file) for file in files]
    return max(codes)


def _validate_one(file: str | None) -> int:
    try:
        baseline = load_baseline(find_baseline(file, os.environ, Path.cwd()), os.environ)
    except UsageError as error:
        show_error(error.message, error.remedy)
        return error.exit_code
    groups = f" in {_count(len(baseline.groups), 'group')}" if baseline.groups else ""
    click.echo(f"{baseline.file}: {_count(len(baseline.endpoints), 'endpoint')}{groups}, no errors")
    return EXIT_OK


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
