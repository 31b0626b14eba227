"""The picture of each video: a gradient with rings, bars or waves, drawn from its number. The same number, the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from random import Random

WIDTH, HEIGHT = 640, 360
_MOST_KEPT = 256
_RINGS, _BARS, _WAVES, _CURVES = 22, 40, 9, 8


@lru_cache(_MOST_KEPT)
def draw_poster(number: int) -> bytes:
    """SVG of ``WIDTH`` by ``HEIGHT``, of a few kilobytes: browsers take less for a background, and measure no paint."""
    random = Random(number)  # noqa: S311 - a picture, not secrets
    hue = random.randrange(360)
    shapes = random.choice((_rings, _bars, _waves))(random, hue)
    stops = (f'<stop offset="{i}" stop-color="{_colour(hue + 45 * i, 42 - 24 * i)}"/>' for i in (0, 1))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<linearGradient id="g" x2="1" y2="1">{"".join(stops)}</linearGradient>'
        f'<path fill="url(#g)" d="M0 0h{WIDTH}v{HEIGHT}H0z"/>{"".join(shapes)}</svg>'
    ).encode()


def _colour(hue: float, lightness: float) -> str:
    return f"hsl({hue % 360:.0f} 65% {lightness:.0f}%)"


def _rings(random: Random, hue: int) -> Iterator[str]:
    """A record, seen partly."""
    x, y = random.randrange(120, WIDTH - 120), random.randrange(80, HEIGHT - 80)
    for i in range(_RINGS, 0, -1):
        colour = _colour(hue + 8 * i, 30 + 30 * random.random())
        line = f'stroke="{colour}" stroke-width="{random.randint(1, 9)}"'
        yield f'<circle cx="{x}" cy="{y}" r="{14 * i}" fill="none" {line} opacity=".8"/>'
    yield f'<circle cx="{x}" cy="{y}" r="9" fill="{_colour(hue + 180, 70)}"/>'


def _bars(random: Random, hue: int) -> Iterator[str]:
    """An equaliser."""
    step = WIDTH / _BARS
    for i in range(_BARS):
        height = random.randint(20, HEIGHT - 90) * (1 - abs(i - _BARS / 2) / _BARS)
        colour = _colour(hue + 180 + 2 * i, 45 + 25 * random.random())
        box = f'x="{i * step + 3:g}" y="{HEIGHT - height:.1f}" width="{step - 6:g}" height="{height:.1f}"'
        yield f'<rect {box} rx="3" fill="{colour}" opacity=".85"/>'


def _waves(random: Random, hue: int) -> Iterator[str]:
    """Hills at dusk, the nearest last, below a moon."""
    x, y = random.randrange(80, WIDTH - 80), random.randrange(60, 130)
    yield f'<circle cx="{x}" cy="{y}" r="{random.randint(28, 52)}" fill="{_colour(hue + 20, 85)}"/>'
    half = WIDTH / _CURVES / 2
    for i in range(_WAVES):
        level = 110 + i * 26
        curves = "".join(f"q{half:g} {random.randint(-44, 44)} {2 * half:g} 0" for _ in range(_CURVES))
        colour = _colour(hue + 330 - 8 * i, 60 - 5.5 * i)
        yield f'<path d="M0 {level}{curves}V{HEIGHT}H0z" fill="{colour}" opacity=".75"/>'
