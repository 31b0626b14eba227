"""Options that several commands share. Each has an environment variable, PERFCHECK_*."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from perfcheck.cli.ui.commands import variable_in_force, variable_of
from perfcheck.cli.ui.completers import complete_files, complete_groups, complete_report
from perfcheck.model import MOST_CONNECTIONS, NO_BRANCH
from perfcheck.times import typed_time
from perfcheck.units import parse_duration_ms, parse_percentage, parse_rate

if TYPE_CHECKING:
    from perfcheck.history.store import History

_SERVICE_LINKS = ("tcp://", "udp://", "sctp://")
F = TypeVar("F", bound=Callable[..., Any])


def option(*names: str, **attributes: Any) -> Callable[[F], F]:
    """``click.option`` with an environment variable for each long name: PERFCHECK_ and the name."""
    if isinstance(kind := attributes.get("type"), click.IntRange):
        kind.name = "integer"  # click says: 'x' is not a valid integer range
    envvars = [variable_of(name.split("/")[0]) for name in names if name.startswith("--")]
    return click.option(*names, **{"cls": _Option, "envvar": envvars, "show_envvar": True, **attributes})


class _Option(click.Option):
    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Not what Kubernetes sets for a service of the name perfcheck: PERFCHECK_PORT=tcp://10.0.0.11:5001."""
        value = super().resolve_envvar_value(ctx)
        is_link = value and value.startswith(_SERVICE_LINKS) and variable_in_force(self).endswith("_PORT")
        return None if is_link else value


class Parsed(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """A value as ``parse`` reads it; the message of its ValueError is shown."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            return self.fail(str(error), param, ctx)


class _Line(click.types.StringParamType):
    """A text with spaces: several of them in an environment variable are on lines of their own."""

    envvar_list_splitter = "\n"


LINE = _Line()


def duration(probable_unit: str = "s") -> Parsed:
    """``60s``, ``2m``: given to the command in seconds. The unit is suggested for a bare number."""
    return Parsed("duration", lambda text: parse_duration_ms(text, probable_unit) / 1000)


def _connections(text: str) -> int | str:
    if text == "auto":
        return text
    if text.isdecimal() and 1 <= int(text) <= MOST_CONNECTIONS:
        return int(text)
    raise ValueError(f"{text!r} is neither auto nor a whole number from 1 to {MOST_CONNECTIONS}")


PERCENTAGE = Parsed("percentage", parse_percentage)  # 20%: given to the command as 0.2
DATE_OR_AGE = Parsed("date", lambda text: typed_time(text, datetime.now(UTC)))  # 2026-11-01 or 7d, as RFC 3339 in UTC
BRANCH = Parsed("name", lambda text: "" if text == NO_BRANCH else text)  # given to the command as the history takes it

baseline_option = option(
    "-f",
    "--baseline",
    metavar="FILE",
    shell_complete=complete_files,
    help="Baseline file. Default: baselines.yaml here or in a folder above, up to the repository's root.",
)
start_option = option(
    "--start",
    is_flag=False,
    flag_value="",
    metavar="[CMD]",
    help="Start the service with this shell command, and end it afterwards. It has to listen on $PORT, which also "
    "replaces {port} in it. Without CMD: service.start of the baseline.",
)
group_option = option(
    "-g",
    "--group",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_groups,
    help="Only endpoints of this group. Repeatable.",
)
budget_option = option(
    "--budget",
    "--max-time",
    type=duration(),
    help="Stop measuring after this time. Default: as in the baseline, else what the endpoints need, from 120s to 15m.",
)
connections_option = option(
    "--connections",
    type=Parsed("connections", _connections),
    metavar="N|auto",
    help="At most this many requests at once, each to another endpoint; auto finds out how many the service can take. "
    "Default: as in the baseline, else auto.",
)
rate_option = option(
    "--rate",
    type=Parsed("rate", parse_rate),
    help="At most so many requests to a service: 10/s, 600/min. Default: as in the baseline, else no limit.",
)
seed_option = option(
    "--seed", type=click.IntRange(0, 2**32 - 1), metavar="N", help="Repeat the request order of an earlier run."
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
    "file, FORMAT alone to stdout. Or send a message: slack=URL, teams=URL, discord=URL or webhook=URL. Repeatable.",
)
on_option = option(
    "--on",
    type=click.Choice(["always", "change"]),
    default="always",
    show_default=True,
    help="When to send messages: change is when the verdict differs from that of the last saved run.",
)
output_option = option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=complete_files,
    help="Save the run as JSON; same as --report json=FILE.",
)
compare_to_option = option(
    "--compare-to",
    metavar="RUN",
    shell_complete=complete_files,
    help="Show the figures of this earlier run (a file, or a label or id in the history) next to these, without "
    "judging the change. One that is not there yet is a note.",
)
github_option = option(
    "--github/--no-github",
    default=None,
    help="Annotations, job summary and outputs for GitHub Actions. Default: where GITHUB_ACTIONS is true.",
)
quiet_option = option("-q", "--quiet", is_flag=True, help="Show only what needs attention, and the closing line.")
verbose_option = option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Show every endpoint and note, lines of the baseline, and the environment.",
)
history_option = option(
    "--history",
    metavar="FILE|URL",
    shell_complete=complete_files,
    help="The history: a file, or postgresql+psycopg://user:password@host/database. "
    "Default: .perfcheck/history.sqlite at the repository's root.",
)
json_option = option("--json", "in_json", is_flag=True, help="Write JSON to stdout; its fields are stable.")
since_option = option("--since", type=DATE_OR_AGE, help="Only runs since then: 2026-11-01, or 7d or 4w ago.")
until_option = option("--until", type=DATE_OR_AGE, help="Only runs before then: 2026-11-01, or 7d or 4w ago.")
branch_option = option(
    "--branch",
    type=BRANCH,
    metavar="NAME",
    help="The branch whose runs count; '-' for those without one. Default: the repository's default branch.",
)
save_option = option("--save", is_flag=True, help="Save the run to the history.")


def is_for_github(flag: bool | None) -> bool:  # noqa: FBT001 - the value of the option above
    """Whether to write for GitHub Actions: as the option says, else if it runs us."""
    return os.environ.get("GITHUB_ACTIONS") == "true" if flag is None else flag


def github_workspace() -> Path | None:
    """The folder of the checkout, for paths in annotations; None outside GitHub Actions."""
    folder = os.environ.get("GITHUB_WORKSPACE")
    return Path(folder) if folder else None


def opened(history: str | None, *, create: bool = False) -> History:
    """The history named, or the default one. Raises UsageError if it does not exist, unless ``create``."""
    from perfcheck.history.store import open_history

    return open_history(history, Path.cwd(), create=create)
