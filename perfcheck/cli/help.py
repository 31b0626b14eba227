"""``perfcheck help``: the same as ``--help``."""

from __future__ import annotations

import click

from perfcheck.cli.ui.commands import Command, LazyGroup
from perfcheck.errors import EXIT_OK, UsageError

_EXAMPLES = """\b
Examples:
  perfcheck help                    the commands
  perfcheck help run                the same as 'perfcheck run --help'
"""


def _complete_commands(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    group = ctx.find_root().command
    for name in ctx.params.get(param.name or "") or ():
        group = group.load(name) if isinstance(group, LazyGroup) and name in group.commands else group
    return [name for name in group.commands if name.startswith(incomplete)] if isinstance(group, LazyGroup) else []


@click.command("help", cls=Command, epilog=_EXAMPLES)
@click.argument("names", nargs=-1, metavar="[COMMAND]...", shell_complete=_complete_commands)
@click.pass_context
def command(context: click.Context, /, names: tuple[str, ...]) -> int:
    """Show the help of a command, or of perfcheck itself."""
    page = context.find_root()
    for name in names:
        if not isinstance(page.command, click.Group):
            raise UsageError(f"'{page.command_path}' has no commands", f"perfcheck help {' '.join(names[:-1])}")
        _, command, _ = page.command.resolve_command(page, [name])
        assert command is not None  # noqa: S101 - an unknown one is an error by now
        page = click.Context(command, info_name=name, parent=page)
    click.echo(page.get_help())
    return EXIT_OK
