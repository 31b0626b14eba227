"""``perfcheck completion``: the script that teaches a shell to complete perfcheck's command line."""

from __future__ import annotations

import os
import sys
from pathlib import PurePath

import click

from perfcheck.cli.ui.commands import Command
from perfcheck.cli.ui.shells import SHELLS, script
from perfcheck.errors import EXIT_OK, UsageError

_SWITCH_ON = {
    "bash": """echo 'eval "$(perfcheck completion bash)"' >> ~/.bashrc""",
    "zsh": """echo 'eval "$(perfcheck completion zsh)"' >> ~/.zshrc""",
    "fish": "perfcheck completion fish > ~/.config/fish/completions/perfcheck.fish",
}
_EXAMPLES = f"""\b
Examples:
  perfcheck completion              the script for the shell in $SHELL
  perfcheck completion bash         the script for bash

\b
To switch it on in every new shell (bash, zsh, fish):
  {_SWITCH_ON["bash"]}
  {_SWITCH_ON["zsh"]}
  {_SWITCH_ON["fish"]}

In zsh the line belongs below the one that calls compinit. Then 'perfcheck run <Tab>' offers the endpoints of the
baseline, and 'perfcheck run --report <Tab>' the formats.
"""


@click.command("completion", cls=Command, epilog=_EXAMPLES, short_help="Print the completion script of a shell.")
@click.argument("shell", required=False, type=click.Choice(SHELLS), metavar="[bash|zsh|fish]")
def command(shell: str | None) -> int:
    """Print the script that completes commands, options, endpoints, groups and files in a shell.

    Without an argument the shell is the one that SHELL names.
    """
    shell = shell or _usual_shell()
    click.echo(script(click.get_current_context().find_root().command, shell), nl=False)
    if sys.stdout.isatty():  # someone is looking at it who wanted to use it
        click.echo(f"\n# To switch it on: {_SWITCH_ON[shell]}", err=True)
    return EXIT_OK


def _usual_shell() -> str:
    name = PurePath(os.environ.get("SHELL", "")).name
    if name in SHELLS:
        return name
    told = f"SHELL is '{name}', for which there is no completion" if name else "SHELL is not set"
    raise UsageError(f"which shell? {told}", f"name one: perfcheck completion {'|'.join(SHELLS)}")
