"""``perfcheck help``: the help of a command, for those who ask for it so."""

from __future__ import annotations

import click

from perfcheck.cli.ui.commands import Command, walk
from perfcheck.errors import EXIT_OK, UsageError

_EXAMPLES = """\b
Examples:
  perfcheck help                    the commands
  perfcheck help run                the same as 'perfcheck run --help'
"""


def _complete_commands(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    typed = ctx.params.get(param.name or "") or ()
    group = walk(ctx.find_root(), list(typed)).command
    names = group.list_commands(ctx) if isinstance(group, click.Group) else []
    return [name for name in names if name.startswith(incomplete)]


@click.command("help", cls=Command, epilog=_EXAMPLES, short_help="Show the help of a command.")
@click.argument("names", nargs=-1, metavar="[COMMAND]...", shell_complete=_complete_commands)
@click.pass_context
def command(context: click.Context, /, names: tuple[str, ...]) -> int:
    """Show the help of a command, or of perfcheck."""
    asked = context.find_root()
    for name in names:
        if not isinstance(asked.command, click.Group):
            raise UsageError(f"'{asked.command_path}' has no commands", f"perfcheck help {' '.join(names[:-1])}")
        _, command, _ = asked.command.resolve_command(asked, [name])
        assert command is not None  # noqa: S101 - an unknown one is an error by now
        asked = click.Context(command, info_name=name, parent=asked)
    click.echo(asked.get_help())
    return EXIT_OK
