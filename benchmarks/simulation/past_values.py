"""Measurements of past runs, as the history hands them out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from perfcheck.history.model import PastMeasurement
from perfcheck.model import Metric, Source, Verdict

_FIRST = datetime(2026, 11, 1, tzinfo=UTC)


def past(endpoint: str, value_ms: float | None, index: int = 0, **more: Any) -> PastMeasurement:
    """One endpoint in the run number ``index``, six hours after the one before."""
    started_at = (_FIRST + timedelta(hours=6 * index)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    usual = PastMeasurement(
        run_id=f"run-{index}",
        started_at=started_at,
        label=None,
        commit=None,
        endpoint=endpoint,
        group=None,
        series="a",
        machine="Linux x86_64, 2 CPUs",
        source=Source.MEASURED,
        verdict=Verdict.OK,
        decided=True,
        metric=Metric.MEDIAN,
        value_ms=value_ms,
        interval_ms=(None, None),
        median_ms=value_ms,
        p95_ms=None,
        spread=None,
        target_ms=None,
        ideal_ms=None,
        error_rate=0.0,
        requests=6,
        critical_path=False,
    )
    return usual._replace(**more)
