"""The commands as click sees them: their help, and groups that import a command when it is called, not before."""

from __future__ import annotations

import importlib
import keyword
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from perfcheck.cli.ui.described import row, visible_options
from perfcheck.cli.ui.epilog import laid_out, parse_epilog
from perfcheck.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# What options are for -> their names, in the order of the help. One that is not here stands under "Options".
_SECTIONS = {
    "What is reported on": ("source", "period", "since", "until"),
    "What is checked": ("baseline", "base_url", "monitor", "group", "aa", "demo", "regress"),
    "How it is measured": (
        "budget",
        "min_requests",
        "max_requests",
        "max_pairs",
        "confirm",
        "seed",
        "insecure",
        "require_service",
    ),
    "How it is judged": ("metric", "threshold", "against", "fail_on"),
    "What is reported": ("report", "output", "save", "history", "compare_to", "github", "label", "quiet", "verbose"),
}
_FEW = 9  # options that are read at a glance, without sections


class Formatted(click.Command):
    """What the help of perfcheck and of its commands have in common."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for block in parse_epilog(self.epilog):
            formatter.write_paragraph()
            for line in laid_out(block, formatter.width):
                formatter.write(f"{line}\n")


class Command(Formatted):
    """A command of perfcheck."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        parts = {title: [row(option) for option in options] for title, options in sections(self)}
        if asks := self.get_help_option(ctx):
            parts.setdefault("Options" if len(parts) <= 1 else "Help", []).append(row(asks))
        for title, rows in parts.items():
            with formatter.section(title):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if text := twins(self):
            formatter.write_paragraph()
            for line in laid_out(parse_epilog(text)[0], formatter.width):
                formatter.write(f"{line}\n")

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            if source := _variable_behind(error.message, ctx):
                note = f"the value comes from {source} in the environment"
                error.remedy = f"{error.remedy} ({note})" if error.remedy else note
            raise


def sections(command: click.Command) -> Iterator[tuple[str, list[click.Option]]]:
    """The visible options by what they are for; all in one section where they are few."""
    options = list(visible_options(command))
    if len(options) > _FEW:
        for title, names in _SECTIONS.items():
            section = [option for name in names for option in options if option.name == name]
            if section:
                yield title, section
        known = {name for names in _SECTIONS.values() for name in names}
        options = [option for option in options if option.name not in known]
    if options:
        yield "Options", options


def twins(command: click.Command) -> str | None:
    """On variables of the environment, with an option of this command as the example."""
    options = [option for option in visible_options(command) if isinstance(option.envvar, str)]
    if not options:
        return None
    text = f"Every option has a twin in the environment: {options[0].opts[-1]} is {options[0].envvar}."
    several = any(option.multiple for option in options)
    return text + " That of a repeatable one takes several values, with spaces between them." * several


def _variable_behind(message: str, ctx: click.Context) -> str | None:
    """The variable whose value a message is about."""
    for option in ctx.command.params:
        name = option.name or ""
        if ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT:
            value = ctx.params[name]
            for text in value if isinstance(value, tuple) else (value,):
                if isinstance(text, str) and re.search(rf"(?<![\w.-]){re.escape(text)}(?![\w-])", message):
                    return str(option.envvar)
    return None


class LazyGroup(Formatted, click.Group):
    """``lines`` has a line of help for each command; its module of that name in ``package`` has it as ``command``.

    A command may be such a group itself: then ``command`` stands in the ``__init__`` of a package. A name that Python
    keeps for itself ends in an underscore there: ``import_.py``.
    """

    def __init__(self, name: str | None = None, *, package: str, lines: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self._package = package
        self._lines = lines

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self._lines)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._lines:
            return None
        module = cmd_name + "_" * keyword.iskeyword(cmd_name)
        command = importlib.import_module(f"{self._package}.{module}").command
        assert isinstance(command, click.Command)  # noqa: S101 - a defect of ours, not of the user
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Without importing the commands, which click would do to read their help."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=line) for name, line in self._lines.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Without importing the commands, which click would do to read their help."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._lines.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._lines and not args[0].startswith("-"):
            near = get_close_matches(args[0], self._lines, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else f" Commands: {', '.join(self._lines)}."
            ctx.fail(f"No such command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)


def leaves(group: click.Group, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that call it: ``("history", "list")``. Imports them all."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*above, name))
        elif command is not None:
            yield (*above, name), command


def walk(root: click.Context, words: list[str]) -> click.Context:
    """The context of the command that ``words`` call, below that of a group; of the last one that is known."""
    context = root
    for word in words:
        group = context.command
        command = group.get_command(context, word) if isinstance(group, click.Group) else None
        if command is None:
            break
        context = click.Context(command, info_name=word, parent=context)
    return context
