"""Groups of commands that import a command when it is asked for, not before: not for a list, and not for completion."""

from __future__ import annotations

import importlib
import keyword
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.ui.formatting import Formatted

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


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
