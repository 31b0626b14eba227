"""Completion in a shell, and ``perfcheck completion``, which prints the script for one.

Scripts and protocol are click's. Added is what click leaves out: ``--option=value``, and quotes in bash.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import PurePath

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
    shell_complete,
    split_arg_string,
)

from perfcheck.cli.ui.commands import Command
from perfcheck.errors import EXIT_OK, UsageError

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_PERFCHECK_COMPLETE"  # the shell's script sets it to bash_complete, zsh_complete or fish_complete
_SAFE_IN_BASH = re.compile(r"[\w@%+=:,./-]*")
_ENABLE = {
    "bash": """echo 'eval "$(perfcheck completion bash)"' >> ~/.bashrc""",
    "zsh": """echo 'eval "$(perfcheck completion zsh)"' >> ~/.zshrc""",
    "fish": "perfcheck completion fish > ~/.config/fish/completions/perfcheck.fish",
}
_EXAMPLES = f"""\b
Examples:
  perfcheck completion              the script for the shell in $SHELL
  perfcheck completion bash         the script for bash

\b
Enable it in every new shell (bash, zsh, fish):
  {_ENABLE["bash"]}
  {_ENABLE["zsh"]}
  {_ENABLE["fish"]}

In zsh, put the line below the one that calls compinit. Then 'perfcheck run <Tab>' offers the endpoints of the
baseline, and 'perfcheck run --report <Tab>' the formats.
"""


@click.command("completion", cls=Command, epilog=_EXAMPLES)
@click.argument("shell", required=False, type=click.Choice(SHELLS), metavar="[bash|zsh|fish]")
def command(shell: str | None) -> int:
    """Print the script that completes commands, options, endpoints, groups and files in a shell.

    Without an argument, for the shell named by the variable SHELL.
    """
    shell = shell or _usual_shell()
    protocol = get_completion_class(shell)
    assert protocol is not None  # noqa: S101 - one of SHELLS
    click.echo(protocol(click.get_current_context().find_root().command, {}, "perfcheck", _VARIABLE).source(), nl=False)
    if sys.stdout.isatty():  # printed for someone who probably wants to use it
        click.echo(f"\n# To enable it: {_ENABLE[shell]}", err=True)
    return EXIT_OK


def _usual_shell() -> str:
    name = PurePath(os.environ.get("SHELL", "")).name
    if name in SHELLS:
        return name
    reason = f"SHELL is '{name}', which is not supported" if name else "SHELL is not set"
    raise UsageError(f"no shell given, and {reason}", f"give one: perfcheck completion {'|'.join(SHELLS)}")


def answer(command: click.Command, instruction: str) -> int:
    """Print the completions that a shell requests; returns the exit code.

    Whatever goes wrong, nothing else is printed: it would appear in the middle of a command line.
    """
    try:
        return shell_complete(command, {}, "perfcheck", _VARIABLE, instruction)
    except Exception:  # noqa: BLE001 - no completions, and nobody to report to
        return 1


class _WholeWord(ShellComplete):
    """Puts back the ``--option=`` that click takes off: a shell replaces or compares the whole word."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        option, separator, _ = incomplete.partition("=")
        prefix = f"{option}=" if separator and option.startswith("--") else ""
        items = super().get_completions(args, incomplete)
        return [whole for item in items for whole in self._whole(item, prefix + (item.prefix or ""))]

    def _whole(self, item: CompletionItem, prefix: str) -> Iterator[CompletionItem]:
        if item.type != "file":
            item.value = prefix + item.value
        elif prefix and self.name != "bash":  # bash itself completes the file behind an =
            paths = glob.glob(f"{glob.escape(item.value)}*")  # noqa: PTH207 - as typed, ./ and all
            yield from (CompletionItem(prefix + path) for path in sorted(paths))
            return
        yield item


@add_completion_class
class Bash(_WholeWord, BashComplete):
    def get_completion_args(self) -> tuple[list[str], str]:
        """Bash splits ``--report=html`` at ``=`` and ``:``, and expects only what follows the last of them."""
        cut = int(os.environ["COMP_CWORD"])
        words = split_arg_string(os.environ["COMP_WORDS"])[: cut + 1]
        words += [""] * (cut + 1 - len(words))
        last = "" if _is_break(words[-1]) else words[-1]
        joined = _join(words)
        self._kept_by_bash = joined[-1].removesuffix(last) if last else joined[-1]
        return joined[1:-1], joined[-1]

    def format_completion(self, item: CompletionItem) -> str:
        """Quoted, since bash runs what it finds in a name such as ``$(command)``."""
        value = item.value.removeprefix(self._kept_by_bash)
        return f"{item.type},{value if _SAFE_IN_BASH.fullmatch(value) else shlex.quote(value)}"


@add_completion_class
class Zsh(_WholeWord, ZshComplete):
    pass


@add_completion_class
class Fish(_WholeWord, FishComplete):
    pass


def _is_break(word: str) -> bool:
    return bool(word) and set(word) <= {"=", ":"}


def _join(words: list[str]) -> list[str]:
    joined: list[str] = []
    glue = False
    for word in words:
        if joined and word and (glue or (_is_break(word) and len(joined) > 1)):
            joined[-1] += word
        else:
            joined.append(word)
        glue = _is_break(word)
    return joined
