"""``perfcheck lint``: the route handlers that no monitor covers."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.completers import complete_files
from perfcheck.cli.ui.options import github_option, github_workspace, is_for_github, option
from perfcheck.errors import EXIT_CRITICAL, EXIT_OK, EXIT_USAGE
from perfcheck.lint import LintResult, lint
from perfcheck.lint.lint_report import as_github, as_json, problems, text

_EXAMPLES = """\b
Examples:
  perfcheck lint src
  perfcheck lint . --exclude 'scripts/*' --exclude legacy
  perfcheck lint src --format json | jq .summary
"""
_NO_HANDLER = (
    "note: no handler of Flask, FastAPI, Starlette or Django found: other frameworks' are not known to the lint"
)


@click.command("lint", cls=Command, epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", shell_complete=complete_files)
@option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Exclude files and folders by name, or by path from the folder given. Repeatable.",
)
@option("--include-tests", is_flag=True, help="Include tests: tests/, test_*.py, *_test.py, tests.py, conftest.py.")
@option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="Format of the output on stdout.",
)
@github_option
def command(
    paths: tuple[str, ...], exclude: tuple[str, ...], form: str, *, include_tests: bool, github: bool | None
) -> int:
    """List route handlers of Flask, FastAPI, Starlette and Django that no monitor covers.

    Reads the source in files and folders and never imports it. A handler is monitored if it has @monitor_performance,
    or if the monitor was set up for its app. A handler marked `# perfcheck: ignore[reason]` is left out.

    Exit code 0 if all are monitored, 1 if one is not or not known to be, 2 if a path or a file could not be read.
    """
    gc.disable()  # the process is short, and looking for cycles in what was read takes longer than to end it
    result = lint(paths, exclude, include_tests=include_tests)
    # The result goes to stdout; files that could not be read, and annotations along with text, to stderr.
    for line in problems(result):
        click.echo(line, err=True)
    if not result.handlers and not result.problems:
        click.echo(_NO_HANDLER, err=True)
    for_github = partial(as_github, workspace=github_workspace())
    renderers: dict[str, Callable[[LintResult], str]] = {"text": text, "json": as_json, "github": for_github}
    click.echo(renderers[form](result), nl=False)
    if form != "github" and is_for_github(github):
        click.echo(for_github(result), nl=False, err=True)
    if result.problems:
        return EXIT_USAGE
    return EXIT_CRITICAL if result.findings or result.unknown or result.wrong_ignores else EXIT_OK
