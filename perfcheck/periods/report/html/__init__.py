"""A period as one HTML page: no script, no network, charts as inline SVG. Shows; never judges."""

from __future__ import annotations

from perfcheck.periods.model import PeriodReport
from perfcheck.periods.report.html.page import page
from perfcheck.report.html import environment


def render(report: PeriodReport) -> str:
    """The page, complete with its styles, which are those of the report of a run and some more."""
    template = environment("perfcheck.periods.report.html").get_template("period.html.j2")
    return template.render(page=page(report))
