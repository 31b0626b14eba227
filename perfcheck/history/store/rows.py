"""Rows as past runs, measurements and notes. Another program may have written them: they are checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Boolean, Column, ColumnElement, Double, Integer, Row, Text, type_coerce
from sqlalchemy.types import NullType

from perfcheck.history.model import Note, PastMeasurement, PastRun
from perfcheck.history.store.dialects import DamagedRowError
from perfcheck.history.store.tables import measurements, notes, runs
from perfcheck.model import METRICS_BY_NAME, Counts, Source, Verdict
from perfcheck.text import clean
from perfcheck.times import parse_time

_VERDICTS = {str(verdict): verdict for verdict in Verdict}
_SOURCES = {str(source): source for source in Source}

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
# Of many measurements at once, column by column: a line of Python for each of them takes longer than reading them.
_CONVERSIONS: dict[str, Callable[[Any], object]] = {
    "source": _SOURCES.__getitem__,
    "verdict": _VERDICTS.__getitem__,
    "decided": bool,
    "critical_path": bool,
}
_INTERVAL = slice(13, 15)  # low_ms and high_ms
_AS_MEASUREMENT: Callable[[Iterable[Any]], PastMeasurement] = partial(tuple.__new__, PastMeasurement)

Rows = Sequence[Row[Any]]


def past_runs(rows: Rows) -> list[PastRun]:
    """Of the columns in ``RUN_COLUMNS``. Raises DamagedRowError, as do the others."""
    _check(rows, _RUN_FIELDS, "the run {0}")
    return list(map(_past_run, rows))


def past_measurements(rows: Rows) -> list[PastMeasurement]:
    """Of the columns in ``MEASUREMENT_COLUMNS``."""
    checked = _check(rows, _MEASUREMENT_FIELDS, "{4} in the run {0}")
    columns: list[Iterable[object]] = [
        map(_CONVERSIONS[field.name], values) if field.name in _CONVERSIONS else values
        for field, values in zip(_MEASUREMENT_FIELDS, checked, strict=bool(rows))
    ]
    columns[_INTERVAL] = [zip(*columns[_INTERVAL], strict=True)]
    return list(map(_AS_MEASUREMENT, zip(*columns, strict=True)))


def past_notes(rows: Rows) -> list[Note]:
    """Of the columns in ``NOTE_COLUMNS``."""
    _check(rows, _NOTE_FIELDS, "the note {0}")
    return [Note(*list(row)) for row in rows]


def text_in(column: Column[str], value: object) -> str:
    """A value of a column of texts."""
    if isinstance(value, str):
        return value
    raise _damaged(f"a row in {column.table}", column.name, value)


def _past_run(row: Row[Any]) -> PastRun:
    values: list[Any] = list(row)
    values[4], values[11] = _VERDICTS[values[4]], _SOURCES[values[11]]
    values[6], values[14] = bool(values[6]), None if values[14] is None else bool(values[14])
    values[7:11] = [Counts(*values[7:11])]
    return PastRun(*values)


# --- What a column may hold ----------------------------------------------------------------------------------------
# Of many rows at once, column by column: a check of each value would take as long as all the rest of reading it.

_Values = set[Any]  # the distinct ones of a column, without None


def _are_texts(values: _Values) -> bool:
    return set(map(type, values)) <= {str}


def _are_whole(values: _Values) -> bool:
    return set(map(type, values)) <= {int}


def _are_amounts(values: _Values) -> bool:
    """Durations, shares and ratios."""
    return set(map(type, values)) <= {float, int} and min(values, default=0) >= 0 and sum(values) < math.inf


_parse_time = lru_cache(maxsize=16_384)(parse_time)  # every endpoint of a run has the same


def _are_times(values: _Values) -> bool:
    return _are_texts(values) and all(map(_parse_time, values))


_BY_NAME: dict[str, Callable[[_Values], bool]] = {
    "started_at": _are_times,
    "created_at": _are_times,
    "verdict": _VERDICTS.keys().__ge__,
    "source": _SOURCES.keys().__ge__,
    "metric": METRICS_BY_NAME.keys().__ge__,
}
_BY_TYPE: dict[type, Callable[[_Values], bool]] = {
    Text: _are_texts,
    Integer: _are_whole,
    BigInteger: _are_whole,
    Double: _are_amounts,
    Boolean: {0, 1}.issuperset,
}


class _Field(NamedTuple):
    name: str
    nullable: bool
    are_valid: Callable[[_Values], bool]

    @classmethod
    def of(cls, column: Column[Any]) -> _Field:
        are_valid = _BY_NAME.get(column.name) or _BY_TYPE[type(column.type)]
        return cls(column.name, bool(column.nullable), are_valid)

    def may_hold(self, values: Iterable[object]) -> bool:
        distinct = set(values)
        if self.nullable:
            distinct.discard(None)
        return self.are_valid(distinct)


def _check(rows: Rows, fields: Sequence[_Field], what: str) -> list[tuple[Any, ...]]:
    """The columns of the rows. ``what`` the row is that a message is about, by the numbers of its columns."""
    columns = list(zip(*rows, strict=True))
    for at, (field, values) in enumerate(zip(fields, columns, strict=False)):
        if not field.may_hold(values):
            row = next(row for row in rows if not field.may_hold([row[at]]))
            raise _damaged(what.format(*(clean(str(value), 80) for value in row)), field.name, row[at])
    return columns


def _damaged(what: str, name: str, value: object) -> DamagedRowError:
    return DamagedRowError(f"{name} of {what} is {'NULL' if value is None else clean(repr(value), 60)}")


def as_stored(column: Column[Any]) -> ColumnElement[Any]:
    """Without what SQLAlchemy makes of it: True of any text where a Boolean belongs."""
    return type_coerce(column, NullType()).label(column.name)


_RUN_FIELDS = tuple(map(_Field.of, _RUN_COLUMNS))
_MEASUREMENT_FIELDS = tuple(map(_Field.of, _MEASUREMENT_COLUMNS))
_NOTE_FIELDS = tuple(map(_Field.of, notes.c))
RUN_COLUMNS = tuple(map(as_stored, _RUN_COLUMNS))
MEASUREMENT_COLUMNS = tuple(map(as_stored, _MEASUREMENT_COLUMNS))
NOTE_COLUMNS = tuple(map(as_stored, notes.c))
