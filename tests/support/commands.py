"""All commands of perfcheck, as click sees them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from perfcheck.cli.app import cli


def commands() -> Iterator[tuple[str, click.Command]]:
    """Name and command, those of groups within the group included."""
    yield from _within(cli, ())


def _within(group: click.Group, above: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _within(command, (*above, name))
        else:
            yield " ".join((*above, name)), command
