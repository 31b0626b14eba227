"""Where the time of an endpoint went: the phases on one bar, and under it what the service itself says of it."""

from __future__ import annotations

from dataclasses import dataclass

from perfcheck.model import EndpointResult
from perfcheck.report.html.scale import Linear
from perfcheck.report.html.svg import Svg, decoration, rect
from perfcheck.text import clean
from perfcheck.units import format_ms

_BAR = 12
_MOST_SPANS = 6
_LONGEST_NAME = 40
_MINOR = 0.01  # of the longest: a phase below it explains nothing


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    figure: str
    picture: Svg
    css: str


def bars(result: EndpointResult) -> list[Bar]:
    """Waiting and download one behind the other, then each span of the service from 0: spans may hold one another."""
    phases = result.phases_ms
    wait, download = phases.wait or 0.0, phases.download or 0.0
    spans = sorted(result.server_timing.items(), key=lambda span: -span[1])[:_MOST_SPANS]
    longest = max([wait + download, *(ms for _, ms in spans)], default=0.0)
    if longest <= 0:
        return []
    scale = Linear(0, longest)
    found = []
    if wait > _MINOR * longest:
        found.append(_bar("waiting for the first byte", wait, 0, scale, "wait"))
    if download > _MINOR * longest:
        found.append(_bar("download", download, wait, scale, "down"))
    return found + [_bar(f"service: {clean(name, _LONGEST_NAME)}", ms, 0, scale, "span") for name, ms in spans]


def _bar(name: str, ms: float, start: float, scale: Linear, css: str) -> Bar:
    left, right = scale(start), scale(start + ms)
    picture = decoration(_BAR, [rect(0, 1, 5, 2, "rail"), rect(left, max(right, left + 0.004), 0, _BAR, css)], "bar")
    return Bar(name, format_ms(ms), picture, css)


def set_up(result: EndpointResult) -> str:
    """``DNS 0.1 ms, TCP 0.2 ms``: once a connection, and no part of the latency."""
    phases = result.phases_ms
    named = [("DNS", phases.dns), ("TCP", phases.connect), ("TLS", phases.tls)]
    return ", ".join(f"{name} {format_ms(ms)}" for name, ms in named if ms is not None)
