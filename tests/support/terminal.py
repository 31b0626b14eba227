"""A command in a terminal of a given width: what it wrote, byte by byte, and what is on the screen in the end."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyte
from support.command import environment, start

_ROWS = 300  # so that nothing scrolls away before it is looked at
_LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Shown:
    exit_code: int
    written: bytes
    screen: list[str]  # without what is blank at the end of the lines, and below them
    cursor_hidden: bool


def in_terminal(
    *arguments: str, columns: int, cwd: Path, env: Mapping[str, str] | None = None, stdout: Path | None = None
) -> Shown:
    """Run perfcheck with a terminal as its stdin, stdout and stderr; ``stdout`` sends that one to a file instead."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
    out = os.open(stdout, os.O_WRONLY | os.O_CREAT) if stdout else theirs
    process = start(
        arguments, (theirs, out, theirs), cwd=cwd, env=environment(**{"TERM": "xterm-256color", **(env or {})})
    )
    if stdout:
        os.close(out)
    os.close(theirs)
    try:
        written = _read(ours)
        exit_code = process.wait(timeout=_LONGEST_S)
    finally:
        process.kill()
        process.wait(_LONGEST_S)
        os.close(ours)
    assert b"Traceback" not in written
    screen = replay(written, columns)
    lines = [line.rstrip() for line in screen.display]
    while lines and not lines[-1]:
        lines.pop()
    return Shown(exit_code, written, lines, screen.cursor.hidden)


def replay(written: bytes, columns: int) -> pyte.Screen:
    """What a terminal makes of these bytes."""
    screen = pyte.Screen(columns, _ROWS)
    pyte.ByteStream(screen).feed(written)
    return screen


def _read(terminal: int) -> bytes:
    """Everything until the last writer has gone."""
    written, end = b"", time.monotonic() + _LONGEST_S
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # Linux's way of saying that nobody has it open any more
                return written
            if not part:
                return written
            written += part
    raise AssertionError(f"still running after {_LONGEST_S:g} s: {written!r}")
