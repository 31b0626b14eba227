"""How each shell asks for completions and is answered: click's protocol, with scripts that keep what was typed whole.

Beside click's own scripts, these know ``--option=value`` and ``FORMAT=FILE`` in every shell, quote what a shell would
otherwise read as its own syntax, and put no space behind an ``=``.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from typing import ClassVar

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    split_arg_string,
)

VARIABLE = "_PERFCHECK_COMPLETE"  # the shell's script sets it to bash_complete, zsh_complete or fish_complete
_SAFE_IN_BASH = re.compile(r"[\w@%+=:,./-]*")

_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            file) compopt -o default 2>/dev/null ;;
            dir) compopt -o dirnames 2>/dev/null ;;
            plain)
                COMPREPLY+=("$value")
                [[ $value == *= ]] && compopt -o nospace 2>/dev/null
                ;;
        esac
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" %(complete_var)s=bash_complete \\
        "$1" 2>/dev/null)
    return 0
}

# bash 3.2, of macOS, knows neither nosort nor compopt: it always falls back to files instead.
complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null ||
    complete -o default -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local type value help
    local -a lines plain described unfinished
    (( ! $+commands[%(prog_name)s] )) && return 1
    lines=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) %(complete_var)s=zsh_complete \\
        %(prog_name)s 2>/dev/null)}")
    for type value help in $lines; do
        case $type in
            file) [[ $PREFIX == *=* && $PREFIX != "$value" ]] && compset -P '*='; _files ;;
            dir) _files -/ ;;
            plain)
                if [[ $value == *= ]]; then
                    unfinished+=("$value")
                elif [[ $help == _ ]]; then
                    plain+=("$value")
                else
                    described+=("$value:$help")
                fi
                ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described
    (( $#plain )) && compadd -V unsorted -a plain
    (( $#unfinished )) && compadd -V unsorted -S '' -a unfinished
    return 0
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = """\
function %(complete_func)s
    set -l word (commandline -ct)
    set -l words (commandline -cp | string collect)
    for line in (env COMP_WORDS="$words" COMP_CWORD="$word" %(complete_var)s=fish_complete %(prog_name)s 2>/dev/null)
        set -l parts (string split --max 1 , -- $line)
        switch $parts[1]
            case plain
                echo $parts[2]
            case file
                set -l kept (math (string length -- "$word") - (string length -- "$parts[2]"))
                set -l before (string sub --length $kept -- "$word")
                for path in (__fish_complete_path "$parts[2]")
                    echo "$before$path"
                end
            case dir
                __fish_complete_directories $parts[2]
        end
    end
end

complete --no-files --keep-order --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class _KeepsTheOption(ShellComplete):
    """Puts back the ``--option=`` that click takes off, since the shell replaces or compares the whole word."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        items = super().get_completions(args, incomplete)
        option, separator, _ = incomplete.partition("=")
        if separator and option.startswith("--"):
            for item in items:
                item.value = item.value if item.type == "file" else f"{option}={item.value}"
        return items


class Bash(_KeepsTheOption, BashComplete):
    source_template: ClassVar[str] = _BASH

    def source(self) -> str:
        return ShellComplete.source(self)  # without click's refusal of bash 3.2, in which this script works

    def get_completion_args(self) -> tuple[list[str], str]:
        """Bash takes ``--report=html`` apart at ``=`` and ``:``, and expects only what stands behind the last one."""
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
        value = item.value if _SAFE_IN_BASH.fullmatch(item.value) else shlex.quote(item.value)
        return f"{item.type},{value}"


class Zsh(_KeepsTheOption, ZshComplete):
    source_template: ClassVar[str] = _ZSH


class Fish(_KeepsTheOption, FishComplete):
    source_template: ClassVar[str] = _FISH


SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def script(command: click.Command, shell: str) -> str:
    """The completion script for one of SHELLS."""
    return SHELLS[shell](command, {}, "perfcheck", VARIABLE).source()


def answer(command: click.Command, instruction: str) -> int:
    """Print what a shell's script asks for (``bash_complete``), or the script (``bash_source``); the exit code.

    Nothing but that is ever printed, whatever goes wrong: it would appear in the middle of a command line.
    """
    shell, _, what = instruction.partition("_")
    if shell not in SHELLS or what not in {"source", "complete"}:
        return 1
    try:
        text = script(command, shell) if what == "source" else _completions(command, shell)
    except Exception:  # noqa: BLE001 - nothing to offer, and nobody to tell it to
        return 1
    sys.stdout.buffer.write(text.encode("utf-8", errors="replace"))
    sys.stdout.flush()
    return 0


def _completions(command: click.Command, shell: str) -> str:
    completions = SHELLS[shell](command, {}, "perfcheck", VARIABLE).complete()
    return completions + "\n" if completions else ""


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
