"""Queries, and which run is meant by a reference."""

from __future__ import annotations

from typing import Any, TypedDict, Unpack

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, case, func, literal, not_, or_, select

from perfcheck.errors import UsageError
from perfcheck.history.model import NoSuchRunError, PastRun
from perfcheck.history.store.rows import MEASUREMENT_COLUMNS, NOTE_COLUMNS, RUN_COLUMNS, past_runs, text_in
from perfcheck.history.store.tables import measurements, notes, runs
from perfcheck.model import Source
from perfcheck.text import clean
from perfcheck.words import did_you_mean

LIST_RUNS = "'perfcheck history list' lists the saved runs"

_IN_RUN = runs.c.number == measurements.c.run
_BRANCH = func.coalesce(runs.c.branch, "")
# Of a running service, read from outside any checkout: no branch is wrong for it, so it counts to each.
_IS_READING = and_(runs.c.branch.is_(None), runs.c.source == str(Source.MONITORED))

_MIN_PREFIX = 4
_HIGHEST = "\U0010ffff"  # sorts behind whatever may follow a prefix
_MAX_SUGGESTIONS = 3
_MAX_CANDIDATES = 500  # runs and labels, the newest first, that a misspelt reference may have meant
_MIN_SIMILARITY = 0.5  # difflib's ratio: v2 and v1


class Filter(TypedDict, total=False):
    """``since`` is inclusive, ``until`` is not; None is no condition, and the branch "" that of runs without one."""

    since: str | None
    until: str | None
    branch: str | None
    source: Source | None


class RunFilter(Filter, total=False):
    label: str | None
    machine: str | None


class MeasurementFilter(Filter, total=False):
    endpoint: str | None
    series: str | None


def select_runs(limit: int | None, *, newest_first: bool, **filters: Unpack[RunFilter]) -> Select[Any]:
    """Rows for ``past_run``."""
    query = _filtered(select(*RUN_COLUMNS), runs, filters)
    order = (runs.c.started_at, runs.c.number)
    query = query.order_by(*(column.desc() for column in order)) if newest_first else query.order_by(*order)
    return query if limit is None else query.limit(limit)


def select_measurements(**filters: Unpack[MeasurementFilter]) -> Select[Any]:
    """Rows for ``past_measurement``, in the order of the index over them."""
    query = select(*MEASUREMENT_COLUMNS).join_from(measurements, runs, _IN_RUN)
    table = measurements.c
    return _filtered(query, measurements, filters).order_by(table.endpoint, table.series, table.started_at, table.run)


def select_latest(most: int, **filters: Unpack[MeasurementFilter]) -> Select[Any]:
    """Rows for ``past_measurement``, the newest first: as many as are wanted, of those that have a value."""
    table = measurements.c
    newest_first = (table.started_at.desc(), table.run.desc(), table.position.desc())
    query = select_measurements(**filters).where(table.value_ms.is_not(None))
    return query.order_by(None).order_by(*newest_first).limit(most)


def select_last_times(**filters: Unpack[MeasurementFilter]) -> Select[Any]:
    """Each endpoint, and when it last had a value."""
    table = measurements.c
    query = select(table.endpoint, func.max(table.started_at).label("time")).join_from(measurements, runs, _IN_RUN)
    return _filtered(query, measurements, filters).where(table.value_ms.is_not(None)).group_by(table.endpoint)


def select_count(**filters: Unpack[MeasurementFilter]) -> Select[Any]:
    """Of the rows that have a value."""
    query = select(func.count()).select_from(measurements).join(runs, _IN_RUN)
    return _filtered(query, measurements, filters).where(measurements.c.value_ms.is_not(None))


def select_branches(endpoint: str | None, **filters: Unpack[RunFilter]) -> Select[Any]:
    """Each branch, "" for none, and its runs that count to no other; with an ``endpoint``, only those that have it."""
    columns: tuple[ColumnElement[Any], ...] = (_BRANCH.label("branch"), func.count().label("runs"))
    query = _filtered(select(*columns), runs, filters).where(not_(_IS_READING))
    if endpoint is not None:
        query = query.where(runs.c.number.in_(select(measurements.c.run).where(measurements.c.endpoint == endpoint)))
    return query.group_by(_BRANCH).order_by(columns[1].desc(), _BRANCH)


def select_notes(run_id: str | None, commit: str | None) -> Select[Any]:
    """Rows for ``note``: all, or those of a run or of a commit, which a note may name by its first digits."""
    wanted = []
    if run_id is not None:
        wanted.append(notes.c.run_id == run_id)
    if commit is not None:
        wanted.append(literal(commit).startswith(notes.c.commit))
    query = select(*NOTE_COLUMNS).order_by(notes.c.created_at, notes.c.id)
    return query.where(or_(*wanted)) if wanted else query


def _filtered(query: Select[Any], table: Table, filters: RunFilter | MeasurementFilter) -> Select[Any]:
    for name, wanted in filters.items():
        if wanted is None:
            continue
        if name == "since":
            query = query.where(table.c.started_at >= wanted)
        elif name == "until":
            query = query.where(table.c.started_at < wanted)
        elif name == "branch":
            query = query.where(or_(wanted == _BRANCH, _IS_READING))
        else:
            query = query.where(table.c[name] == str(wanted))
    return query


# --- Which run is meant --------------------------------------------------------------------------------------------


def find_run(connection: Connection, reference: str, *, of_capacity: bool = False) -> PastRun:
    """The run with this id, label (the newest that has it) or prefix of an id.

    A release has one label for its check and for its search for the capacity: that decides which one comes first.
    Raises NoSuchRunError with the nearest names when there is none, and UsageError when several ids begin so.
    """
    query = select(*RUN_COLUMNS)
    other_kind = case((runs.c.source == str(Source.LOAD), int(not of_capacity)), else_=int(of_capacity))
    for column in (runs.c.id, runs.c.label):
        order = (other_kind, runs.c.started_at.desc(), runs.c.number.desc())
        newest = query.where(column == reference).order_by(*order).limit(1)
        for run in past_runs(connection.execute(newest).all()):
            return run
    if len(reference) >= _MIN_PREFIX:
        prefix = (runs.c.id >= reference, runs.c.id <= reference + _HIGHEST)  # an index can do that, unlike LIKE
        found = past_runs(connection.execute(query.where(*prefix).limit(_MAX_SUGGESTIONS)).all())
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(run.id for run in found)
            raise UsageError(f"several run ids begin with '{clean(reference)}'", f"use a longer prefix: {ids}")
    raise NoSuchRunError(f"no run '{clean(reference)}' in the history", _suggestion(connection, reference))


def _suggestion(connection: Connection, reference: str) -> str:
    newest = select(runs.c.id, runs.c.label).order_by(runs.c.started_at.desc()).limit(_MAX_CANDIDATES)
    labelled = newest.where(runs.c.label.is_not(None))
    names = dict.fromkeys(text_in(runs.c.label, row.label) for row in connection.execute(labelled))
    ids = (text_in(runs.c.id, row.id) for row in connection.execute(newest))
    names |= dict.fromkeys(run_id[: max(len(reference), 8)] for run_id in ids)
    return did_you_mean(reference, names, most=_MAX_SUGGESTIONS, similarity=_MIN_SIMILARITY) or LIST_RUNS
