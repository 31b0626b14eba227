"""Where the time of a request went, or of the steps of a workflow, or of the load of a page: as bars."""

from __future__ import annotations

from typing import NamedTuple

from perfcheck.model import EndpointResult, MetricOf, PageSummary
from perfcheck.report.causes import Sums, after_the_first_byte, longest_first, slow_step, sums_of
from perfcheck.report.html.axes import Linear
from perfcheck.report.html.svg import Svg, decoration, rect
from perfcheck.text import clean
from perfcheck.units import format_ms

_BAR = 12  # pixels
_MOST_SPANS = 6
_LONGEST_SPAN_NAME = 40
_SPAN = {1: "service:", 2: "of which"}
_MINOR = 0.01  # of the longest: a phase below it explains nothing
_MILESTONES = (  # of the load of a page
    MetricOf.FIRST_BYTE,
    MetricOf.FIRST_CONTENTFUL_PAINT,
    MetricOf.LARGEST_CONTENTFUL_PAINT,
    MetricOf.LOAD,
)


class Bar(NamedTuple):
    """One phase of a request, or one span of the service."""

    name: str
    figure: str
    picture: Svg
    depth: int = 0  # what it is a part of stands above it
    is_slow: bool = False  # the step of a workflow that makes it slow


def bars(result: EndpointResult) -> list[Bar]:
    """Waiting, what the service did meanwhile, each from 0 since the order is not known, and the download.

    Of a workflow its steps, one after the other, with what the service did in the slow one; of a page when it
    reached each of its times.
    """
    if result.is_workflow:
        return _bars_of_steps(result)
    if result.page is not None:
        return _bars_of_page(result.page)
    phases = result.phases_ms
    wait, download = phases.wait or 0.0, phases.download or 0.0
    spans = longest_first(result)[:_MOST_SPANS]
    longest = max([wait + download, *(ms for _, ms in spans)], default=0.0)
    if longest <= 0:
        return []
    is_nested = sums_of(result) is Sums.NESTED
    bars = [("waiting for the first byte", wait, 0.0, "wait", 0)]
    for i, (name, ms) in enumerate(spans):
        depth = 2 if i and is_nested else 1
        bars.append((f"{_SPAN[depth]} {clean(name, _LONGEST_SPAN_NAME)}", ms, 0.0, "span", depth))
    bars.append((after_the_first_byte(result), download, wait, "down", 0))
    scale = Linear(0, longest)
    return [
        Bar(name, format_ms(ms), _bar(scale(start), scale(start + ms), css), depth)
        for name, ms, start, css, depth in bars
        if depth or ms > _MINOR * longest
    ]


def _bars_of_steps(result: EndpointResult) -> list[Bar]:
    slow = slow_step(result)
    total = sum(step.value_ms or 0.0 for step in result.steps)
    if not total:
        return []
    scale, start, bars = Linear(0, total), 0.0, []
    for step in result.steps:
        name, ms = clean(step.name, _LONGEST_SPAN_NAME), step.value_ms or 0.0
        css = "wait" if step is slow else "down"
        bars.append(Bar(name, format_ms(step.value_ms), _bar(scale(start), scale(start + ms), css), 0, step is slow))
        for span, part_ms in longest_first(step)[:_MOST_SPANS] if step is slow else ():
            end = min(start + part_ms, total)
            picture = _bar(scale(start), scale(end), "span")
            bars.append(Bar(f"{_SPAN[1]} {clean(span, _LONGEST_SPAN_NAME)}", format_ms(part_ms), picture, 1))
        start += ms
    return bars


def _bars_of_page(page: PageSummary) -> list[Bar]:
    times = {of: page.figures[of] for of in _MILESTONES if of in page.figures}
    scale = Linear(0, max(times.values(), default=0.0))
    return [Bar(of.label, format_ms(ms), _bar(0, scale(ms), "down")) for of, ms in times.items()]


def _bar(left: float, right: float, css: str) -> Svg:
    return decoration(_BAR, [rect(0, 1, 5, 2, "rail"), rect(left, max(right, left + 0.004), 0, _BAR, css)], "bar")
