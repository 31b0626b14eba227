"""Standard streams and terminals: closed, full, narrow, without colour; errors, warnings and progress on stderr."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from threading import Timer
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from perfcheck.cli.ui.announcement import HasProgress

_WAITING_AFTER_S = 1.0
_NARROWEST = 20  # below it a width is a mistake: some systems set COLUMNS=0


def open_closed_streams() -> None:
    """Python leaves None where a stream was closed (``>&-``): what is written there is lost."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - as long as we live


def silence_stdout() -> None:
    """Point stdout elsewhere, so that the interpreter's last flush is quiet."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def terminal_width(default: int) -> int:
    """COLUMNS if it is sensible, else the width of the terminal on stdout, else ``default``."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) >= _NARROWEST:
        return int(columns)
    if not sys.stdout.isatty():
        return default
    with contextlib.suppress(OSError):
        return max(os.get_terminal_size(sys.stdout.fileno()).columns, _NARROWEST)
    return default


def color_by_environment() -> bool | None:
    """What NO_COLOR, FORCE_COLOR and TERM say about colour; None: it depends on whether there is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def show_error(message: str, remedy: str | None = None, output: Sequence[str] = ()) -> None:
    """On stderr, with the first word in red where there is colour; with the last lines of the program that failed."""
    quoted = ["its last output:", *(f"  {line}" for line in output)] if output else []
    _show("\n".join([click.style("error: ", fg="red", bold=True) + message, *quoted]), remedy)


def show_warning(message: str, remedy: str | None = None) -> None:
    """The same for what does not end the command."""
    _show(click.style("warning: ", fg="yellow", bold=True) + message, remedy)


def show_note(message: str, remedy: str | None = None) -> None:
    """The same for what may be as it should be."""
    _show(click.style("note: ", fg="cyan", bold=True) + message, remedy)


def _show(message: str, remedy: str | None) -> None:
    """Messages quote services and files: no CI must take that for its own commands."""
    from perfcheck.report.workflow_commands import inert

    lines = [message, *([click.style("help: ", fg="cyan") + remedy] if remedy else [])]
    with contextlib.suppress(OSError):  # nobody reads it: the exit code has to do
        click.echo(inert("\n".join(lines)), err=True, color=color_by_environment())


@contextlib.contextmanager
def live_display(*, quiet: bool) -> Iterator[Callable[[HasProgress], None]]:
    """How the measuring goes: what it will take, and more where stderr is a terminal. A log would keep every redraw."""
    if quiet:
        yield lambda _: None
        return
    from perfcheck.cli.ui.announcement import Announcement

    announce = Announcement()
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield announce
        return
    from perfcheck.cli.ui.progress import live_progress

    with live_progress() as show:

        def watch(source: HasProgress) -> None:
            announce(source)
            show(source)

        yield watch


@contextlib.contextmanager
def waiting_line(timeout_s: float, *, quiet: bool) -> Iterator[None]:
    """A line on stderr when the service does not answer at once, since silence looks like a hang."""
    line = f"waiting up to {timeout_s:g} s for the service to answer (Ctrl-C stops it)"
    timer = Timer(_WAITING_AFTER_S, click.echo, [line], {"err": True})
    timer.daemon = True
    if not quiet:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def status_line(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """What is going on, on stderr: a line that changes on a terminal, and in a log a line for each first word."""
    is_live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    seen: set[str] = set()

    def show(text: str) -> None:
        with contextlib.suppress(OSError):
            if is_live:
                sys.stderr.write(f"\r\x1b[K{text[: terminal_width(80) - 1]}")
                sys.stderr.flush()
            elif text and (first := text.partition(" ")[0]) not in seen:
                seen.add(first)
                click.echo(text, err=True)

    try:
        yield (lambda _: None) if quiet else show
    finally:
        if is_live and not quiet:
            with contextlib.suppress(OSError):
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While measuring, a signal raises KeyboardInterrupt. Once held back, only the second one does.

    What was measured is worth a second of waiting, but a report that cannot be written must not hold the user. A signal
    that is ignored stays so: a shell without job control has its background jobs ignore Ctrl-C.
    """

    def __init__(self) -> None:
        self._held = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._handle) for number in heeded}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def hold(self) -> None:
        """From now on, something has been measured."""
        self._held = True

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self._held:
            raise KeyboardInterrupt
        self._held = False
