"""The commands as click sees them, and groups of them that import a command when it is called, not before."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import click
from click.core import ParameterSource

from perfcheck.errors import UsageError


def exit_codes(passed: str = "OK or WARNING", not_measured: str = "could not measure or confirm") -> str:
    """The last part of the help of a command that judges something."""
    return f"""
\b
Exit codes:
  0  {passed:<26}1    CRITICAL, or what --fail-on names
  2  usage or baseline error   3    {not_measured}
  4  a bug in perfcheck        130  interrupted
"""


def variable_of(option: str) -> str:
    """The environment variable of an option: PERFCHECK_BASE_URL for ``--base-url``."""
    return f"PERFCHECK_{option.lstrip('-').replace('-', '_').upper()}"


class _Base(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # click leaves it out where an option lacks its value
            raise

    def get_help(self, ctx: click.Context) -> str:
        from perfcheck.cli.ui.help_page import help_page

        return help_page(self, ctx)


class Command(_Base):
    """A command of perfcheck."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            from_environment = [
                variable_in_force(param)
                for param in ctx.command.params
                if ctx.get_parameter_source(param.name or "") is ParameterSource.ENVIRONMENT
            ]
            if from_environment:
                note = f"set by the environment: {', '.join(from_environment)}"
                error.remedy = f"{error.remedy} ({note})" if error.remedy else note
            raise


def variables(param: click.Parameter) -> list[str]:
    """Its environment variables; the first one that is set counts."""
    return [param.envvar] if isinstance(param.envvar, str) else list(param.envvar or ())


def variable_in_force(param: click.Parameter) -> str:
    """The environment variable that its value comes from."""
    return next(name for name in variables(param) if os.environ.get(name))


class LazyGroup(_Base, click.Group):
    """``lines`` has a line of help for each command; its module of that name in ``package`` has it as ``command``.

    ``locations`` names ``module:attribute`` of those that are elsewhere in it. A command may be such a group itself.
    For lists, suggestions and completion the lines do, in place of the commands.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        package: str,
        lines: Mapping[str, str],
        locations: Mapping[str, str] = {},
        **attributes: Any,
    ) -> None:
        stubs = {command: click.Command(command, short_help=line) for command, line in lines.items()}
        super().__init__(name, commands=stubs, **attributes)
        self._package, self._locations = package, locations

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, stub, rest = super().resolve_command(ctx, args)
        return name, self.load(name) if name and stub else None, rest

    def load(self, name: str) -> click.Command:
        """Import the command of this name."""
        module, attribute = self._locations.get(name, f"{name}:command").split(":")
        command = getattr(importlib.import_module(f"{self._package}.{module}"), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - a bug of ours, not of the user
        command.short_help = self.commands[name].short_help
        return command


def leaves(group: LazyGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that call it: ``("history", "list")``. Imports them all."""
    for name in group.commands:
        command = group.load(name)
        if isinstance(command, LazyGroup):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command
