"""``perfcheck validate``: the baseline file only, offline."""

from __future__ import annotations

import os
from pathlib import Path

import click

from perfcheck.baseline import find_baseline, load_baseline
from perfcheck.cli.options import baseline_option

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
    return validate(files or (baseline,))


def validate(files: tuple[str | None, ...]) -> int:
    for file in files:
        found = find_baseline(file, os.environ, Path.cwd())
        loaded = load_baseline(found, os.environ)
        groups = f" in {len(loaded.groups)} groups" if loaded.groups else ""
        click.echo(f"{loaded.file}: {len(loaded.endpoints)} endpoints{groups}, no errors")
    return 0
