"""What becomes different in a file, as a unified diff on stdout."""

from __future__ import annotations

import os
import sys

import click

from perfcheck.report.workflow_commands import inert

_COLORS = {"+": "green", "-": "red", "@": "cyan"}


def print_diff(lines: list[str]) -> None:
    """In colour on a terminal, and with every space as it is. Raises OSError."""
    is_colored = has_color()
    text = "".join(f"{_colored(line) if is_colored else line}\n" for line in lines)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        text = inert(text)
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode(sys.stdout.encoding, errors="replace"))
    sys.stdout.buffer.flush()


def has_color() -> bool:
    """NO_COLOR and FORCE_COLOR come before what stdout is."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") != "dumb")


def _colored(line: str) -> str:
    bold = line.startswith(("+++", "---"))
    return click.style(line, fg=None if bold else _COLORS.get(line[:1]), bold=bold or None)
