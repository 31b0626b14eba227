"""How every page is made from its template: all that is foreign escaped and harmless, nothing missing in silence."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from perfcheck.report.wording import LONGEST_TEXT
from perfcheck.text import clean


def environment(*packages: str) -> Environment:
    """Templates of these packages, the first that has one; those of the report of a run come last."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, "perfcheck.report.html")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _harmless(value: object) -> object:
    """Control and bidirectional characters go from whatever a template shows, and markup of our own stays."""
    if hasattr(value, "__html__"):
        return value
    text = str(value)
    short = len(text) <= LONGEST_TEXT
    return text if short and text.isprintable() else clean(text, LONGEST_TEXT)
