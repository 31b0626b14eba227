"""The options of every command that reports on a run."""

from __future__ import annotations

from perfcheck.cli.options import option

report_option = option(
    "--report",
    multiple=True,
    metavar="FORMAT[=PATH]",
    help="Write a report: console, json, junit, markdown, html, github, openmetrics or csv; without a path to stdout. "
    "Repeatable.",
)
compare_to_option = option(
    "--compare-to", metavar="FILE", help="Show the change since this run, saved earlier with -o."
)
github_option = option(
    "--github/--no-github",
    default=None,
    help="Annotations, job summary and outputs for GitHub Actions.  [default: where GITHUB_ACTIONS is true]",
)
