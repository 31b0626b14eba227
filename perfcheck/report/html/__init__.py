"""The run as one HTML page: no script, no network, charts as inline SVG."""

from __future__ import annotations

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from perfcheck.model import EarlierRun, Run
from perfcheck.report.explain import LONGEST_TEXT
from perfcheck.report.html.links import NO_LINKS, SiteLinks
from perfcheck.report.html.page import Page
from perfcheck.report.html.svg import with_arrows
from perfcheck.text import clean

_MAX_SPREADS_IN_SITE = 30


def render(run: Run, earlier: EarlierRun | None = None, links: SiteLinks = NO_LINKS) -> str:
    """The page, complete with its styles; with an earlier run each endpoint shows its change.

    In a site, whose pages are small, the tables of a large run are without pictures of the spread.
    """
    with_spread = not links.endpoints or len(run.endpoints) <= _MAX_SPREADS_IN_SITE
    page = Page(run, earlier, with_spread=with_spread)
    return environment().get_template("page.html.j2").render(page=page, links=links)


@cache
def environment(*packages: str) -> Environment:
    """Templates of these packages, the first that has one; those of the report of a run come last.

    All foreign text is escaped and made harmless, and a name that a template misspells is an error.
    """
    return Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, "perfcheck.report.html")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _harmless(value: object) -> object:
    """Control and bidirectional characters go from whatever a template shows; markup of our own stays."""
    if hasattr(value, "__html__"):
        return value
    text = with_arrows(str(value))
    short = len(text) <= LONGEST_TEXT
    return text if short and text.isprintable() else clean(text, LONGEST_TEXT)
