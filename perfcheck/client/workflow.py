"""The samples of a workflow's steps as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

from perfcheck.model import Phases, Sample


def as_one(samples: Sequence[Sample], last: str) -> Sample:
    """Latencies and phases are sums; how it ended is how its last step, named ``last``, did."""
    end = samples[-1]
    latencies = [sample.latency_ms for sample in samples]
    return replace(
        end,
        at_s=samples[0].at_s,
        latency_ms=None if end.latency_ms is None else sum(latency or 0.0 for latency in latencies),
        detail=f"step '{last}': {end.detail}" if end.detail else None,
        phases=Phases(
            **{field.name: _sum(getattr(each.phases, field.name) for each in samples) for field in fields(Phases)}
        ),
        body_bytes=max((sample.body_bytes for sample in samples if sample.body_bytes is not None), default=None),
        server_timing=None,
        steps=tuple(samples),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
