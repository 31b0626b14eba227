"""A command line, or an environment, that was not understood: what is wrong, and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

import click
from click.core import ParameterSource

from perfcheck.cli.ui.commands import LazyGroup, leaves, variable_in_force, variable_of, variables

_PREFIX = "PERFCHECK_"
_NOT_OPTIONS = ("PERFCHECK_DEBUG", "PERFCHECK_TEST_", "PERFCHECK_WORKERS_KEY")
_SIMILAR = 0.8  # difflib's ratio: BASEURL and BASE_URL have 0.93, FORMAT and FROM 0.6


def explain(error: click.ClickException) -> tuple[str, str | None]:
    """The message and the remedy for an error of click."""
    if not isinstance(error, click.UsageError) or not error.ctx:
        return error.format_message(), None
    listed = "commands" if isinstance(error, click.exceptions.NoSuchCommand) else "options"
    where_to_look = f"'{error.ctx.command_path} --help' lists the {listed}"
    if isinstance(error, (click.NoSuchOption, click.exceptions.NoSuchCommand)):
        return error.message, _suggestion(error, error.ctx) or where_to_look
    return _message(error, error.ctx), _purpose(error, error.ctx) or where_to_look


def _suggestion(error: click.NoSuchOption | click.exceptions.NoSuchCommand, ctx: click.Context) -> str | None:
    """What click finds similar; but an option that another command has was probably meant for that one."""
    root = ctx.find_root().command
    if isinstance(error, click.NoSuchOption) and isinstance(root, LazyGroup):
        name = error.option_name
        owners = [f"perfcheck {' '.join(path)}" for path, command in leaves(root) if _has_option(command, name)]
        if owners and name.startswith("--"):
            return f"'{name}' is an option of: {', '.join(owners)}"
    return f"did you mean {error.possibilities[0]}?" if error.possibilities else None


def _has_option(command: click.Command, name: str) -> bool:
    return any(name in (*param.opts, *param.secondary_opts) for param in command.params)


def _message(error: click.UsageError, ctx: click.Context) -> str:
    """Says where a wrong value comes from: an option, an argument or an environment variable."""
    if not isinstance(error, click.BadParameter) or isinstance(error, click.MissingParameter) or not error.param:
        return error.format_message()
    name = str(error.param.name).upper()
    if isinstance(error.param, click.Option):
        name = next((name for name in error.param.opts if name.startswith("--")), error.param.opts[0])
    if ctx.get_parameter_source(error.param.name or "") is ParameterSource.ENVIRONMENT:
        name += f" (from {variable_in_force(error.param)})"
    return f"Invalid value for {name}: {error.message}"


def _purpose(error: click.UsageError, ctx: click.Context) -> str | None:
    """The option that the error is about, as the help has it."""
    param = error.param if isinstance(error, click.BadParameter) else None
    if isinstance(error, click.BadOptionUsage):
        param = next((param for param in ctx.command.params if error.option_name in param.opts), None)
    record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
    return f"{record[0]}: {param.help}" if record and isinstance(param, click.Option) else None


def misspelt_variables(group: LazyGroup, env: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable whose name is almost that of an option.

    Only for those: a baseline may use variables of any name, PERFCHECK_API_TOKEN among them.
    """
    candidates = [name for name in sorted(env) if name.startswith(_PREFIX) and not name.startswith(_NOT_OPTIONS)]
    if not candidates:  # the usual case, in which no command is imported
        return
    remedies: dict[str, str] = {}  # variable -> what to set instead
    for option in (option for _, command in leaves(group) for option in command.params):
        for variable in variables(option):
            remedies[variable] = variable
            remedies |= {variable_of(name): f"{variable}=false" for name in option.secondary_opts}
    known = [name.removeprefix(_PREFIX) for name in remedies]
    for name in candidates:
        near = get_close_matches(name.removeprefix(_PREFIX), known, 1, _SIMILAR)
        if near and remedies.get(name) != name:
            yield f"{name} has no effect: did you mean {remedies[_PREFIX + near[0]]}?"
