"""Pages: what a browser does to load one, and what it finds out about each load."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perfcheck.model.request_text import RequestText


class PageCache(StrEnum):
    """What the browser has of a page before the load that counts."""

    COLD = "cold"  # nothing
    WARM = "warm"  # what it kept of an earlier load


@dataclass(frozen=True, slots=True)
class PageActions:
    """What the browser does, in this order, for an endpoint or a step; elements are CSS or Playwright selectors."""

    goto: bool = True  # the path of the endpoint; without it, it stays on the page of the step before
    fill: tuple[tuple[str, RequestText], ...] = ()  # a field, and what is typed into it
    click: str | None = None
    until: str | None = None  # the element that has to be visible at the end
    cache: PageCache = PageCache.COLD


@dataclass(frozen=True, slots=True)
class BlockingResource:
    """What kept a page from being rendered, or its main thread from responding."""

    url: str  # as it may be shown
    ms: float  # until it had arrived; of a running script, how long it ran
    runs: bool = False  # it is the running that took so long


@dataclass(frozen=True, slots=True)
class PageLoad:
    """What the browser reported of one load: each figure by its ``MetricOf``, in its own unit."""

    figures: dict[str, float] = field(default_factory=dict)
    blocking: tuple[BlockingResource, ...] = ()  # the longest first
    files: tuple[str, ...] = ()  # screenshot and HAR, where it was the slowest load until then


@dataclass(frozen=True, slots=True)
class PageSummary:
    """What a report shows of the loads of one page."""

    figures: dict[str, float]  # medians over the judged loads
    blocking: tuple[BlockingResource, ...] = ()  # of the median slow load
    files: tuple[str, ...] = ()  # screenshot and HAR of the slowest load, where a folder was given
