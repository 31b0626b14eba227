"""An option in words, the same in the help and in the manual, and the same whatever the version of click."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

_DEFAULT = re.compile(r"\s*\[default: (.*?)\]\s*$")  # written where the default is not a value of the option
_FEW_NUMBERS = 5
_HELP = "Show this message and exit."


def visible_options(command: click.Command) -> Iterator[click.Option]:
    """Without -h, which click makes for each context."""
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden and "--help" not in param.opts:
            yield param


def names(option: click.Option) -> str:
    """``-f, --baseline FILE``, ``--github / --no-github``: short names first."""
    text = ", ".join(sorted(option.opts, key=len))
    if option.secondary_opts:
        text += f" / {', '.join(option.secondary_opts)}"
    return text if option.is_flag else f"{text} {metavar(option)}"


def metavar(param: click.Parameter) -> str:
    """What stands for the value."""
    kind = param.type
    if param.metavar:
        return param.metavar
    if isinstance(kind, click.Choice):
        return f"[{'|'.join(map(str, kind.choices))}]"
    if isinstance(kind, click.IntRange) and kind.min is not None and kind.max is not None:
        few = kind.max - kind.min < _FEW_NUMBERS
        return f"[{'|'.join(map(str, range(kind.min, kind.max + 1)))}]" if few else "N"
    return "N" if isinstance(kind, (click.types.IntParamType, click.types.IntRange)) else kind.name.upper()


def purpose(option: click.Option) -> str:
    """The help without the default."""
    return _DEFAULT.sub("", option.help or "").strip()


def default(option: click.Option) -> str | None:
    """As far as the user need know it."""
    if told := _DEFAULT.search(option.help or ""):
        return told[1]
    return str(option.default) if option.show_default else None


def row(option: click.Option) -> tuple[str, str]:
    """The two columns of the help."""
    if "--help" in option.opts:
        return names(option), _HELP
    value = default(option)
    extras = ["required"] * option.required + ([f"default: {value}"] if value is not None else [])
    return names(option), purpose(option) + (f"  [{'; '.join(extras)}]" if extras else "")
