"""What a terminal shows while the check runs. Drawn between requests, or while one takes long: it slows none down."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from perfcheck.model import EndpointProgress, Verdict
from perfcheck.report.glyphs import STYLES, Glyphs, choose_glyphs, shorten
from perfcheck.text import clean
from perfcheck.units import format_ms

_REDRAW_S = 0.1
_TICK_S = 1.0
_MOST_LINES = 6
_BAR = 24
_REST_OF_LINE = 52  # its label, the endpoints decided, the time left


class HasProgress(Protocol):
    def progress(self) -> Sequence[EndpointProgress]: ...


@contextmanager
def live_progress() -> Iterator[Callable[[HasProgress], None]]:
    """A display on stderr that is gone when the block ends; call what it yields between requests."""
    plain = bool(os.environ.get("NO_COLOR"))  # rich would still send bold and dim
    console = Console(stderr=True, color_system=None if plain else "auto", highlight=False, markup=False, emoji=False)
    glyphs = choose_glyphs(console.encoding)
    states: Sequence[EndpointProgress] = ()
    started, last = time.monotonic(), float("-inf")

    def draw(now: float, waiting_s: float) -> None:
        page = render_progress(states, glyphs, console.width, elapsed_s=now - started, waiting_s=waiting_s)
        live.update(page, refresh=True)

    def watch(source: HasProgress) -> None:
        nonlocal last, states
        now = time.monotonic()
        if now - last >= _REDRAW_S:
            states = source.progress()
            draw(now, 0.0)
            last = time.monotonic()

    def tick() -> None:
        now = time.monotonic()
        if now - last >= _TICK_S and states:
            draw(now, now - last)

    with Live(console=console, auto_refresh=False, transient=True) as live, _every_second(tick):
        yield watch


@contextmanager
def _every_second(tick: Callable[[], None]) -> Iterator[None]:
    """Call ``tick`` from a thread, which usually has nothing to do.

    A thread that redraws while a request is under way competes with it. So this one draws only when nothing has
    happened for a second: a request that takes this long can bear the part of a millisecond that it costs.
    """
    done = Event()

    def run() -> None:
        while not done.wait(_TICK_S):
            tick()

    thread = Thread(target=run, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def render_progress(
    states: Sequence[EndpointProgress], glyphs: Glyphs, width: int, *, elapsed_s: float, waiting_s: float = 0.0
) -> RenderableType:
    """How far the check has come, and a line for each endpoint that is watched closely.

    ``states`` are ``waiting_s`` old, since nothing has happened in between.
    """
    left_s = seconds_left(states)
    length = min(_BAR, max(0, width - _REST_OF_LINE))
    filled = round(length * elapsed_s / (elapsed_s + left_s)) if left_s else length
    # A line that wraps would make the display jump; what a narrow terminal has no room for is left out.
    bar = Text("measuring ", no_wrap=True, overflow="crop")
    bar.append(glyphs.full * filled, style="green").append(glyphs.empty * (length - filled), "dim")
    finished = sum(state.verdict is not None for state in states)
    bar.append(f" {finished} of {len(states)} decided")
    if waiting_s >= _TICK_S:
        bar.append(f", waiting {waiting_s:.0f} s", style="dim")
    elif left_s >= 1:
        bar.append(f", about {left_s:.0f} s left", style="dim")
    open_ones = [state for state in states if state.verdict is None]
    closely = [state for state in states if _is_watched(state)] + [
        state for state in open_ones if len(open_ones) <= _MOST_LINES and not _is_watched(state)
    ]
    lines = [_line(state, glyphs, width) for state in closely[:_MOST_LINES]]
    return Group(bar, *lines)


def _is_watched(state: EndpointProgress) -> bool:
    return state.stage > 1 if state.verdict is None else state.verdict is not Verdict.OK


def _line(state: EndpointProgress, glyphs: Glyphs, width: int) -> Text:
    value = "" if state.value_ms in {None, math.inf} else format_ms(state.value_ms)
    if state.verdict is not None:
        text = Text(f"  {state.verdict}", style=STYLES[state.verdict])
    elif state.stage > 1 and state.requests == 0:
        text, value = Text("  looks slow or failing; to be confirmed in"), f"{state.wait_s:.0f} s"
    else:
        text = Text("  confirming," if state.stage > 1 else "  measuring,")
        least = f" of at least {state.least}" if state.requests < state.least else ""
        value = f"{state.requests}{least} requests"
    name = shorten(clean(state.endpoint), max(12, width - 60), glyphs.ellipsis)
    return Text(f"  {name}", no_wrap=True, overflow="crop").append_text(text).append(f" {value}")


def seconds_left(states: Sequence[EndpointProgress]) -> float:
    """A guess: the requests that unfinished endpoints will likely need, one after another; or the longest pause."""
    known = [state.value_ms for state in states if state.value_ms is not None and state.value_ms < float("inf")]
    usual_ms = sum(known) / len(known) if known else 50.0
    busy_s, longest_wait_s = 0.0, 0.0
    for state in states:
        if state.verdict is None:
            each_s = (state.value_ms if state.value_ms in known and state.value_ms else usual_ms) / 1000
            # Past the least, it is close to a limit: it will likely take half as many again.
            count = max(state.least - state.requests, state.requests / 2, 2)
            busy_s += count * each_s
            longest_wait_s = max(longest_wait_s, state.wait_s + count * state.gap_s)
    return max(busy_s, longest_wait_s)
