"""A badge with the verdict: a picture, and what shields.io draws one from."""

from __future__ import annotations

import json
import re
from functools import cache
from html import escape
from importlib.resources import files

from perfcheck.model import Verdict
from perfcheck.report.html.svg import CSS

_LABEL = "perfcheck"
_HEIGHT = 20
_MARGIN = 6  # pixels at either end of a text
_GREY = "#5b616d"


def badge_svg(verdict: Verdict | None) -> str:
    """``perfcheck: OK``; None where no run was saved yet."""
    left, right = _width(_LABEL), _width(_message(verdict))
    texts = "".join(_text(text, x, width) for text, x, width in ((_LABEL, 0, left), (_message(verdict), left, right)))
    label = f"{_LABEL}: {escape(_message(verdict))}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" role="img"'
        f' aria-label="{label}"><title>{label}</title>'
        f'<clipPath id="r"><rect width="{left + right}" height="{_HEIGHT}" rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left}" height="{_HEIGHT}" fill="#33383f"/>'
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{_colour(verdict)}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">{texts}</g></svg>\n'
    )


def badge_json(verdict: Verdict | None) -> str:
    """As the endpoint badge of shields.io takes it: https://shields.io/badges/endpoint-badge."""
    content = {"schemaVersion": 1, "label": _LABEL, "message": _message(verdict), "color": _colour(verdict)}
    return json.dumps(content) + "\n"


def _message(verdict: Verdict | None) -> str:
    return str(verdict) if verdict else "no runs yet"


def _colour(verdict: Verdict | None) -> str:
    """That of the reports: of text on a light page, which white text on it can be read as well as."""
    return _colours()[CSS[verdict]] if verdict else _GREY


@cache
def _colours() -> dict[str, str]:
    css = files("perfcheck.report.html").joinpath("templates/page.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--(ok|warn|crit|none): (#[0-9a-f]{6})", css.partition("@media")[0]))


def _width(text: str) -> int:
    return round(sum(8 if char.isupper() else 4 if char in "il " else 6.8 for char in text)) + 2 * _MARGIN


def _text(text: str, x: int, width: int) -> str:
    return f'<text x="{x + _MARGIN}" y="14" textLength="{width - 2 * _MARGIN}">{escape(text)}</text>'
