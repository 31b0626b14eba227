"""Markdown as the reader of a report sees it: rendered, and looked through for what must not be in it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator

import html5lib
from markdown_it import MarkdownIt

# Links that need no markup are not asked of this renderer but looked for in the text that it leaves: see MAGIC.
RENDERER = MarkdownIt("gfm-like", {"html": True, "linkify": False})

ELEMENTS = {
    *("h3", "h4", "p", "strong", "em", "ul", "li", "code", "sub"),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
}
ATTRIBUTES = {("th", "style"), ("td", "style"), ("details", "open")}

# What GitHub and GitLab turn into links, mentions, references, emoji or formulas wherever it stands outside of code.
MAGIC = re.compile(
    r"""
      :// | \bwww\. | \w@\w               # links and addresses
    | (?<!\w) [@#!$%~&^] ["\w]            # users, issues, merge requests, snippets, milestones, labels, epics, alerts
    | \b [A-Za-z][A-Za-z0-9_]* - \d       # GH-1, JIRA-1, CVE-2020-1
    | \b GHSA-
    | \b [0-9a-f]{7,40} \b                # commits
    | : [\w+-]+ :                         # emoji
    | \$ | \[ | \] | ` | < [A-Za-z/!]     # formulas, and markup that was not understood
    """,
    re.VERBOSE | re.IGNORECASE,
)


def parse(markdown: str) -> ET.Element:
    """The page as a browser reads it, which must have nothing to repair."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    page: ET.Element = parser.parseFragment(RENDERER.render(markdown))
    assert not parser.errors
    return page


def is_comment(element: ET.Element) -> bool:
    return not isinstance(element.tag, str)


def elements(page: ET.Element) -> Iterator[ET.Element]:
    return (element for element in page.iter() if element is not page and not is_comment(element))


def text_outside_code(element: ET.Element) -> Iterator[str]:
    if element.tag != "code" and not is_comment(element):
        yield element.text or ""
        for child in element:
            yield from text_outside_code(child)
    yield element.tail or ""


def text_of(element: ET.Element) -> str:
    return "".join(element.itertext())


def check_page(markdown: str, *, more: Iterable[str] = (), comments: int = 1) -> ET.Element:
    """Nothing in it but what the report itself puts there, and every table whole; ``more`` elements are its own."""
    page = parse(markdown)
    for element in elements(page):
        assert element.tag in ELEMENTS | set(more)
        assert {(element.tag, name) for name in element.attrib} <= ATTRIBUTES
        assert element.get("style", "text-align:right") == "text-align:right"
    assert sum(map(is_comment, page.iter())) == comments
    for text in text_outside_code(page):
        assert not MAGIC.search(text)
    for table in page.iter("table"):
        assert len({len(row) for row in table.iter("tr")}) == 1
    return page


def rows(page: ET.Element) -> list[list[str]]:
    """The cells of all rows of all tables, the heads left out."""
    return [[text_of(cell).strip() for cell in row] for body in page.iter("tbody") for row in body]
