"""All commands of perfcheck, as click sees them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from perfcheck.cli.app import cli
from perfcheck.cli.ui.commands import leaves


def commands() -> Iterator[tuple[str, click.Command]]:
    """Name and command, those of groups within the group included."""
    for words, command in leaves(cli):
        yield " ".join(words), command
