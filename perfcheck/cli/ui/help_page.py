"""The help of a command, drawn by rich-click. Imported only when help is wanted, since rich takes its time."""

from __future__ import annotations

import re
from textwrap import fill

import click
from rich.console import ConsoleDimensions
from rich.text import Text
from rich_click import RichCommand, RichCommandPanel, RichContext, RichGroup, RichHelpConfiguration, RichOptionPanel

from perfcheck.cli.ui.output import without_trailing_blanks
from perfcheck.cli.ui.terminal import terminal_width

# Title -> names of options, in the order of the help. An option that is not here comes last.
_SECTIONS = {
    "What is reported on": ("source", "period", "since", "until", "branch"),
    "What is checked": (
        *("baseline", "base_url", "start", "setup", "setup_inputs", "copy"),
        *("monitor", "group", "aa", "demo", "regress", "owns_host"),
    ),
    "Where operations are found": ("openapi", "har", "postman", "curl", "access_log", "source", "header", "allow"),
    "How it is measured": (
        *("budget", "connections", "rate", "errors", "min_requests", "max_requests", "max_pairs", "confirm", "seed"),
        *("model", "max_time", "workers", "expect_workers", "bind", "worker", "master", "insecure"),
    ),
    "How it is judged": (
        "least",
        "at_least",
        "metric",
        "target",
        "threshold",
        "against",
        "fail_on",
        "allow_partial",
        "require_service",
    ),
    "What is reported": (
        "report",
        "on",
        "output",
        "save",
        "history",
        "compare_to",
        "browser_files",
        "github",
        "label",
        "quiet",
        "verbose",
    ),
}
_FEW = 9  # options that are read at a glance, without sections
_WIDEST = 100
_FIRST_COLUMN = re.compile(r"  \S.*?\s{2,}")
_TITLE = re.compile(r"^\S.*:$", re.MULTILINE)


def help_page(command: click.Command, ctx: click.Context) -> str:
    """In colour, which ``click.echo`` takes out where it does not belong."""
    width = min(terminal_width(80), _WIDEST)
    titled = sections(command)
    is_group = isinstance(command, click.Group)
    config = RichHelpConfiguration(
        theme="default-slim",
        enable_theme_env_var=False,
        width=width,
        style_helptext="",
        color_system="standard",
        force_terminal=True,
        options_panel_title="Options" if len(titled) <= 1 or is_group else "Help",
        options_table_help_sections=["help", "required", "default", "envvar"],
        text_paragraph_linebreaks="\n\n",
        padding_helptext_first_line=(0, 0, int("\n\n" in (command.help or "")), 0),
        default_string=r"\[default: {}]",
        envvar_string=r"\[${}]",
        footer_text=_footer(command.epilog, width),
    )
    drawn = _rich(command)
    if len(titled) > 1:
        for title, options in titled.items():
            drawn.add_panel(RichOptionPanel(title, [option.name or "" for option in options]))
    drawn_ctx = RichContext(
        drawn,
        info_name=ctx.info_name,
        parent=ctx.parent,
        help_option_names=ctx.help_option_names,
        rich_help_config=config,
    )
    formatter = drawn_ctx.make_formatter()
    formatter.console.size = ConsoleDimensions(width, 25)  # rich takes any dumb terminal for 80 wide
    drawn.format_help(drawn_ctx, formatter)
    return without_trailing_blanks(formatter.getvalue()).rstrip("\n")


def sections(command: click.Command) -> dict[str, list[click.Option]]:
    """The visible options by what they are for; all in one section where they are few."""
    options = {option.name: option for option in visible_options(command)}
    titled = {}
    if len(options) > _FEW:
        titled = {title: [options.pop(name) for name in names if name in options] for title, names in _SECTIONS.items()}
    titled["Options"] = list(options.values())
    return {title: options for title, options in titled.items() if options}


def visible_options(command: click.Command) -> list[click.Option]:
    return [param for param in command.params if isinstance(param, click.Option) and not param.hidden]


def _rich(command: click.Command) -> RichCommand:
    if not isinstance(command, click.Group):
        return RichCommand(name=command.name, params=command.params, help=command.help)
    group = RichGroup(name=command.name, params=command.params, help=command.help, commands=command.commands)
    group.add_panel(RichCommandPanel("Commands", list(command.commands)))  # in their own order
    return group


def _footer(epilog: str | None, width: int) -> Text:
    r"""Blocks are separated by empty lines; one that begins with ``\b`` keeps its lines, as in click."""
    blocks = [block.strip("\n") for block in (epilog or "").split("\n\n")]
    lines = [block[2:] if block.startswith("\b\n") else block.replace("\n", " ") for block in blocks]
    text = Text("\n".join(_folded(line, width) for line in "\n\n".join(lines).splitlines()))
    text.highlight_regex(_TITLE, "bold")
    return text


def _folded(line: str, width: int) -> str:
    """A line of two columns goes on below its second column."""
    first = _FIRST_COLUMN.match(line)
    return fill(line, width, subsequent_indent=" " * (first.end() if first else 0), break_on_hyphens=False)
