"""Options that several commands share. Each has an environment variable, PERFCHECK_*."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from perfcheck.cli.ui.completers import complete_files, complete_groups, complete_report
from perfcheck.model import Verdict
from perfcheck.times import typed_time
from perfcheck.units import parse_duration_ms, parse_percentage

if TYPE_CHECKING:
    from perfcheck.history.store import History

F = TypeVar("F", bound=Callable[..., Any])


def option(*names: str, **attributes: Any) -> Callable[[F], F]:
    """``click.option`` with an environment variable: PERFCHECK_ and the long name."""
    long = next(name for name in names if name.startswith("--"))
    if isinstance(kind := attributes.get("type"), click.IntRange):
        kind.name = "integer"  # click says: 'x' is not a valid integer range
    envvar = "PERFCHECK_" + long.removeprefix("--").split("/")[0].replace("-", "_").upper()
    return click.option(*names, **{"envvar": envvar, "show_envvar": True, **attributes})


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """``60s``, ``2m``: given to the command in seconds."""

    name = "duration"

    def __init__(self, usual: str = "s") -> None:
        self._usual = usual  # the unit that a bare number was likely meant in

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return parse_duration_ms(str(value), self._usual) / 1000
        except ValueError as error:
            return self.fail(str(error), param, ctx)


class Percentage(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """``20%``: given to the command as 0.2."""

    name = "percentage"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return parse_percentage(str(value))
        except ValueError as error:
            return self.fail(str(error), param, ctx)


class DateOrAge(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """``2026-11-01`` or ``7d``: given to the command as RFC 3339 in UTC."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return typed_time(str(value), datetime.now(UTC))
        except ValueError as error:
            return self.fail(str(error), param, ctx)


baseline_option = option(
    "-f",
    "--baseline",
    metavar="FILE",
    shell_complete=complete_files,
    help="Baseline file. Default: baselines.yaml here, or above up to the repository's root.",
)
group_option = option(
    "-g",
    "--group",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_groups,
    help="Only the endpoints of this group. Repeatable.",
)
budget_option = option(
    "--budget", type=Duration(), help="Stop measuring after this time. Default: 120s, or the baseline's."
)
seed_option = option(
    "--seed", type=click.IntRange(0, 2**32 - 1), metavar="N", help="Repeat the order of requests of an earlier run."
)
insecure_option = option("--insecure", is_flag=True, help="Accept any TLS certificate.")
fail_on_option = option(
    "--fail-on",
    type=click.Choice(["warning", "critical", "never"]),
    default="critical",
    show_default=True,
    help="Lowest verdict that fails the check.",
)
report_option = option(
    "--report",
    multiple=True,
    metavar="FORMAT",
    shell_complete=complete_report,
    help="Write a report: console, json, junit, markdown, html, github, openmetrics or csv. FORMAT=FILE writes it to a "
    "file, FORMAT alone to stdout. Repeatable.",
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
    help="Annotations, job summary and outputs for GitHub Actions. Default: where GITHUB_ACTIONS is true.",
)
quiet_option = option("-q", "--quiet", is_flag=True, help="Only what needs attention, and the closing line.")
verbose_option = option(
    "-v", "--verbose", is_flag=True, help="Every endpoint and note, with lines of the baseline, and the environment."
)
history_option = option(
    "--history",
    metavar="FILE|URL",
    shell_complete=complete_files,
    help="The history: a file, or postgresql+psycopg://user:password@host/database. "
    "Default: .perfcheck/history.sqlite at the repository's root.",
)
json_option = option("--json", "in_json", is_flag=True, help="Write JSON to stdout, with fields that stay.")
since_option = option("--since", type=DateOrAge(), help="Only runs from then on: 2026-11-01, or 7d or 4w ago.")
until_option = option("--until", type=DateOrAge(), help="Only runs before then: 2026-11-01, or 7d or 4w ago.")
save_option = option("--save", is_flag=True, help="Keep the run in the history.")


def failing_verdict(fail_on: str) -> Verdict | None:
    """The lowest verdict that fails a run, by the value of --fail-on; None: no verdict does."""
    return None if fail_on == "never" else Verdict(fail_on.upper())


def is_for_github(asked: bool | None, env: Mapping[str, str]) -> bool:  # noqa: FBT001 - the value of the option above
    """Whether GitHub Actions is to be told: as asked, else where it is the one that runs us."""
    return env.get("GITHUB_ACTIONS") == "true" if asked is None else asked


def opened(history: str | None, *, create: bool = False) -> History:
    """The history that was named, or the usual one. Raises UsageError when there is none, but for ``create``."""
    from perfcheck.history.store import open_history

    return open_history(history, Path.cwd(), create=create)
