"""Queries, and their rows as past runs, measurements and notes."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, TypedDict, Unpack

from sqlalchemy import Connection, Row, Select, Table, func, literal, or_, select

from perfcheck.errors import UsageError
from perfcheck.history.model import NoSuchRunError, Note, PastMeasurement, PastRun
from perfcheck.history.store.tables import measurements, notes, runs
from perfcheck.model import Counts, Metric, Source, Verdict
from perfcheck.text import clean

LIST_RUNS = "'perfcheck history list' lists the saved runs"

# The columns in the order of the fields: rows are unpacked by position, since there may be hundreds of thousands, and
# looking up each field by its name takes several times as long as reading it.
_RUN_COLUMNS = tuple(
    runs.c[name]
    for name in (
        *("id", "label", "started_at", "duration_ms", "verdict", "exit_code", "complete"),
        *("ok", "warning", "critical", "not_measured", "source", "commit", "branch", "dirty", "ci"),
        *("machine", "base_url", "baseline_file", "baseline_sha256"),
    )
)
_MEASUREMENT_COLUMNS = (
    *(runs.c.id, measurements.c.started_at, runs.c.label, runs.c.commit),
    *(measurements.c[name] for name in ("endpoint", "group", "series")),
    runs.c.machine,
    *(measurements.c[name] for name in ("source", "verdict", "decided", "metric", "value_ms", "low_ms", "high_ms")),
    *(measurements.c[name] for name in ("median_ms", "p95_ms", "spread", "target_ms", "ideal_ms", "error_rate")),
    *(measurements.c[name] for name in ("requests", "critical_path")),
)
_VERDICTS = {str(verdict): verdict for verdict in Verdict}
_SOURCES = {str(source): source for source in Source}
_METRICS = {str(metric): metric for metric in Metric}

_MIN_PREFIX = 4
_HIGHEST = "\U0010ffff"  # sorts behind whatever may follow a prefix
_MAX_SUGGESTIONS = 3
_MAX_CANDIDATES = 500  # runs and labels, the newest first, that a misspelt reference may have meant
_MIN_SIMILARITY = 0.5  # difflib's ratio: v2 and v1


class RunFilter(TypedDict, total=False):
    """``since`` is inclusive, ``until`` is not; None is no condition."""

    since: str | None
    until: str | None
    branch: str | None
    label: str | None
    machine: str | None
    source: Source | None


class MeasurementFilter(TypedDict, total=False):
    since: str | None
    until: str | None
    endpoint: str | None
    series: str | None
    source: Source | None


def select_runs(limit: int | None, *, newest_first: bool, **filters: Unpack[RunFilter]) -> Select[Any]:
    """Rows for ``past_run``."""
    query = _filtered(select(*_RUN_COLUMNS), runs, filters)
    order = (runs.c.started_at, runs.c.number)
    query = query.order_by(*(column.desc() for column in order)) if newest_first else query.order_by(*order)
    return query if limit is None else query.limit(limit)


def select_measurements(**filters: Unpack[MeasurementFilter]) -> Select[Any]:
    """Rows for ``past_measurement``, in the order of the index over them."""
    query = select(*_MEASUREMENT_COLUMNS).join_from(measurements, runs, runs.c.number == measurements.c.run)
    table = measurements.c
    return _filtered(query, measurements, filters).order_by(table.endpoint, table.series, table.started_at, table.run)


def select_latest(most: int, **filters: Unpack[MeasurementFilter]) -> Select[Any]:
    """Rows for ``past_measurement``, the newest first: as many as are wanted, of those that have a value."""
    table = measurements.c
    newest_first = (table.started_at.desc(), table.run.desc(), table.position.desc())
    query = select_measurements(**filters).where(table.value_ms > 0)
    return query.order_by(None).order_by(*newest_first).limit(most)


def select_last_times(since: str) -> Select[Any]:
    """Each endpoint, and when it last had a value."""
    table = measurements.c
    wanted = (table.value_ms > 0, table.started_at >= since)
    return select(table.endpoint, func.max(table.started_at).label("time")).where(*wanted).group_by(table.endpoint)


def select_count(**filters: Unpack[MeasurementFilter]) -> Select[Any]:
    return _filtered(select(func.count()).select_from(measurements), measurements, filters)


def select_notes(run_id: str | None, commit: str | None) -> Select[Any]:
    """Rows for ``note``: all, or those of a run or of a commit, which a note may name by its first digits."""
    wanted = []
    if run_id is not None:
        wanted.append(notes.c.run_id == run_id)
    if commit is not None:
        wanted.append(literal(commit).startswith(notes.c.commit))
    query = select(notes).order_by(notes.c.created_at, notes.c.id)
    return query.where(or_(*wanted)) if wanted else query


def _filtered(query: Select[Any], table: Table, filters: RunFilter | MeasurementFilter) -> Select[Any]:
    for name, wanted in filters.items():
        if wanted is None:
            continue
        if name == "since":
            query = query.where(table.c.started_at >= wanted)
        elif name == "until":
            query = query.where(table.c.started_at < wanted)
        else:
            query = query.where(table.c[name] == str(wanted))
    return query


def past_run(row: Row[Any]) -> PastRun:
    """Of the columns in ``_RUN_COLUMNS``."""
    values: list[Any] = list(row)
    values[4], values[11] = _VERDICTS[values[4]], _SOURCES[values[11]]
    values[7:11] = [Counts(*values[7:11])]
    return PastRun(*values)


def past_measurement(row: Row[Any]) -> PastMeasurement:
    """Of the columns in ``_MEASUREMENT_COLUMNS``."""
    values: list[Any] = list(row)
    values[8], values[9], values[11] = _SOURCES[values[8]], _VERDICTS[values[9]], _METRICS[values[11]]
    values[13:15] = [(values[13], values[14])]  # the interval
    return PastMeasurement(*values)


def note(row: Row[Any]) -> Note:
    return Note(row.id, row.created_at, row.run_id, row.commit, row.incident, row.cause, row.fix)


# --- Which run is meant --------------------------------------------------------------------------------------------


def find_run(connection: Connection, reference: str) -> PastRun:
    """The run with this id, label (the newest that has it) or prefix of an id.

    Raises NoSuchRunError with the nearest names when there is none, and UsageError when several ids begin so.
    """
    query = select(*_RUN_COLUMNS)
    for column in (runs.c.id, runs.c.label):
        newest = query.where(column == reference).order_by(runs.c.started_at.desc(), runs.c.number.desc()).limit(1)
        if (row := connection.execute(newest).first()) is not None:
            return past_run(row)
    if len(reference) >= _MIN_PREFIX:
        prefix = (runs.c.id >= reference, runs.c.id <= reference + _HIGHEST)  # an index can do that, unlike LIKE
        rows = connection.execute(query.where(*prefix).limit(_MAX_SUGGESTIONS)).all()
        if len(rows) == 1:
            return past_run(rows[0])
        if rows:
            ids = ", ".join(row.id for row in rows)
            raise UsageError(f"several run ids begin with '{clean(reference)}'", f"use a longer prefix: {ids}")
    raise NoSuchRunError(f"no run '{clean(reference)}' in the history", _suggestion(connection, reference))


def _suggestion(connection: Connection, reference: str) -> str:
    newest = select(runs.c.id, runs.c.label).order_by(runs.c.started_at.desc()).limit(_MAX_CANDIDATES)
    labelled = newest.where(runs.c.label.is_not(None))
    names = dict.fromkeys(row.label for row in connection.execute(labelled))
    names |= dict.fromkeys(row.id[: max(len(reference), 8)] for row in connection.execute(newest))
    near = get_close_matches(reference, names, n=_MAX_SUGGESTIONS, cutoff=_MIN_SIMILARITY)
    return f"did you mean {' or '.join(map(clean, near))}?" if near else LIST_RUNS
