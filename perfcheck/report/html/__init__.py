"""The run as one HTML page: no script, no network, charts as inline SVG. Shows; never judges."""

from __future__ import annotations

from perfcheck.model import Run
from perfcheck.report.html.environment import environment
from perfcheck.report.html.page import page


def render(run: Run, previous: Run | None = None) -> str:
    """The page, complete with its styles; with an earlier run each endpoint shows its change."""
    return environment().get_template("page.html.j2").render(page=page(run, previous))
