"""What of a run becomes a row: of the run itself, and of each endpoint."""

from __future__ import annotations

import math
from statistics import quantiles
from typing import Any, overload

from perfcheck.errors import UsageError
from perfcheck.history.store.series_key import machine_of, series_of
from perfcheck.model import EndpointResult, Run, Source
from perfcheck.text import clean
from perfcheck.times import parse_time, rfc3339

_FEWEST_FOR_QUARTILES = 4


def row_of(run: Run) -> dict[str, Any]:
    """The run, by column. Raises UsageError when it does not say when it was."""
    environment = run.environment
    return {
        "id": stored(run.id),
        "label": stored(run.label),
        "started_at": _started_at(run),
        "duration_ms": run.duration_ms,
        "verdict": str(run.verdict),
        "exit_code": run.exit_code,
        "complete": run.complete,
        "ok": run.counts.ok,
        "warning": run.counts.warning,
        "critical": run.counts.critical,
        "not_measured": run.counts.not_measured,
        "source": str(_source_of(run)),
        "commit": stored(environment.commit),
        "branch": stored(environment.branch),
        "dirty": environment.dirty,
        "ci": stored(environment.ci),
        "machine": stored(machine_of(environment)),
        "base_url": stored(run.service.base_url),
        "baseline_file": stored(run.baseline.file),
        "baseline_sha256": stored(run.baseline.sha256),
    }


def rows_of_endpoints(run: Run, number: int) -> list[dict[str, Any]]:
    """Each endpoint of the run whose row has this ``number``, by column."""
    started_at = _started_at(run)
    return [
        {
            "run": number,
            "position": position,
            "started_at": started_at,
            "endpoint": stored(result.name),
            "group": stored(result.group),
            "series": series_of(run, result),
            "source": str(result.source),
            "verdict": str(result.verdict),
            "decided": result.decided,
            "metric": str(result.metric),
            "value_ms": result.value_ms,
            "low_ms": result.interval_ms[0],
            "high_ms": result.interval_ms[1],
            "median_ms": result.latency_ms.median,
            "p95_ms": result.latency_ms.p95,
            "spread": spread_of(result),
            "target_ms": result.target_ms,
            "ideal_ms": result.ideal_ms,
            "error_rate": result.error_rate,
            "requests": result.requests.sent,
            "critical_path": result.critical_path,
        }
        for position, result in enumerate(run.endpoints)
    ]


def spread_of(result: EndpointResult) -> float | None:
    """Interquartile range of the samples over their median; None for too few, or where a quartile timed out."""
    if len(result.samples_ms) < _FEWEST_FOR_QUARTILES:
        return None
    values = sorted(math.inf if value is None else value for value in result.samples_ms)
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return (high - low) / middle if middle > 0 and math.isfinite(high) else None


def _source_of(run: Run) -> Source:
    """A check with requests of its own is measured, also where the monitor's word stands beside them."""
    measured = any(result.source is Source.MEASURED for result in run.endpoints)
    if run.command[1:2] == ("health",) or (run.endpoints and not measured):
        return Source.MONITORED
    return Source.MEASURED


def _started_at(run: Run) -> str:
    """In the one form that sorts by time; a run file from elsewhere may have another zone or no fraction."""
    if (time := parse_time(run.started_at)) is None:
        raise UsageError(f"started_at is not a time: '{clean(run.started_at, 60)}'")
    return rfc3339(time)


@overload
def stored(text: str) -> str: ...
@overload
def stored(text: None) -> None: ...
@overload
def stored(text: str | None) -> str | None: ...
def stored(text: str | None) -> str | None:
    """As every database can hold it: PostgreSQL has no NUL, and neither has half a surrogate pair."""
    if text is None:
        return None
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
