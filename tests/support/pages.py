"""Pages as reports get them: judged as a first stage, with what a browser found out about their loads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from simulation.runs import endpoint, result

from perfcheck.model import (
    FIGURE,
    BlockingResource,
    EndpointResult,
    ErrorProof,
    MetricOf,
    PageActions,
    PageSummary,
    Sample,
)
from perfcheck.sampling.stage import Stage
from perfcheck.stats.error_rate import ErrorTest

SUMMARY = PageSummary(
    figures={
        "first_byte": 12.0,
        "first_contentful_paint": 80.0,
        "largest_contentful_paint": 120.0,
        "load": 150.0,
        "total_blocking_time": 0.0,
        "layout_shift": 0.02,
        "bytes": 120_000.0,
        "requests": 14.0,
    },
    blocking=(
        BlockingResource("/static/app.js", 640.0, runs=True),
        BlockingResource("/static/consent.js", 812.0),
        BlockingResource("/static/a.css", 30.0),
        BlockingResource("/static/b.css", 20.0),
    ),
    files=("pages/home.png", "pages/home.har"),
)


def page(
    of: MetricOf,
    values: Sequence[float],
    target: float | None,
    *,
    name: str = "home",
    figures: Mapping[MetricOf, tuple[Sequence[float], float]] | None = None,
    summary: PageSummary = SUMMARY,
) -> EndpointResult:
    """A page of which ``of`` has these values; ``figures`` are values and ceilings of others."""
    figures = figures or {}
    parts = tuple(
        replace(endpoint(each.label, target=None), metric_of=each, method=FIGURE, ceiling_ms=ceiling, slow_ms=math.inf)
        for each, (_, ceiling) in figures.items()
    )
    whole = replace(endpoint(name, target=target), method="page")
    whole = replace(whole, metric_of=of, page=PageActions(), figures=parts, min_requests=len(values), slow_ms=math.inf)
    stage = Stage(whole, ErrorTest(whole.error_limits, ErrorProof.QUICK))
    loads = []
    for number, value in enumerate(values):
        own = tuple(Sample(0.0, measured[number]) for measured, _ in figures.values())
        loads.append((1, Sample(100.0 + number, value, steps=own)))
        stage.add(value, failed=False, steps=own)
    return replace(result(whole, loads, replace(stage.decision(), errors_decided=True)), page=summary)


def heavy(limit: float = 100_000.0) -> EndpointResult:
    """CRITICAL by its size."""
    return page(MetricOf.BYTES, [511_000.0, 512_000.0, 512_000.0, 513_000.0, 512_345.0] * 2, limit)


def shifting() -> EndpointResult:
    """CRITICAL by its layout shift."""
    return page(MetricOf.LAYOUT_SHIFT, [0.3, 0.25, 0.25, 0.25, 0.2] * 2, 0.1, name="shifting")


def slow() -> EndpointResult:
    """CRITICAL by a figure beside its metric."""
    times = [1990.0, 2100.0, 2100.0, 2100.0, 2200.0, *[2100.0] * 11]
    shifts = [0.0] * 16
    return page(
        MetricOf.LARGEST_CONTENTFUL_PAINT,
        [120.0] * 16,
        300.0,
        name="slow",
        figures={MetricOf.LOAD: (times, 2000.0), MetricOf.LAYOUT_SHIFT: (shifts, 0.1)},
    )
