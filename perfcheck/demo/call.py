"""What a handler gets, a request or a call with its checked parameters; its reply, and the error that it may raise."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from perfcheck.demo import Regression
    from perfcheck.demo.database import QuerySession

JsonObject = dict[str, Any]
Headers = tuple[tuple[str, str], ...]
_PAGE = 50
_LARGEST_PAGE = 200
_LONGEST_TEXT = 100
_MOST_FIELDS = 20
MOST_DIGITS = 9  # enough for any offset, and too few to overflow an integer of the database


class RefusedError(Exception):
    """The request cannot be served: a status and a sentence for the client."""

    def __init__(self, status: HTTPStatus, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.reply = Reply(status, {"error": status.phrase, "message": message}, headers=headers)


@dataclass(frozen=True, slots=True)
class Reply:
    status: HTTPStatus
    body: JsonObject | None  # None: without content
    queries: int = 0
    headers: Headers = ()
    events: Iterator[tuple[float, bytes]] | None = None  # in place of the body: each with the seconds to wait before it
    page: bytes | None = None  # in place of the body, with its Content-Type in the headers


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request as it arrived, read to its end."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one handler."""

    parameters: Parameters
    session: QuerySession
    regressions: frozenset[Regression]
    identifier: int | None = None  # of what the path names


class Parameters:
    """The query string, read by name. Every getter raises RefusedError (400) with a sentence on what is wrong."""

    def __init__(self, query: str, known: Collection[str]) -> None:
        self._values: dict[str, str] = {}
        for name, value in fields(query):
            if name not in known:
                names = f"known parameters: {', '.join(sorted(known))}" if known else "this path takes none"
                raise _wrong(f"unknown parameter '{name}': {names}")
            if name in self._values:
                raise _wrong(f"parameter '{name}' is given more than once")
            self._values[name] = value

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        by_lower_case = {choice.lower(): choice for choice in choices}
        value = by_lower_case.get(self._values.get(name, default).lower())
        if value is None:
            raise _wrong(f"{name} must be one of {', '.join(choices)}")
        return value

    def optional_choice(self, name: str, choices: Collection[str]) -> str | None:
        return self.choice(name, choices, "") if name in self._values else None

    def integer(self, name: str, default: int, low: int, high: int | None = None) -> int:
        text = self._values.get(name, str(default))
        if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS:
            value = int(text)
            if low <= value and (high is None or value <= high):
                return value
        bounds = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise _wrong(f"{name} must be a whole number {bounds}")

    def text(self, name: str) -> str:
        value = self._values.get(name, "").strip()
        if not value:
            raise _wrong(f"{name} is required: what to search for")
        if len(value) > _LONGEST_TEXT:
            raise _wrong(f"{name} is longer than {_LONGEST_TEXT} characters")
        if "\0" in value:  # where SQLite would take the pattern to end
            raise _wrong(f"{name} contains a null character")
        return value

    def page(self) -> tuple[int, int]:
        """The parameters ``limit`` and ``offset``."""
        return self.integer("limit", _PAGE, 1, _LARGEST_PAGE), self.integer("offset", 0, 0)


def fields(text: str | bytes, what: str = "the query string") -> list[tuple[str, str]]:
    """Of a query string or a form, blank ones too. Raises RefusedError (400) where it cannot be read."""
    try:
        decoded = text if isinstance(text, str) else text.decode()
        return parse_qsl(decoded, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:  # too many fields, or bytes that are not UTF-8
        raise _wrong(f"{what} cannot be read") from error


def like(text: str) -> str:
    r"""The pattern that finds ``text`` anywhere, for ``LIKE ? ESCAPE '\'``."""
    for special in ("\\", "%", "_"):
        text = text.replace(special, "\\" + special)
    return f"%{text}%"


def json_object(text: str | bytes, what: str = "the body") -> JsonObject:
    """Raises RefusedError (400) for anything but one JSON object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"{what} is not JSON") from error
    if not isinstance(value, dict):
        raise _wrong(f"{what} is not a JSON object")
    return value


def _wrong(message: str) -> RefusedError:
    return RefusedError(HTTPStatus.BAD_REQUEST, message)
