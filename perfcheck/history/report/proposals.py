"""Proposed targets for a terminal: the figures of each endpoint, and below them where they come from.

Prints; never judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from perfcheck.history.model import Move, Proposal
from perfcheck.report.glyphs import Glyphs, shorten
from perfcheck.text import clean
from perfcheck.units import format_ms

_LONGEST_NAME = 40
_INDENT = 4
_GAP = "   "


def render_proposals(
    proposals: Sequence[Proposal], by_hand: Mapping[str, Sequence[str]], glyphs: Glyphs, width: int
) -> RenderableType:
    """In their order. ``by_hand`` has, for some endpoints, sentences on what is left to the reader."""
    names = [shorten(clean(one.endpoint), min(_LONGEST_NAME, width // 3), glyphs.ellipsis) for one in proposals]
    targets = [_value("target", one.target_ms, one.target, glyphs) for one in proposals]
    widest_name = max(map(cell_len, names), default=0)
    widest_target = max((target.cell_len for target in targets), default=0)
    lines: list[RenderableType] = []
    for one, name, target in zip(proposals, names, targets, strict=True):
        line = Text(name + " " * (widest_name - cell_len(name)) + _GAP, style="" if one.has_moves else "dim")
        line.append_text(target)
        if one.ideal_ms is not None:
            line.append(" " * (widest_target - target.cell_len) + _GAP)
            line.append_text(_value("ideal", one.ideal_ms, one.ideal, glyphs))
        lines += [
            line,
            _below(one.why, "dim"),
            *(_below(sentence, "yellow") for sentence in by_hand.get(one.endpoint, ())),
        ]
    return Group(*lines)


def _value(key: str, today_ms: float | None, move: Move | None, glyphs: Glyphs) -> Text:
    """``target 300 ms -> 250 ms``; a tighter one in green, a looser one in yellow."""
    today = format_ms(today_ms) if today_ms is not None else "none"
    if move is None:
        return Text(f"{key} {today}", style="dim")
    looser = move.before_ms is not None and move.after_ms > move.before_ms
    text = Text(f"{key} {today} {glyphs.arrow} ")
    return text.append(format_ms(move.after_ms), style="bold yellow" if looser else "bold green")


def _below(sentence: str, style: str) -> RenderableType:
    return Padding(Text(clean(sentence, 1000), style=style), (0, 0, 0, _INDENT))
