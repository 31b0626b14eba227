"""What a terminal shows while the check runs. Drawn between requests, or while one takes long: it slows none down."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from perfcheck.cli.ui.announcement import HasProgress
from perfcheck.model import EndpointProgress, Forecast, Verdict
from perfcheck.report.glyphs import STYLES, Glyphs, choose_glyphs, shorten
from perfcheck.text import clean
from perfcheck.units import format_about, format_figure
from perfcheck.words import plural

_REDRAW_S, _REDRAW_S_EACH = 0.1, 0.0005  # between redraws, and for each endpoint: a redraw takes a look at every one
_TICK_S = 1.0
_MOST_LINES = 6
_BAR = 24
_REST_OF_LINE = 52  # its label, the endpoints decided, the time left


@contextmanager
def live_progress() -> Iterator[Callable[[HasProgress], None]]:
    """A display on stderr that is gone when the block ends; call what it yields between requests."""
    plain = bool(os.environ.get("NO_COLOR"))  # rich would still send bold and dim
    console = Console(stderr=True, color_system=None if plain else "auto", highlight=False, markup=False, emoji=False)
    glyphs = choose_glyphs(console.encoding)
    states: Sequence[EndpointProgress] = ()
    forecast = Forecast(0.0, 0.0, 0.0, 1, is_known=False)
    started = time.monotonic()
    drawn, called = -math.inf, -math.inf

    def draw(now: float, waiting_s: float) -> None:
        page = render_progress(states, forecast, glyphs, console.width, elapsed_s=now - started, waiting_s=waiting_s)
        live.update(page, refresh=True)

    def watch(source: HasProgress) -> None:
        nonlocal forecast, drawn, called, states
        called = time.monotonic()
        if called - drawn >= _REDRAW_S + _REDRAW_S_EACH * len(states):
            states, forecast = source.progress(), source.forecast()
            draw(called, 0.0)
            drawn = time.monotonic()

    def tick() -> None:
        now = time.monotonic()
        if now - called >= _TICK_S and states:
            draw(now, now - called)

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
    states: Sequence[EndpointProgress],
    forecast: Forecast,
    glyphs: Glyphs,
    width: int,
    *,
    elapsed_s: float,
    waiting_s: float = 0.0,
) -> RenderableType:
    """How far the check has come, and a line for each endpoint that is watched closely.

    ``states`` are ``waiting_s`` old, since nothing has happened in between.
    """
    left_s = min(forecast.left_s, forecast.budget_left_s)
    connections = f", {plural(forecast.connections, 'connection')}" if forecast.connections > 1 else ""
    length = min(_BAR, max(0, width - _REST_OF_LINE - len(connections)))
    filled = round(length * elapsed_s / (elapsed_s + left_s)) if left_s else length
    # A line that wraps would make the display jump; what a narrow terminal has no room for is left out.
    bar = Text("measuring ", no_wrap=True, overflow="crop")
    bar.append(glyphs.full * filled, style="green").append(glyphs.empty * (length - filled), "dim")
    finished = sum(state.verdict is not None for state in states)
    bar.append(f" {finished} of {len(states)} decided").append(connections, style="dim")
    if waiting_s >= _TICK_S:
        bar.append(f", waiting {waiting_s:.0f} s", style="dim")
    elif forecast.is_known and left_s >= 1:
        bar.append(f", about {format_about(left_s)} left", style="dim")
    open_ones = [state for state in states if state.verdict is None]
    closely = [state for state in states if _is_watched(state)] + [
        state for state in open_ones if len(open_ones) <= _MOST_LINES and not _is_watched(state)
    ]
    lines = [_line(state, glyphs, width) for state in closely[:_MOST_LINES]]
    return Group(bar, *lines)


def _is_watched(state: EndpointProgress) -> bool:
    return state.stage > 1 if state.verdict is None else state.verdict is not Verdict.OK


def _line(state: EndpointProgress, glyphs: Glyphs, width: int) -> Text:
    value = "" if state.value_ms in {None, math.inf} else format_figure(state.value_ms, state.unit)
    if state.verdict is not None:
        text = Text(f"  {state.verdict}", style=STYLES[state.verdict])
    elif state.stage > 1 and state.requests == 0:
        text, value = Text("  looks slow or failing; to be confirmed in"), f"{state.wait_s:.0f} s"
    else:
        text = Text("  confirming," if state.stage > 1 else "  measuring,")
        value = plural(state.requests, "request")
        if state.requests < state.least:
            value = f"{state.requests} of at least {plural(state.least, 'request')}"
    name = shorten(clean(state.endpoint), max(12, width - 60), glyphs.ellipsis)
    return Text(f"  {name}", no_wrap=True, overflow="crop").append_text(text).append(f" {value}")
