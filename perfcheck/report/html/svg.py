"""Inline SVG that fits any width: horizontal positions are fractions of it, vertical ones and type sizes are pixels.

A picture scaled as a whole would shrink its own labels on a phone. Here only the data stretch; points are zero-length
lines with round ends, whose size does not scale, and cost some ten bytes each.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from perfcheck.model import Verdict

# Of a verdict: the CSS class that colours it, and with "m-" before it the shape that shows it without colour.
CSS = {Verdict.OK: "ok", Verdict.WARNING: "warn", Verdict.CRITICAL: "crit", Verdict.NOT_MEASURED: "none"}
Point = tuple[float, float]  # fractions of the width and of the height, from the top
_CHANGE = re.compile(r"(\d[\w.,%]*(?: \w+)?) -> (?=\d)")
_STEPS = 1000  # in which a stretched layer counts
_STRETCHED = f' viewBox="0 0 {_STEPS} {_STEPS}" preserveAspectRatio="none"'


class Svg(str):
    """Markup that is safe as it is; a template does not escape it again."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


def chart(height: int, parts: Iterable[str], *, title: str, css: str = "chart", attributes: str = "") -> Svg:
    """A picture with its figures in words, for a screen reader and as a tooltip."""
    content = "".join(parts)
    words = html.escape(with_arrows(title))
    return Svg(f'<svg class="{css}" role="img" height="{height}"{attributes}><title>{words}</title>{content}</svg>')


def stretched(height: int, parts: Iterable[str], *, title: str, css: str) -> Svg:
    """A picture that is one layer."""
    return chart(height, parts, title=title, css=css, attributes=_STRETCHED)


def with_arrows(text: str) -> str:
    """``411 -> 407 ms`` with the arrow that a page has room for; code keeps its own."""
    return _CHANGE.sub("\\1 \N{RIGHTWARDS ARROW} ", text) if " -> " in text else text


def decoration(height: int, parts: Iterable[str], css: str = "chart") -> Svg:
    """A picture that repeats the text next to it."""
    return Svg(f'<svg class="{css}" aria-hidden="true" height="{height}">{"".join(parts)}</svg>')


def with_labels(labels: Iterable[tuple[float, str]], plot: Svg, height: int) -> Svg:
    """A plot with the labels of its upright axis at its left, where they cover nothing."""
    parts = [text_at(1, y + 4, text, "tick", "end") for y, text in labels]
    return Svg(f'<div class="plot">{decoration(height, parts)}{plot}</div>')


def rect(left: float, right: float, top: float, height: float, css: str) -> str:
    at = f' x="{percent(left)}"' * bool(left) + f' y="{_px(top)}"' * bool(top)  # 0 is the default
    return f'<rect class="{css}"{at} width="{percent(right - left)}" height="{_px(height)}"/>'


def vertical(at: float, top: float, bottom: float, css: str) -> str:
    x = percent(at)
    return f'<line class="{css}" x1="{x}" x2="{x}" y1="{_px(top)}" y2="{_px(bottom)}"/>'


def horizontal(left: float, right: float, y: float, css: str) -> str:
    return f'<line class="{css}" x1="{percent(left)}" x2="{percent(right)}" y1="{_px(y)}" y2="{_px(y)}"/>'


def mark(symbol: str, at: float, y: float, css: str) -> str:
    """One of the shapes that the page defines once."""
    return f'<use href="#{symbol}" class="{css}" x="{percent(at)}" y="{_px(y)}"/>'


def label(at: float, y: float, text: str, css: str = "", *, edge: float = 0.12) -> str:
    """Centred, but near an edge set towards the middle, so that it stays inside."""
    anchor = "start" if at < edge else "end" if at > 1 - edge else "middle"
    return text_at(at, y, text, css, anchor)


def text_at(at: float, y: float, text: str, css: str = "", anchor: str = "start") -> str:
    return f'<text class="{css} {anchor}" x="{percent(at)}" y="{_px(y)}">{html.escape(text)}</text>'


def layer(parts: Iterable[str], *, top: float, height: float) -> str:
    """A part of a chart that stretches with it; paths in it are made by ``dots``, ``outline`` and ``ribbon``."""
    content = "".join(parts)
    where = f' y="{_px(top)}" height="{_px(height)}"{_STRETCHED}'
    return f'<svg class="layer"{where}>{content}</svg>' if content else ""


def dots(points: Iterable[Point], css: str) -> str:
    path = "".join(f"M{_step(x)} {_step(y)}h.1" for x, y in points)
    return f'<path class="dots {css}" d="{path}"/>' if path else ""


def spans(columns: Iterable[tuple[float, float, float]], css: str) -> str:
    """Upright strokes: position, upper and lower end."""
    path = "".join(f"M{_step(x)} {_step(high)}V{_step(low)}" for x, high, low in columns)
    return f'<path class="dots {css}" d="{path}"/>' if path else ""


def outline(points: list[Point], css: str) -> str:
    return f'<path class="{css}" d="M{_joined(points)}"/>' if points else ""


def ribbon(upper: list[Point], lower: list[Point], css: str) -> str:
    return f'<path class="{css}" d="M{_joined(upper + lower[::-1])}z"/>' if upper else ""


def columns(counts: list[int], css: str) -> str:
    """A histogram over the full width of a layer, as one path."""
    highest = max(counts, default=0)
    if not highest:
        return ""
    width = _STEPS / len(counts)
    tops = [_STEPS - round(count / highest * _STEPS) for count in counts]
    path = "".join(f"V{top}H{round((i + 1) * width)}" for i, top in enumerate(tops))
    return f'<path class="{css}" d="M0 {_STEPS}{path}V{_STEPS}z"/>'


def percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}".rstrip("0").rstrip(".") + "%"


def _joined(points: list[Point]) -> str:
    return "L".join(f"{_step(x)} {_step(y)}" for x, y in points)


def _step(fraction: float) -> int:
    return round(fraction * _STEPS)


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
