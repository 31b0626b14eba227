"""GraphQL by hand: two fields with an argument, variables, aliases; errors as the specification has them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from perfcheck.demo.call import JsonObject
from perfcheck.demo.database import QuerySession
from perfcheck.demo.handlers import VIDEO_COLUMNS, load_eagerly

_VIDEO_FIELDS = {"id", "title", "status", "views", "duration_s"}
_ARGUMENTS: dict[str, tuple[str, int | None, int]] = {  # of a field of the query: name, default and largest
    "videos": ("limit", 10, 200),
    "video": ("id", None, 2**31 - 1),
}
_ROWS = {  # the SQL is put together from constants
    "videos": f"SELECT {VIDEO_COLUMNS} FROM videos v ORDER BY v.id LIMIT ?",  # noqa: S608
    "video": f"SELECT {VIDEO_COLUMNS} FROM videos v WHERE v.id = ?",  # noqa: S608
}
_LONGEST = 4000  # characters of a document
_TOKEN = re.compile(r"(?:[\s,\ufeff]|#[^\r\n]*+)*+(?P<token>[!$():={}]|[_A-Za-z][_0-9A-Za-z]*|-?[0-9]{1,10}|\Z)")


class QueryDocumentError(Exception):
    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position  # characters from the beginning


def graphql_response(session: QuerySession, document: str, variables: Mapping[str, Any]) -> JsonObject:
    """``data``, or ``errors`` for a document that cannot be executed. Nothing is raised for either."""
    reader = _Reader(document, variables)
    try:
        return {"data": {key: _resolved(session, *field) for key, field in reader.query().items()}}
    except QueryDocumentError as error:
        lines = document[: error.position].split("\n")
        location = {"line": len(lines), "column": len(lines[-1]) + 1}
        return {"errors": [{"message": error.message, "locations": [location]}]}


def _resolved(session: QuerySession, field: str, argument: int, selected: Mapping[str, str]) -> Any:
    """``selected`` has the field of a video under each key of the response."""
    rows = load_eagerly(session, session.rows(_ROWS[field], (argument,)))
    videos = [{key: row[name] for key, name in selected.items()} for row in rows]
    return videos if field == "videos" else next(iter(videos), None)


class _Reader:
    """Reads one query from left to right, and checks it on the way."""

    def __init__(self, text: str, variables: Mapping[str, Any]) -> None:
        self._text = text
        self._given = variables
        self._known: dict[str, Any] = {}  # variables of the operation, with their values
        self._ahead, self._position, self._end = "", 0, 0  # the next token, and where it is

    def query(self) -> dict[str, tuple[str, int, dict[str, str]]]:
        """Key of the response -> field, argument, and fields of the video by their keys."""
        if len(self._text) > _LONGEST:
            raise QueryDocumentError(f"The document is longer than {_LONGEST} characters", 0)
        self._advance()
        if self._ahead != "{":
            self._expect("query")  # no mutation, no fragment
            if self._ahead not in {"{", "("}:
                self._name()
            self._variables()
        selected: dict[str, tuple[str, int, dict[str, str]]] = {}
        for key, name in self._selection("Query", _ARGUMENTS):
            argument = self._argument(name)
            selected[key] = name, argument, dict(self._selection("Video", _VIDEO_FIELDS))
        self._expect("")
        return selected

    def _variables(self) -> None:
        if self._accept("("):
            while not self._accept(")"):
                self._expect("$")
                name = self._name()
                self._expect(":")
                self._name()
                self._accept("!")
                default = self._integer() if self._accept("=") else None
                self._known[name] = self._given.get(name, default)

    def _selection(self, kind: str, fields: Collection[str]) -> Iterator[tuple[str, str]]:
        """Key and name of each field; what follows a name is to be read before the next."""
        self._expect("{")
        while True:
            position, name = self._position, self._name()
            key = name
            if self._accept(":"):
                position, name = self._position, self._name()
            if name not in fields:
                raise QueryDocumentError(f"Cannot query field '{name}' on type '{kind}'", position)
            yield key, name
            if self._accept("}"):
                return

    def _argument(self, field: str) -> int:
        name, value, largest = _ARGUMENTS[field]
        position = self._position
        if self._accept("("):
            if self._name() != name:
                raise QueryDocumentError(f"Field '{field}' has one argument, '{name}'", position + 1)
            self._expect(":")
            value = self._variable() if self._accept("$") else self._integer()
            self._expect(")")
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= largest:
            raise QueryDocumentError(f"'{name}' of '{field}' must be an integer from 1 to {largest}", position)
        return value

    def _variable(self) -> Any:
        position, name = self._position, self._name()
        if name not in self._known:
            raise QueryDocumentError(f"Variable '${name}' is not defined", position)
        return self._known[name]

    def _name(self) -> str:
        return self._advance() if self._ahead.isidentifier() else self._expect("a name")

    def _integer(self) -> int:
        return int(self._advance() if self._ahead.lstrip("-").isdigit() else self._expect("an integer"))

    def _accept(self, token: str) -> bool:
        return self._ahead == token and self._advance() == token

    def _expect(self, token: str) -> str:
        if self._ahead != token:
            expected = repr(token) if token and " " not in token else token or "the end"
            found = repr(self._ahead) if self._ahead else "the end"
            raise QueryDocumentError(f"Syntax error: expected {expected}, found {found}", self._position)
        return self._advance()

    def _advance(self) -> str:
        """Go to the next token; the one before it."""
        passed = self._ahead
        match = _TOKEN.match(self._text, self._end)
        if match is None:
            raise QueryDocumentError("Syntax error: a character that no query here has", self._end)
        self._ahead, self._position, self._end = match["token"], match.start("token"), match.end()
        return passed
