"""Proposed targets for a terminal: the figures of each endpoint, and below them where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from perfcheck.history.model import Proposal, ProposedValue
from perfcheck.report.glyphs import Glyphs, shorten
from perfcheck.text import clean
from perfcheck.units import format_from_to, format_ms

_LONGEST_NAME = 40
_INDENT = 4
_GAP = "   "


def render_proposals(
    proposals: Sequence[Proposal], by_hand: Mapping[str, Sequence[str]], glyphs: Glyphs, width: int
) -> RenderableType:
    """In their order. ``by_hand`` has, for some endpoints, sentences on what the user has to change."""
    longest = min(_LONGEST_NAME, width // 3)
    names = [shorten(clean(proposal.endpoint), longest, glyphs.ellipsis) for proposal in proposals]
    targets = [_value("target", proposal.target_ms, proposal.target, glyphs) for proposal in proposals]
    widest_name = max(map(cell_len, names), default=0)
    widest_target = max((target.cell_len for target in targets), default=0)
    lines: list[RenderableType] = []
    for proposal, name, target in zip(proposals, names, targets, strict=True):
        line = Text(name + " " * (widest_name - cell_len(name)) + _GAP, style="" if proposal.values else "dim")
        line.append_text(target)
        if proposal.ideal_ms is not None:
            line.append(" " * (widest_target - target.cell_len) + _GAP)
            line.append_text(_value("ideal", proposal.ideal_ms, proposal.ideal, glyphs))
        sentences = by_hand.get(proposal.endpoint, ())
        lines += [line, _indented(proposal.why, "dim"), *(_indented(sentence, "yellow") for sentence in sentences)]
    return Group(*lines)


def _value(key: str, today_ms: float | None, value: ProposedValue | None, glyphs: Glyphs) -> Text:
    """``target 300 -> 250 ms``; a tighter one in green, a looser one in yellow."""
    if value is None:
        return Text(f"{key} {format_ms(today_ms) if today_ms is not None else 'none'}", style="dim")
    if value.before_ms is None:
        before, after = "none", format_ms(value.after_ms)
    else:
        before, _, after = format_from_to(value.before_ms, value.after_ms).partition(" -> ")
    text = Text(f"{key} {before} {glyphs.arrow} ")
    return text.append(after, style="bold yellow" if value.is_looser else "bold green")


def _indented(sentence: str, style: str) -> RenderableType:
    return Padding(Text(clean(sentence, 1000), style=style), (0, 0, 0, _INDENT))
