"""Runs as rows, and the statements that write them, within a transaction that the caller begins and ends."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, bindparam, delete, exists, insert, or_, select, update

from perfcheck.errors import UsageError
from perfcheck.history.store.dialects import insert_if_new
from perfcheck.history.store.tables import documents, measurements, notes, runs
from perfcheck.model import CAPACITY, CapacityResult, EndpointResult, Run, Source, Verdict
from perfcheck.text import clean
from perfcheck.times import parse_time, rfc3339
from perfcheck.words import plural

# Made once: putting a statement together takes longer than running it.
_RUN_NUMBER = select(runs.c.number).where(runs.c.id == bindparam("run_id"))
_INSERT_DOCUMENT, _INSERT_MEASUREMENTS = insert(documents), insert(measurements)
_BATCH = 500  # parameters of one statement: every database takes so many
_MIN_SAMPLES_FOR_QUARTILES = 4
_SERIES_DIGITS = 16  # of the hash: a store would need billions of series before two are the same


def insert_run(connection: Connection, run: Run, content: bytes) -> bool:
    """The run with its endpoints, and its file as it is; False when a run of this id exists already."""
    row = _run_row(run)
    if not insert_if_new(connection, runs, row):
        return False
    number = connection.execute(_RUN_NUMBER, {"run_id": row["id"]}).scalar_one()
    connection.execute(_INSERT_DOCUMENT, {"run": number, "content": zlib.compress(content)})
    rows = _endpoint_rows(run, number)
    if run.capacity is not None:
        rows.append(_capacity_row(run, run.capacity, number, len(rows)))
    if rows:
        connection.execute(_INSERT_MEASUREMENTS, rows)
    return True


def update_label(connection: Connection, run_id: str, label: str | None) -> None:
    connection.execute(update(runs).where(runs.c.id == run_id).values(label=storable(label)))


def select_prunable(connection: Connection, older_than: str | None, keep: int | None) -> Sequence[int]:
    """The numbers of the runs that may go: no label, no note, and not among the newest ``keep``."""
    has_note = exists().where(or_(notes.c.run_id == runs.c.id, runs.c.commit.startswith(notes.c.commit)))
    query = select(runs.c.number).where(runs.c.label.is_(None), ~has_note)
    if older_than is not None:
        query = query.where(runs.c.started_at < older_than)
    if keep is not None:
        newest = select(runs.c.number).order_by(runs.c.started_at.desc(), runs.c.number.desc()).limit(keep)
        query = query.where(runs.c.number.not_in(newest))
    return connection.execute(query).scalars().all()


def delete_runs(connection: Connection, numbers: Sequence[int]) -> None:
    for start in range(0, len(numbers), _BATCH):
        batch = numbers[start : start + _BATCH]
        for table, column in ((documents, documents.c.run), (measurements, measurements.c.run), (runs, runs.c.number)):
            connection.execute(delete(table).where(column.in_(batch)))


# --- Rows ----------------------------------------------------------------------------------------------------------

# An upper bound is neither trended nor compared, nor does a target come from it: the document alone has it.
_NO_LATENCY = dict.fromkeys(("value_ms", "low_ms", "high_ms", "median_ms", "p95_ms", "spread"))
_SAME_NAMES = (  # columns that have the name of the field
    *("group", "source", "verdict", "decided", "value_ms", "target_ms", "ideal_ms", "error_rate"),
    "critical_path",
)


def _run_row(run: Run) -> dict[str, Any]:
    """The run, by column. Raises UsageError without a valid start time."""
    environment = run.environment
    return _storable_row(
        {name: getattr(run, name) for name in ("id", "label", "duration_ms", "verdict", "exit_code", "complete")}
        | {name: getattr(environment, name) for name in ("commit", "branch", "dirty", "ci")}
        | asdict(run.counts)
        | {
            "started_at": _started_at(run),
            "source": _source_of(run),
            "machine": f"{environment.platform}, {plural(environment.cpus, 'CPU')}",  # Linux 6.1.0-13 x86_64, 4 CPUs
            "base_url": run.service.base_url,
            "baseline_file": run.baseline.file,
            "baseline_sha256": run.baseline.sha256,
        }
    )


def _endpoint_rows(run: Run, number: int) -> list[dict[str, Any]]:
    """Each endpoint of the run whose row has this ``number``, by column."""
    started_at = _started_at(run)
    return [
        _storable_row(
            {name: getattr(result, name) for name in _SAME_NAMES}
            | {
                "run": number,
                "position": position,
                "started_at": started_at,
                "endpoint": result.name,
                "metric": result.metric_name,
                "series": _series_key(run, result),
                "low_ms": result.interval_ms[0],
                "high_ms": result.interval_ms[1],
                "median_ms": result.latency_ms.median,
                "p95_ms": result.latency_ms.p95,
                "spread": _spread(result),
                "requests": result.requests.sent,
            }
            | (_NO_LATENCY if result.is_screened else {})
        )
        for position, result in enumerate(run.endpoints)
    ]


def _capacity_row(run: Run, capacity: CapacityResult, number: int, position: int) -> dict[str, Any]:
    """As one more endpoint, in the unit of its load; an interval without an estimate has no value."""
    low, high = capacity.interval
    empty: dict[str, Any] = dict.fromkeys(column.name for column in measurements.c)
    return empty | _storable_row(
        {
            "run": number,
            "position": position,
            "started_at": _started_at(run),
            "endpoint": CAPACITY,
            "series": _key_of(run, *capacity.conditions.values(), _without_port(run.service.base_url)),
            "source": Source.LOAD,
            "verdict": capacity.verdict,
            "decided": capacity.verdict in {Verdict.OK, Verdict.CRITICAL},
            "metric": capacity.model.metric_name,
            "value_ms": capacity.value,
            "low_ms": low,
            "high_ms": high,
            "target_ms": capacity.at_least,
            "requests": sum(step.requests for step in capacity.steps),
            "critical_path": False,
        }
    )


def _spread(result: EndpointResult) -> float | None:
    """Interquartile range of the samples over their median; None for too few, or where a quartile timed out."""
    if len(result.samples_ms) < _MIN_SAMPLES_FOR_QUARTILES:
        return None
    values = sorted(math.inf if value is None else value for value in result.samples_ms)
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return (high - low) / middle if middle > 0 and math.isfinite(high) else None


def _source_of(run: Run) -> Source:
    """A check that sent requests is measured, even if it also shows the monitor's figures."""
    if run.capacity is not None:
        return Source.LOAD
    measured = any(result.source is Source.MEASURED for result in run.endpoints)
    if run.command[1:2] == ("health",) or (run.endpoints and not measured):
        return Source.MONITORED
    return Source.MEASURED


def _started_at(run: Run) -> str:
    """In the form that sorts by time; a run file from elsewhere may have another zone or no fraction."""
    if (time := parse_time(run.started_at)) is None:
        raise UsageError(f"started_at is not a time: '{clean(run.started_at, 60)}'")
    return rfc3339(time)


def _storable_row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: storable(value) if isinstance(value, str) else value for name, value in row.items()}


def storable(text: str | None) -> str | None:
    """As every database can store it: PostgreSQL takes neither NUL nor half a surrogate pair."""
    if text is None:
        return None
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


def _series_key(run: Run, result: EndpointResult) -> str:
    """Equal for measurements that may be compared: same machine, baseline file, request, metric and source.

    Not part of it: the port, which is another in every CI job; the release of the kernel, which every update changes;
    and the content of the baseline, since a changed target does not make it another service.
    """
    return _key_of(
        run,
        result.method,
        _without_port(result.url),
        result.metric_name,
        result.source,
        *(f"{step.method} {_without_port(step.url)}" for step in result.steps if not step.is_figure),
    )


def _key_of(run: Run, *more: str) -> str:
    environment = run.environment
    words = environment.platform.split()
    system = (words[0], words[-1]) if words else ("", "")  # "Linux 6.1.0-13 x86_64": the system and the architecture
    parts = (*system, environment.cpus, environment.ci or "", run.baseline.file, *more)
    return hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:_SERIES_DIGITS]


def _without_port(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.hostname or ''}{parts.path}?{parts.query}"
