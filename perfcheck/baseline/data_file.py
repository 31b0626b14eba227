"""``data: users.csv``: the rows of a file, whose columns the requests of an endpoint insert."""

from __future__ import annotations

import csv
import io
import json
import re
from array import array
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

from yaml import Node

from perfcheck.baseline.addresses import read_file
from perfcheck.baseline.captures import uses
from perfcheck.baseline.context import Context, Entries, has_surrogates
from perfcheck.baseline.value_types import TEXT, CustomType
from perfcheck.model import DataFile, Endpoint, Placeholder
from perfcheck.text import clean
from perfcheck.units import WrongValueError
from perfcheck.words import did_you_mean, plural

_MOST_BYTES = 16_000_000
_EXAMPLE = "name a CSV file with a header line, or a JSON Lines file: users.csv, users.jsonl"


def _read_data(context: Context, node: Node, name: str) -> DataFile | None:
    found = read_file(context, node, name, _MOST_BYTES)
    if found is None:
        return None
    file, content = found
    rows_of = _READERS.get(file.suffix.lower())
    if rows_of is None:
        context.error(node, f"{name}: the file is neither .csv nor .jsonl", _EXAMPLE)
        return None
    try:
        return _table(file, rows_of(content.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        context.error(node, f"{name}: {clean(file.name)} is not UTF-8 on line {line}", "save it as UTF-8")
    except WrongValueError as error:
        context.error(node, f"{name}: {clean(file.name)}: {error.message}", error.remedy or _EXAMPLE)
    return None


def _table(file: Path, rows: Iterable[tuple[int, dict[str, str]]]) -> DataFile:
    """Raises WrongValueError."""
    columns: dict[str, list[str | None]] = {}
    lines = array("L")
    for line, row in rows:
        for column in row.keys() - columns.keys():
            columns[column] = [None] * len(lines)
        for column, values in columns.items():
            values.append(row.get(column))
        lines.append(line)
    if not lines:
        raise WrongValueError(
            "there are no rows in it", "add one below the header line" if file.suffix == ".csv" else ""
        )
    return DataFile(file.name, columns, lines)


def _csv(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with the line on which it ends. Raises WrongValueError."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        if not header:
            raise WrongValueError("the file is empty", _EXAMPLE)
        if len(header) == 1 and (other := re.search(r"[;\t|]", header[0])):
            name = "tabs" if other[0] == "\t" else f"'{other[0]}'"
            raise WrongValueError(f"its columns seem to be separated by {name}", "separate them by commas")
        if "" in header or len({*header}) < len(header):
            raise WrongValueError("a column has no name, or the name of another", "correct its first line")
        for row in reader:
            if row and len(row) != len(header):
                message = (
                    f"line {reader.line_num} has {plural(len(row), 'value')}, and the header line has {len(header)}"
                )
                raise WrongValueError(
                    message, "correct that line; a value with a comma or a line break is put in quotes"
                )
            if row:
                yield reader.line_num, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise WrongValueError(f"line {reader.line_num}: {error}", "correct that line, or a quote before it") from None


def _json_lines(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Raises WrongValueError."""
    for number, line in zip(count(1), text.split("\n"), strict=False):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise WrongValueError(
                f"line {number} is not an object of JSON", 'write, for example, {"email": "a@example.com"}'
            )
        values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()}
        if any(map(has_surrogates, values.values())):
            raise WrongValueError(f"line {number} has a text that is not valid Unicode", "correct it")
        yield number, values


_READERS = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines}
DATA = CustomType(_read_data, TEXT.json)


# --- What is used of it ----------------------------------------------------------------------------------------------


def check_data(context: Context, name: Node | None, own: Entries, request: Endpoint, data: DataFile | None) -> None:
    """An error for each column that ``request``, written in ``own``, inserts and ``data`` does not have as it needs it.

    It is at ``name`` where a header is inherited, which is left out where ``name`` is None.
    """
    for value in request.inserted():
        if value.name.startswith("data."):
            problem = _problem(value, value.name.removeprefix("data."), data)
            if problem is not None:
                node = next(
                    (scalar for entry in own.values() for scalar, used in uses(entry.node) if used == value.name), None
                )
                if where := node or name:
                    context.error_at_variable(where, value.name, *problem)


def _problem(value: Placeholder, column: str, data: DataFile | None) -> tuple[str, str] | None:
    """The message and the remedy."""
    if data is None:
        return (
            f"${{{value.name}}} is a column of 'data', and there is none here",
            "add to the endpoint, for example, 'data: users.csv'",
        )
    file = clean(data.name)
    if column not in data.columns:
        names = ", ".join(list(data.columns)[:10])
        return f"{file} has no column '{clean(column, 60)}'", did_you_mean(column, data.columns) or f"it has {names}"
    for line, text in zip(data.lines, data.columns[column], strict=True):
        if text is None:
            return f"line {line} of {file} has no '{clean(column, 60)}'", "add it to that line"
        try:
            value.encoded(text)
        except ValueError as error:
            return f"line {line} of {file}: {error}", "correct that line, or insert the column elsewhere"
    return None
