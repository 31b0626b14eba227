"""``perfcheck lint``: the route handlers that no monitor covers."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from pathlib import Path

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_files
from perfcheck.cli.ui.options import github_option, is_for_github, option
from perfcheck.errors import EXIT_CRITICAL, EXIT_OK, EXIT_USAGE
from perfcheck.lint import LintResult, lint
from perfcheck.lint.lint_report import as_github, as_json, problems, text

_EXAMPLES = """\b
Examples:
  perfcheck lint src
  perfcheck lint . --exclude 'scripts/*' --exclude legacy
  perfcheck lint src --format json | jq .summary
"""


@click.command("lint", cls=Command, epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", shell_complete=complete_files)
@option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Leave out files and folders by name, or by path from the folder given. Repeatable.",
)
@option("--include-tests", is_flag=True, help="Read tests too: tests/, test_*.py, *_test.py, tests.py, conftest.py.")
@option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="What is written to stdout.",
)
@github_option
def command(
    paths: tuple[str, ...], exclude: tuple[str, ...], form: str, *, include_tests: bool, github: bool | None
) -> int:
    """List the route handlers of Flask, FastAPI, Starlette and Django that no monitor covers.

    Reads the source in files and folders and never imports it. Monitored is a handler with @monitor_performance, or
    one of an app that the monitor was set up for. What is said in `# perfcheck: ignore[reason]` is left alone.

    Exit code 0 when nothing is found, 1 when something is, 2 when a path or a file could not be read.
    """
    gc.disable()  # the process is short, and looking for cycles in what was read takes longer than to end it
    result = lint(paths, exclude, include_tests=include_tests)
    publish(result, form, os.environ, annotate=is_for_github(github, os.environ))
    if result.problems:
        return EXIT_USAGE
    return EXIT_CRITICAL if result.findings or result.wrong_ignores else EXIT_OK


def publish(result: LintResult, form: str, env: Mapping[str, str], *, annotate: bool) -> None:
    """The result goes to stdout; files that could not be read, and annotations beside a text, to stderr."""
    workspace = Path(env["GITHUB_WORKSPACE"]) if env.get("GITHUB_WORKSPACE") else None
    for line in problems(result):
        click.echo(line, err=True)
    match form:
        case "json":
            click.echo(as_json(result), nl=False)
        case "github":
            click.echo(as_github(result, workspace), nl=False)
        case _:
            click.echo(text(result), nl=False)
    if annotate and form != "github":
        click.echo(as_github(result, workspace), nl=False, err=True)
