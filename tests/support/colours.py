"""The colours of a page as a browser computes them, and whether its text stands out."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page

LEAST_CONTRAST = 4.5  # WCAG 2.1, 1.4.3, level AA

# Every element with text of its own, with the colour of its text and the first opaque colour behind it.
_COLOURS = """() => [...document.querySelectorAll('body *')].flatMap(element => {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  if (!own || !element.getClientRects().length || element.closest('.hidden, .skip, title, desc')) return [];
  let behind = element, colour = 'rgba(0, 0, 0, 0)';
  while (behind && colour === 'rgba(0, 0, 0, 0)') {
    colour = getComputedStyle(behind).backgroundColor;
    behind = behind.parentElement;
  }
  const style = getComputedStyle(element);
  return [[element.textContent.trim().slice(0, 40), element.closest('svg') ? style.fill : style.color, colour]];
})"""


def coloured_texts(page: Page) -> list[tuple[str, str, str]]:
    """Text, its colour, and the colour behind it."""
    return [(text, ink, ground) for text, ink, ground in page.evaluate(_COLOURS)]


def weak_texts(found: list[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    return {(text, ink, ground) for text, ink, ground in found if contrast(ink, ground) < LEAST_CONTRAST}


def channels(colour: str) -> list[float]:
    return [float(number) / 255 for number in re.findall(r"[\d.]+", colour)[:3]]


def luminance(rgb: list[float]) -> float:
    """Relative luminance after WCAG 2.1."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Any, other: Any) -> float:
    dark, light = sorted(luminance(channels(colour)) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)
