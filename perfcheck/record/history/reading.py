"""Queries, and what their rows become."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, Select, Table, literal, or_, select

from perfcheck.history import Note, PastMeasurement, PastRun
from perfcheck.model import Counts, Metric, Source, Verdict
from perfcheck.record.history.tables import measurements, notes, runs

_FROM_RUNS = ("id", "label", "commit", "machine")  # of a measurement, what stands with its run


def select_runs(
    *,
    since: str | None,
    until: str | None,
    branch: str | None,
    label: str | None,
    machine: str | None,
    source: Source | None,
    limit: int | None,
    newest_first: bool,
) -> Select[Any]:
    """Rows for ``past_run``."""
    query = _between(select(runs), runs, since, until)
    for column, wanted in ((runs.c.branch, branch), (runs.c.label, label), (runs.c.machine, machine)):
        query = query if wanted is None else query.where(column == wanted)
    query = query if source is None else query.where(runs.c.source == str(source))
    order = (runs.c.started_at, runs.c.number)
    query = query.order_by(*(column.desc() for column in order)) if newest_first else query.order_by(*order)
    return query if limit is None else query.limit(limit)


def select_measurements(
    *, endpoint: str | None, since: str | None, until: str | None, source: Source | None, series: str | None
) -> Select[Any]:
    """Rows for ``past_measurement``, in the order of the index over them."""
    of_run = (runs.c[name].label(f"run_{name}") for name in _FROM_RUNS)
    query = select(measurements, *of_run).join_from(measurements, runs, runs.c.number == measurements.c.run)
    query = _between(query, measurements, since, until)
    table = measurements.c
    for column, wanted in ((table.endpoint, endpoint), (table.series, series)):
        query = query if wanted is None else query.where(column == wanted)
    query = query if source is None else query.where(table.source == str(source))
    return query.order_by(table.endpoint, table.series, table.started_at, table.run)


def select_notes(run_id: str | None, commit: str | None) -> Select[Any]:
    """Rows for ``note``: all, or those of a run or of a commit, which a note may name by its first digits."""
    wanted = []
    if run_id is not None:
        wanted.append(notes.c.run_id == run_id)
    if commit is not None:
        wanted.append(literal(commit).startswith(notes.c.commit))
    query = select(notes).order_by(notes.c.created_at, notes.c.id)
    return query.where(or_(*wanted)) if wanted else query


def _between(query: Select[Any], table: Table, since: str | None, until: str | None) -> Select[Any]:
    if since is not None:
        query = query.where(table.c.started_at >= since)
    return query if until is None else query.where(table.c.started_at < until)


def past_run(row: Row[Any]) -> PastRun:
    return PastRun(
        id=row.id,
        label=row.label,
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        verdict=Verdict(row.verdict),
        exit_code=row.exit_code,
        complete=row.complete,
        counts=Counts(row.ok, row.warning, row.critical, row.not_measured),
        source=Source(row.source),
        commit=row.commit,
        branch=row.branch,
        dirty=row.dirty,
        ci=row.ci,
        machine=row.machine,
        base_url=row.base_url,
        baseline_file=row.baseline_file,
        baseline_sha256=row.baseline_sha256,
    )


def past_measurement(row: Row[Any]) -> PastMeasurement:
    return PastMeasurement(
        run_id=row.run_id,
        started_at=row.started_at,
        label=row.run_label,
        commit=row.run_commit,
        endpoint=row.endpoint,
        group=row.group,
        series=row.series,
        machine=row.run_machine,
        source=Source(row.source),
        verdict=Verdict(row.verdict),
        decided=row.decided,
        metric=Metric(row.metric),
        value_ms=row.value_ms,
        interval_ms=(row.low_ms, row.high_ms),
        median_ms=row.median_ms,
        p95_ms=row.p95_ms,
        spread=row.spread,
        target_ms=row.target_ms,
        ideal_ms=row.ideal_ms,
        error_rate=row.error_rate,
        requests=row.requests,
        critical_path=row.critical_path,
    )


def note(row: Row[Any]) -> Note:
    return Note(row.id, row.created_at, row.run_id, row.commit, row.incident, row.cause, row.fix)
