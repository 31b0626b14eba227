"""What a terminal shows while the check runs. Drawn only between requests, so that it cannot slow one down."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from perfcheck.model import Verdict
from perfcheck.report.console import STYLES
from perfcheck.report.glyphs import Glyphs, choose_glyphs, shorten
from perfcheck.text import clean
from perfcheck.units import format_ms

_REDRAW_S = 0.1
_MOST_LINES = 6
_BAR = 24


class EndpointProgress(Protocol):
    """Where one endpoint stands; the sampler provides it."""

    @property
    def endpoint(self) -> str: ...
    @property
    def stage(self) -> int: ...
    @property
    def requests(self) -> int: ...
    @property
    def least(self) -> int: ...
    @property
    def value_ms(self) -> float | None: ...
    @property
    def verdict(self) -> Verdict | None: ...
    @property
    def wait_s(self) -> float: ...
    @property
    def gap_s(self) -> float: ...


class HasProgress(Protocol):
    def progress(self) -> Sequence[EndpointProgress]: ...


@contextmanager
def live_progress() -> Iterator[Callable[[HasProgress], None]]:
    """A display on stderr that is gone when the block ends; what it yields is to be called between requests."""
    console = Console(stderr=True, highlight=False, markup=False)
    glyphs = choose_glyphs(console.encoding)
    started, last = time.monotonic(), float("-inf")
    # No refreshing thread: it would compete with the request that is being timed.
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def watch(source: HasProgress) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _REDRAW_S:
                states = source.progress()
                live.update(render_progress(states, glyphs, console.width, elapsed_s=now - started), refresh=True)
                last = time.monotonic()

        yield watch


def render_progress(
    states: Sequence[EndpointProgress], glyphs: Glyphs, width: int, *, elapsed_s: float
) -> RenderableType:
    """How far the check has come, and a line for each endpoint that is looked at closely."""
    left_s = seconds_left(states)
    filled = round(_BAR * elapsed_s / (elapsed_s + left_s)) if left_s else _BAR
    bar = Text("measuring ").append(glyphs.full * filled, style="green").append(glyphs.empty * (_BAR - filled), "dim")
    finished = sum(state.verdict is not None for state in states)
    bar.append(f" {finished} of {len(states)} decided")
    bar.append(f", about {left_s:.0f} s left" if left_s >= 1 else "", style="dim")
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
        text, value = Text("  looks slow or failing; measured again in"), f"{state.wait_s:.0f} s"
    else:
        text = Text("  measuring again," if state.stage > 1 else "  measuring,")
        least = f" of at least {state.least}" if state.requests < state.least else ""
        value = f"{state.requests}{least} requests"
    name = shorten(clean(state.endpoint), max(12, width - 60), glyphs.ellipsis)
    return Text(f"  {name}").append_text(text).append(f" {value}")


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
