"""The options of every command that reports on a run."""

from __future__ import annotations

from collections.abc import Mapping

from perfcheck.cli.ui.complete_values import complete_files, complete_report
from perfcheck.cli.ui.options import option

report_option = option(
    "--report",
    multiple=True,
    metavar="FORMAT[=PATH]",
    shell_complete=complete_report,
    help="Write a report: console, json, junit, markdown, html, github, openmetrics or csv; without a path to stdout. "
    "Repeatable.",
)
output_option = option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=complete_files,
    help="Save the run as JSON; the same as --report json=FILE.",
)
compare_to_option = option(
    "--compare-to",
    metavar="RUN",
    shell_complete=complete_files,
    help="Show the figures of this earlier run (a file, or a label or id in the history) beside these, without a "
    "verdict on the change.",
)
github_option = option(
    "--github/--no-github",
    default=None,
    help="Annotations, job summary and outputs for GitHub Actions.  [default: where GITHUB_ACTIONS is true]",
)
quiet_option = option("-q", "--quiet", is_flag=True, help="Only what needs attention, and the closing line.")
verbose_option = option(
    "-v", "--verbose", is_flag=True, help="Every endpoint and note, with lines of the baseline, and the environment."
)


def is_for_github(asked: bool | None, env: Mapping[str, str]) -> bool:  # noqa: FBT001 - the value of the option above
    """Whether GitHub Actions is to be told: as asked, else where it is the one that runs us."""
    return env.get("GITHUB_ACTIONS") == "true" if asked is None else asked
