"""Options that several commands share. Each has a PERFCHECK_* twin in the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from perfcheck.cli.ui.complete_values import complete_files, complete_groups
from perfcheck.model import Verdict
from perfcheck.units import parse_duration_ms, parse_percentage

F = TypeVar("F", bound=Callable[..., Any])


class Option(click.Option):
    """An option whose twin means for a flag what it says: click 8.2.1 takes any text for true, 'false' too."""

    def value_from_envvar(self, ctx: click.Context) -> Any:
        if not self.is_flag:
            return super().value_from_envvar(ctx)
        text = os.environ.get(str(self.envvar))
        if not text:
            return None
        ctx.set_parameter_source(self.name or "", ParameterSource.ENVIRONMENT)  # before it is refused: the error asks
        return click.BOOL.convert(text, self, ctx)


def option(*names: str, **attributes: Any) -> Callable[[F], F]:
    """``click.option`` whose environment twin is PERFCHECK_ and the long name."""
    long = next(name for name in names if name.startswith("--"))
    envvar = "PERFCHECK_" + long.removeprefix("--").split("/")[0].replace("-", "_").upper()
    return click.option(*names, **{"cls": Option, "envvar": envvar, **attributes})


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
    "--budget", type=Duration(), help="Stop measuring after this time.  [default: 120s, or the baseline's]"
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
    help="The mildest verdict that exits with 1.",
)


def mildest(fail_on: str) -> Verdict | None:
    """The mildest verdict that fails a run, by the value of --fail-on; None: no verdict does."""
    return None if fail_on == "never" else Verdict(fail_on.upper())
