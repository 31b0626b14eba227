"""GraphQL by hand: two fields with an argument, variables, aliases; errors as the specification has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from perfcheck.demo.call import MOST_DIGITS, JsonObject
from perfcheck.demo.database import QuerySession
from perfcheck.demo.handlers import VIDEO_COLUMNS, load_eagerly

_VIDEO_FIELDS = {"id", "title", "status", "views", "duration_s"}
_ARGUMENTS = {"videos": ("limit", 10, 200), "video": ("id", None, 2**31 - 1)}  # name, default and largest
_ROWS = {  # put together from constants
    "videos": f"SELECT {VIDEO_COLUMNS} FROM videos v ORDER BY v.id LIMIT ?",  # noqa: S608
    "video": f"SELECT {VIDEO_COLUMNS} FROM videos v WHERE v.id = ?",  # noqa: S608
}
_LONGEST = 4000  # characters of a document
_IGNORED = re.compile(r"#[^\r\n]*|[,\ufeff]")
_BEGINNING = re.compile(r"\s*+(?:query\b\s*+\w*+\s*+(?:\(([\w\s$:!=-]*+)\)\s*+)?)?\{\s*+", re.ASCII)
_VARIABLE = re.compile(r"\$(\w+)\s*:\s*\w+!?(?:\s*=\s*(-?\d+))?", re.ASCII)
_KEY_AND_NAME = r"(?:(\w+)\s*+:\s*+)?(\w+)\s*+"
_SELECTED = re.compile(_KEY_AND_NAME, re.ASCII)
_ARGUMENT = r"(?:\(\s*+(\w+)\s*+:\s*+(\$\w+|-?\d+)\s*+\)\s*+)?"
_FIELD = re.compile(_KEY_AND_NAME + _ARGUMENT + r"\{\s*+((?:(?:\w+\s*+:\s*+)?\w+\s*+)++)\}\s*+", re.ASCII)
_END = re.compile(r"\}\s*+\Z")


class QueryDocumentError(Exception):
    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position  # characters from the beginning


def graphql_response(session: QuerySession, document: str, variables: Mapping[str, Any]) -> JsonObject:
    """``data``, or ``errors`` for a document that cannot be executed. Nothing is raised for either."""
    try:
        return {"data": {key: _resolved(session, *field) for key, field in [*_fields(document, variables)]}}
    except QueryDocumentError as error:
        lines = document[: error.position].split("\n")
        location = {"line": len(lines), "column": len(lines[-1]) + 1}
        return {"errors": [{"message": error.message, "locations": [location]}]}


def _resolved(session: QuerySession, field: str, argument: int, selected: Mapping[str, str]) -> Any:
    """``selected`` has the field of a video under each key of the response."""
    rows = load_eagerly(session, session.rows(_ROWS[field], (argument,)))
    videos = [{key: row[name] for key, name in selected.items()} for row in rows]
    return videos if field == "videos" else next(iter(videos), None)


def _fields(document: str, given: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, int, dict[str, str]]]]:
    """Key of the response; field, argument, and fields of the video by their keys."""
    text = _IGNORED.sub(lambda ignored: " " * len(ignored[0]), document[: _LONGEST + 1])
    beginning = _BEGINNING.match(text)
    if beginning is None or len(text) > _LONGEST:
        raise QueryDocumentError(f"Syntax error: expected a query of at most {_LONGEST} characters", 0)
    end = beginning.end()
    known = {name: given.get(name, default and int(default)) for name, default in _VARIABLE.findall(beginning[1] or "")}
    while field := _FIELD.match(text, end):
        key, name, argument, value, _ = field.groups()
        if name not in _ARGUMENTS:
            raise QueryDocumentError(f"Cannot query field '{name}' on type 'Query'", field.start(2))
        number = _argument(name, argument, known.get(value[1:]) if value and value[0] == "$" else value, field.end(2))
        selected = {}
        for each in _SELECTED.finditer(text, field.start(5), field.end(5)):
            if each[2] not in _VIDEO_FIELDS:
                raise QueryDocumentError(f"Cannot query field '{each[2]}' on type 'Video'", each.start(2))
            selected[each[1] or each[2]] = each[2]
        yield key or name, (name, number, selected)
        end = field.end()
    if end == beginning.end() or not _END.match(text, end):
        message = "Syntax error: expected '}', or a field and what is selected of it, such as videos(limit: 5) { id }"
        raise QueryDocumentError(message, end)


def _argument(field: str, given: str | None, value: Any, position: int) -> int:
    """``value`` is the text of a literal, or what a variable has."""
    name, default, largest = _ARGUMENTS[field]
    if given not in {None, name}:
        raise QueryDocumentError(f"Field '{field}' has one argument, '{name}'", position)
    is_text = isinstance(value, str) and value.isdecimal() and len(value) <= MOST_DIGITS  # also an ID in a variable
    number = default if given is None else int(value) if is_text else value
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= largest:
        raise QueryDocumentError(f"'{name}' of '{field}' must be an integer from 1 to {largest}", position)
    return number
