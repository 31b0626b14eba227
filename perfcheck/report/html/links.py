"""The pages next to a page: those of a site. A report by itself has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SiteLinks:
    """Addresses relative to the page; what has no address is text."""

    nav: tuple[tuple[str, str], ...] = ()  # text and address, at the top
    endpoints: Mapping[str, str] = field(default_factory=dict)  # by name
    runs: Mapping[str, str] = field(default_factory=dict)  # by id
    style: str = ""  # the sheet that all pages share; "": the styles are in the page


NO_LINKS = SiteLinks()
