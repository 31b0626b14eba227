"""Names and classes that all parts of the page share."""

from __future__ import annotations

from perfcheck.model import EndpointResult, Verdict
from perfcheck.text import clean

LONGEST_NAME = 120
# Of a verdict: the CSS class that colours it, and with "m-" before it the shape that tells it without colour.
CSS = {Verdict.OK: "ok", Verdict.WARNING: "warn", Verdict.CRITICAL: "crit", Verdict.NOT_MEASURED: "none"}


def shown_name(result: EndpointResult, longest: int = LONGEST_NAME) -> str:
    """Cut in the middle where it is longer than that: names share their beginnings, and differ at their ends."""
    name, half = result.name, longest // 2
    if len(name) > longest:
        name = clean(name[: 4 * half], 4 * half)[:half] + "\N{HORIZONTAL ELLIPSIS}" + clean(name[-half:], half)
    return clean(name, longest + 1) or "(a blank name)"
