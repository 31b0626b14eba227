"""What commands write to stdout, in its width, its colours and its characters: pages, diffs, JSON."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from perfcheck.cli.ui.terminal import color_by_environment, terminal_width
from perfcheck.report.workflow_commands import inert

if TYPE_CHECKING:
    from rich.console import RenderableType

    from perfcheck.report.glyphs import Glyphs

_WIDTH_OF_A_LOG = 100  # where there is no terminal
_END_OF_LINE = re.compile(r"(?: |\x1b\[[0-9;]*m)+$")
_DIFF_COLORS = {"+": "green", "-": "red", "@": "cyan"}

as_json = json.JSONEncoder(allow_nan=False).encode  # one line of plain ASCII; json.dumps makes an encoder each time


def page(render: Callable[[Glyphs, int], RenderableType], *, is_file: bool = False) -> bytes:
    """What ``render`` makes for the characters and the width of stdout, or of a file that is read anywhere."""
    from rich.console import Console

    from perfcheck.report.glyphs import choose_glyphs

    encoding = "utf-8" if is_file else sys.stdout.encoding
    plain = is_file or bool(os.environ.get("NO_COLOR"))  # rich would still send bold and dim
    buffer = io.StringIO()  # not stdout, to which rich would write by itself: one place handles its errors
    console = Console(
        file=buffer,
        width=_WIDTH_OF_A_LOG if is_file else terminal_width(_WIDTH_OF_A_LOG),
        height=25,  # without it rich takes a dumb terminal for 80 wide, whatever its width
        color_system=None if plain else "auto",
        force_terminal=False if plain else True if sys.stdout.isatty() else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(render(choose_glyphs(encoding), console.width))
    return _inert_on_github(without_trailing_blanks(buffer.getvalue())).encode(encoding, errors="replace")


def print_page(render: Callable[[Glyphs, int], RenderableType]) -> None:
    """On stdout. Raises OSError, which the entry point reports."""
    write_to_stdout(page(render))


def print_diff(lines: list[str]) -> None:
    """A unified diff on stdout, in colour on a terminal, and with every space as it is. Raises OSError."""
    by_environment = color_by_environment()
    is_colored = sys.stdout.isatty() if by_environment is None else by_environment
    text = "".join(f"{_colored(line) if is_colored else line}\n" for line in lines)
    write_to_stdout(_inert_on_github(text).encode(sys.stdout.encoding, errors="replace"))


def without_trailing_blanks(text: str) -> str:
    """No spaces at the ends of lines, also between the codes that end a style."""
    return "".join(_END_OF_LINE.sub(lambda end: end[0].replace(" ", ""), line) + "\n" for line in text.splitlines())


def _colored(line: str) -> str:
    bold = line.startswith(("+++", "---"))
    return click.style(line, fg=None if bold else _DIFF_COLORS.get(line[:1]), bold=bold or None)


def _inert_on_github(text: str) -> str:
    """A long message may be broken just before what a runner would take for a command."""
    return inert(text) if os.environ.get("GITHUB_ACTIONS") == "true" else text


def write_to_stdout(content: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
