"""``perfcheck help``: the help of a command, for those who ask for it so."""

from __future__ import annotations

import click

from perfcheck.cli.formatting import Command
from perfcheck.errors import EXIT_OK

_EXAMPLES = """\b
Examples:
  perfcheck help                    the commands
  perfcheck help run                the same as 'perfcheck run --help'
"""


def _complete_commands(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)  # noqa: S101 - a defect of ours, not of the user
    return [name for name in root.command.list_commands(root) if name.startswith(incomplete)]


@click.command("help", cls=Command, epilog=_EXAMPLES, short_help="Show the help of a command.")
@click.argument("name", required=False, metavar="[COMMAND]", shell_complete=_complete_commands)
@click.pass_context
def command(context: click.Context, /, name: str | None) -> int:
    """Show the help of a command, or of perfcheck."""
    root = context.find_root()
    assert isinstance(root.command, click.Group)  # noqa: S101
    if name is None:
        click.echo(root.get_help())
        return EXIT_OK
    _, asked, _ = root.command.resolve_command(root, [name])
    assert asked is not None  # noqa: S101 - an unknown one is an error by now
    click.echo(asked.get_help(click.Context(asked, info_name=name, parent=root)))
    return EXIT_OK
