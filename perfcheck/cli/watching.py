"""What is seen while a command measures: a live display, and a line when the service keeps it waiting."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Timer
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from perfcheck.report.progress import HasProgress

_PATIENCE_S = 1.0


def live_display(*, quiet: bool) -> AbstractContextManager[Callable[[HasProgress], None] | None]:
    """On stderr, when that is a terminal; otherwise nothing, since a log keeps every redraw."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return nullcontext()
    from perfcheck.report.progress import live_progress

    return live_progress()


@contextmanager
def told_when_waiting(seconds: float, *, quiet: bool) -> Iterator[None]:
    """A line on stderr when the service does not answer at once, since silence looks like a hang."""
    line = f"waiting up to {seconds:g} s for the service to answer (Ctrl-C stops it)"
    timer = Timer(_PATIENCE_S, click.echo, [line], {"err": True})
    timer.daemon = True
    if not quiet:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
