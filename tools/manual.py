"""The manual page, made from the commands themselves: ``python tools/manual.py > docs/reference/cli.md``."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

import click

from perfcheck.cli.app import cli
from perfcheck.cli.ui.commands import leaves, variables
from perfcheck.cli.ui.help_page import sections

_WIDTH = 120
_CELLS = re.compile(r"\s{2,}")
_CODE = re.compile(r"(?<!\S)(\d{1,3})\s{2,}(.+?)(?=\s{2,}\d+\s{2}|$)")
_HEAD = """\
<!-- Made from the commands: change those, then run `python tools/manual.py > docs/reference/cli.md` -->

# perfcheck(1)

"""
_ENVIRONMENT = """\
## ENVIRONMENT

Every option can be set by an environment variable, named next to it: `PERFCHECK_BASE_URL` for `--base-url`. The command
line takes precedence over the environment, and the environment over the baseline file.
[Environment variables](environment.md) has the details, and the other variables that count.

"""
_FILES = """\
## FILES

| file | what it is |
|---|---|
| `baselines.yaml` | the targets of the service; searched for in this folder and above it, up to the repository's root |
| `baselines.schema.json` | the JSON Schema of the baseline, for editors, as `perfcheck schema` prints it |
| `.perfcheck/history.sqlite` | the runs saved with `--save`, at the repository's root; git ignores the folder |
| the file of `-o` | a run with every sample, as JSON; read by `perfcheck report --from` and `--compare-to` |

Every report is written to a temporary file and then renamed, so that no reader finds half of it.

## SEE ALSO

[The baseline file](baseline.md), [how it decides](../explanation/how-it-decides.md),
[the history](../how-to/history.md), [benchmarks](../benchmarks.md).
"""


@dataclass(frozen=True, slots=True)
class Block:
    r"""A block of an epilog: one that begins with ``\b`` has a title, and lines that keep their layout."""

    title: str | None  # None: a paragraph
    lines: tuple[str, ...]

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Each line as what comes before a gap of two spaces or more, and what after: a command and its comment."""
        parts = (_CELLS.split(line.strip(), maxsplit=1) for line in self.lines)
        return tuple((before, behind[0] if behind else "") for before, *behind in parts)

    def exit_codes(self) -> tuple[tuple[int, str], ...]:
        """Each code and its meaning; two or more may stand in a line. Empty where the block is about something else."""
        if self.title != "Exit codes":
            return ()
        matches = (match for line in self.lines for match in _CODE.finditer(line))
        return tuple(sorted((int(match[1]), match[2].strip()) for match in matches))

    def has_commands(self) -> bool:
        return any("perfcheck " in before for before, _ in self.pairs())


def parse_epilog(text: str | None) -> tuple[Block, ...]:
    """The blocks of an epilog, in their order."""
    return tuple(_parse(part) for part in re.split(r"\n\s*\n", (text or "").strip("\n")) if part.strip())


def _parse(text: str) -> Block:
    lines = [line for line in text.splitlines() if line.strip()]
    if lines[0].strip() == "\b":
        return Block(lines[1].strip().removesuffix(":"), tuple(lines[2:]))
    return Block(None, tuple(line.strip() for line in lines))


def manual() -> str:
    """The whole page, as Markdown. It depends on the commands alone, not on the versions of Python and click."""
    commands = {" ".join(words): command for words, command in leaves(cli)}
    parts = [
        _HEAD,
        f"## NAME\n\nperfcheck - {inspect.cleandoc(cli.help or '')}\n\n",
        "## SYNOPSIS\n\n" + _fenced("text", (_synopsis(name, command) for name, command in commands.items())),
        "## COMMANDS\n\n| command | purpose |\n|---|---|\n",
        *(
            f"| [`perfcheck {name}`](#perfcheck-{name.replace(' ', '-')}) | {command.short_help} |\n"
            for name, command in commands.items()
        ),
        "\n`perfcheck --version` (`-V`) shows the version; `--help` (`-h`) after any command shows its options.\n\n",
        *(text for name, command in commands.items() for text in _page(name, command)),
        "## EXIT CODES\n\n",
        *_exit_codes([block for block in parse_epilog(cli.epilog) if block.exit_codes()]),
        _ENVIRONMENT,
        _FILES,
    ]
    return "".join(parts)


def _synopsis(name: str, command: click.Command) -> str:
    context = click.Context(command)
    arguments = [param.make_metavar(context) for param in command.params if isinstance(param, click.Argument)]
    return " ".join(["perfcheck", name, "[OPTION]...", *arguments])


def _page(name: str, command: click.Command) -> Iterator[str]:
    yield f"## perfcheck {name}\n\n"
    yield _fenced("text", [_synopsis(name, command)])
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield _paragraph(paragraph)
    yield from _options(command)
    for block in parse_epilog(command.epilog):
        yield from _block(block)


def _options(command: click.Command) -> Iterator[str]:
    context = click.Context(command)
    for title, options in sections(command).items():
        yield f"### {title}\n\n"
        for option in options:
            names, _ = option.get_help_record(context) or ("", "")
            yield f"- **`{names}`**\n\n"
            yield _paragraph(" ".join(_sentences(option)), indent="    ")


def _sentences(option: click.Option) -> Iterator[str]:
    yield option.help or ""
    choices = option.type.choices if isinstance(option.type, click.Choice) and option.metavar else ()
    if not all(str(choice) in str(option.help) for choice in choices):
        yield "One of " + ", ".join(f"`{choice}`" for choice in choices) + "."
    if option.show_default:
        yield f"Default: {option.default}."
    if option.required:
        yield "Required."
    if names := variables(option):
        yield f"Environment: {' or '.join(f'`{name}`' for name in names)}."


def _block(block: Block) -> Iterator[str]:
    if block.title is None:
        yield _paragraph(" ".join(block.lines))
        return
    yield f"### {block.title}\n\n"
    if block.exit_codes():
        yield from _exit_codes([block])
    elif block.title == "Examples":
        yield _fenced("console", _aligned(block.pairs()))
    elif block.has_commands():
        yield _fenced("sh", (line.strip() for line in block.lines))
    else:
        yield "| | |\n|---|---|\n" + "".join(f"| `{term}` | {text} |\n" for term, text in block.pairs()) + "\n"


def _exit_codes(blocks: Sequence[Block]) -> Iterator[str]:
    rows = [f"| {code} | {meaning} |\n" for block in blocks for code, meaning in block.exit_codes()]
    yield "| code | meaning |\n|---|---|\n" + "".join(rows) + "\n"


def _aligned(pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Commands that a shell takes as they stand, with their comments as its comments."""
    column = max((len(command) for command, comment in pairs if comment), default=0)
    for command, comment in pairs:
        yield f"{command:<{column}}  # {comment}" if comment else command


def _fenced(language: str, lines: Iterator[str] | Sequence[str]) -> str:
    return f"```{language}\n" + "".join(f"{line}\n" for line in lines) + "```\n\n"


def _paragraph(text: str, indent: str = "") -> str:
    lines = wrap(
        " ".join(text.split()),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines) + "\n\n"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]  # it is a real file here
    sys.stdout.write(manual())
