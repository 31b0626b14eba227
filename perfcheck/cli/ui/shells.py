"""Completion in a shell: click's scripts and protocol, and what click leaves out: ``--option=value``, and quotes."""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Iterator

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

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_PERFCHECK_COMPLETE"  # the shell's script sets it to bash_complete, zsh_complete or fish_complete
_SAFE_IN_BASH = re.compile(r"[\w@%+=:,./-]*")


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
        """Bash splits ``--report=html`` at ``=`` and ``:``, and expects only what stands behind the last of them."""
        cut = int(os.environ["COMP_CWORD"])
        words = split_arg_string(os.environ["COMP_WORDS"])[: cut + 1]
        words += [""] * (cut + 1 - len(words))
        last = "" if _is_break(words[-1]) else words[-1]
        joined = _join(words)
        self._kept_by_bash = joined[-1].removesuffix(last) if last else joined[-1]
        return joined[1:-1], joined[-1]

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        items = super().get_completions(args, incomplete)
        for item in items:
            item.value = item.value.removeprefix(self._kept_by_bash)
        return items

    def format_completion(self, item: CompletionItem) -> str:
        """Quoted, since bash runs what it finds in a name such as ``$(command)``."""
        value = item.value if _SAFE_IN_BASH.fullmatch(item.value) else shlex.quote(item.value)
        return f"{item.type},{value}"


@add_completion_class
class Zsh(_WholeWord, ZshComplete):
    pass


@add_completion_class
class Fish(_WholeWord, FishComplete):
    pass


def script(command: click.Command, shell: str) -> str:
    """The completion script for one of SHELLS."""
    protocol = get_completion_class(shell)
    assert protocol is not None  # noqa: S101 - one of SHELLS
    return protocol(command, {}, "perfcheck", VARIABLE).source()


def answer(command: click.Command, instruction: str) -> int:
    """Print the completions that a shell requests; returns the exit code.

    Whatever goes wrong, nothing else is printed: it would appear in the middle of a command line.
    """
    try:
        return shell_complete(command, {}, "perfcheck", VARIABLE, instruction)
    except Exception:  # noqa: BLE001 - no completions, and nobody to report to
        return 1


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
