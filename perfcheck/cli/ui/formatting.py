"""How the help of a command looks: its options by what they are for, and examples that fit the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
from click.core import ParameterSource

from perfcheck.cli.ui.described import row, visible_options
from perfcheck.cli.ui.epilog import laid_out, parse_epilog
from perfcheck.errors import UsageError

# What options are for -> their names, in the order of the help. One that is not here stands under "Options".
_SECTIONS = {
    "What is reported on": ("source", "period", "since", "until"),
    "What is checked": ("baseline", "base_url", "monitor", "group", "aa", "demo", "regress"),
    "How it is measured": (
        "budget",
        "min_requests",
        "max_requests",
        "max_pairs",
        "confirm",
        "seed",
        "insecure",
        "require_service",
    ),
    "How it is judged": ("metric", "threshold", "against", "fail_on"),
    "What is reported": ("report", "output", "save", "history", "compare_to", "github", "label", "quiet", "verbose"),
}
_FEW = 9  # options that are read at a glance, without sections


class Formatted(click.Command):
    """What the help of perfcheck and of its commands have in common."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for block in parse_epilog(self.epilog):
            formatter.write_paragraph()
            for line in laid_out(block, formatter.width):
                formatter.write(f"{line}\n")


class Command(Formatted):
    """A command of perfcheck."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        parts = {title: [row(option) for option in options] for title, options in sections(self)}
        if asks := self.get_help_option(ctx):
            parts.setdefault("Options" if len(parts) <= 1 else "Help", []).append(row(asks))
        for title, rows in parts.items():
            with formatter.section(title):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if text := twins(self):
            formatter.write_paragraph()
            for line in laid_out(parse_epilog(text)[0], formatter.width):
                formatter.write(f"{line}\n")

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            if source := _variable_behind(error.message, ctx):
                note = f"the value comes from {source} in the environment"
                error.remedy = f"{error.remedy} ({note})" if error.remedy else note
            raise


def sections(command: click.Command) -> Iterator[tuple[str, list[click.Option]]]:
    """The visible options by what they are for; all in one section where they are few."""
    options = list(visible_options(command))
    if len(options) > _FEW:
        for title, names in _SECTIONS.items():
            section = [option for name in names for option in options if option.name == name]
            if section:
                yield title, section
        known = {name for names in _SECTIONS.values() for name in names}
        options = [option for option in options if option.name not in known]
    if options:
        yield "Options", options


def twins(command: click.Command) -> str | None:
    """On variables of the environment, with an option of this command as the example."""
    options = [option for option in visible_options(command) if isinstance(option.envvar, str)]
    if not options:
        return None
    text = f"Every option has a twin in the environment: {options[0].opts[-1]} is {options[0].envvar}."
    several = any(option.multiple for option in options)
    return text + " That of a repeatable one takes several values, with spaces between them." * several


def _variable_behind(message: str, ctx: click.Context) -> str | None:
    """The variable whose value a message is about."""
    for option in ctx.command.params:
        name = option.name or ""
        if ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT:
            value = ctx.params[name]
            for text in value if isinstance(value, tuple) else (value,):
                if isinstance(text, str) and re.search(rf"(?<![\w.-]){re.escape(text)}(?![\w-])", message):
                    return str(option.envvar)
    return None
