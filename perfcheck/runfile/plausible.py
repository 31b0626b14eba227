"""Whether a run that was read can have been measured, so that reports need not ask at every figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple

from perfcheck.model import EndpointResult, Run, Timeline

_LEAST_MS, _MOST_MS = 1e-9, 1e12  # a picosecond, and some thirty years
_MOST_STAGES = 10


def implausible(run: Run) -> str | None:
    """What cannot be in a run that perfcheck wrote, as ``endpoints[3].target_ms is 0``; None for a sound one."""
    if not 0 <= run.duration_ms <= _MOST_MS:
        return f"duration_ms is {run.duration_ms}"
    if not 0 < run.alpha < 1:
        return f"alpha is {run.alpha}"
    for number, result in enumerate(run.endpoints):
        for problem in _of_endpoint(result):
            return f"endpoints[{number}].{problem}"
    return None


def _of_endpoint(result: EndpointResult) -> Iterator[str]:
    for name in ("target_ms", "ideal_ms", "warning_ms", "critical_ms", "ceiling_ms"):
        limit = getattr(result, name)
        if limit is not None and not _LEAST_MS <= limit <= _MOST_MS:
            yield f"{name} is {limit}"
    figures = {
        "value_ms": [result.value_ms],
        "interval_ms": result.interval_ms,
        "latency_ms": astuple(result.latency_ms),
        "phases_ms": astuple(result.phases_ms),
        "server_timing": result.server_timing.values(),
        "samples_ms": result.samples_ms,
    }
    for name, values in figures.items():
        yield from _of_durations(name, values)
    yield from _of_timeline(result.timeline)


def _of_timeline(timeline: Timeline) -> Iterator[str]:
    lengths = {len(timeline.at_ms), len(timeline.latency_ms), len(timeline.stage), len(timeline.outcome)}
    if len(lengths) > 1:
        yield "timeline has arrays of unequal length"
    if not all(0 <= stage <= _MOST_STAGES for stage in timeline.stage):
        yield "timeline.stage is out of range"
    if timeline.at_ms and not (min(timeline.at_ms) >= -_MOST_MS and max(timeline.at_ms) <= _MOST_MS):
        yield "timeline.at_ms is out of range"
    yield from _of_durations("timeline.latency_ms", timeline.latency_ms)


def _of_durations(name: str, values: Iterable[float | None]) -> Iterator[str]:
    known = [value for value in values if value]  # 0 is a duration, too
    if known and not (min(known) >= _LEAST_MS and max(known) <= _MOST_MS):
        yield f"{name} is out of range"
