"""The run as one HTML page: no script, no network, charts as inline SVG. Shows; never judges."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from perfcheck.model import Run
from perfcheck.report.html.page import page
from perfcheck.report.wording import LONGEST_TEXT
from perfcheck.text import clean


def render(run: Run, previous: Run | None = None) -> str:
    """The page, complete with its styles; with an earlier run each endpoint shows its change."""
    environment = Environment(
        loader=PackageLoader("perfcheck.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(page=page(run, previous))


def _harmless(value: object) -> object:
    """Control and bidirectional characters go from whatever a template shows, and markup of our own stays."""
    if hasattr(value, "__html__"):
        return value
    text = str(value)
    short = len(text) <= LONGEST_TEXT
    return text if short and text.isprintable() else clean(text, LONGEST_TEXT)
