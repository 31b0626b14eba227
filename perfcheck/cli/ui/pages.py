"""A page for a terminal, as text: in its width, its colours and its characters, or those of a file or a log."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from perfcheck.cli.ui.streams import terminal_width
from perfcheck.report.workflow_commands import inert

if TYPE_CHECKING:
    from rich.console import RenderableType

    from perfcheck.report.glyphs import Glyphs

_WIDTH_OF_A_LOG = 100  # where no terminal tells its width
_END_OF_LINE = re.compile(r"(?: |\x1b\[[0-9;]*m)+$")


def page(render: Callable[[Glyphs, int], RenderableType], *, is_file: bool = False) -> bytes:
    """What ``render`` makes for the characters and the width of stdout, or of a file that is read anywhere."""
    from rich.console import Console

    from perfcheck.report.glyphs import choose_glyphs

    encoding = "utf-8" if is_file else sys.stdout.encoding
    plain = is_file or bool(os.environ.get("NO_COLOR"))  # rich would still send bold and dim
    written = io.StringIO()  # not stdout, to which rich would write by itself: trouble with it is for one place
    console = Console(
        file=written,
        width=_WIDTH_OF_A_LOG if is_file else terminal_width(_WIDTH_OF_A_LOG),
        height=25,  # without it rich takes a dumb terminal for 80 wide, whatever its width
        color_system=None if plain else "auto",
        force_terminal=False if plain else True if sys.stdout.isatty() else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(render(choose_glyphs(encoding), console.width))
    text = "".join(_without_blank_end(line) + "\n" for line in written.getvalue().splitlines())
    if os.environ.get("GITHUB_ACTIONS") == "true":  # a long message may be broken just before what looks like a command
        text = inert(text)
    return text.encode(encoding, errors="replace")


def print_page(render: Callable[[Glyphs, int], RenderableType]) -> None:
    """On stdout. Raises OSError, which the entry point tells."""
    content = page(render)
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _without_blank_end(line: str) -> str:
    """Spaces at the end are gone, also those between the codes that end a style."""
    return _END_OF_LINE.sub(lambda end: end[0].replace(" ", ""), line)
