"""What a baseline expects of an answer, compiled once and checked with each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from perfcheck.answers.conditions import BODY, Compiled, compile_condition, violation
from perfcheck.answers.decoding import event_data, parse_json, text_of
from perfcheck.answers.json_path import compile_json_path
from perfcheck.answers.json_schema import compile_schema
from perfcheck.model import Expectations
from perfcheck.text import MASK, Redactor
from perfcheck.units import WrongValueError, format_size

ALWAYS_BYTES = 64 * 1024  # a body up to this is always looked into
EVERY = 10  # of larger ones the first, each so many, and each that follows a wrong one
_LONGEST_VALUE = 40
_LONGEST_MESSAGE = 120
_MOST_REDACTED = 64 * 1024
_GRAPHQL_ERRORS = "$.errors"
HeaderOf = Callable[[bytes], str]


class AnswerCheck:
    """Of one endpoint. ``problem`` takes the answers in the order in which they come."""

    def __init__(
        self, expectations: Expectations, redact: Redactor, *, has_body: bool = True, is_secret: bool = False
    ) -> None:
        """``has_body``: not so for HEAD. ``is_secret``: values of the answers are not shown. Raises WrongValueError."""
        self._max_bytes = expectations.max_bytes
        self._headers = [
            (name, name.lower().encode(), compile_condition(condition, typed=False))
            for name, condition in expectations.headers
        ]
        self._reads_body = has_body and expectations.of_body
        self._text = compile_condition(expectations.text, typed=False)
        self._paths = [(compile_json_path(path), compile_condition(condition)) for path, condition in expectations.json]
        self._schema = compile_schema(Path(expectations.schema)) if expectations.schema else None
        self._no_graphql_errors = expectations.no_graphql_errors and _GRAPHQL_ERRORS not in dict(expectations.json)
        self._redact = redact
        self._show_value = _mask if is_secret else self._show
        self._large = 0
        self._was_wrong = False

    def problem(self, header: HeaderOf, body: bytes) -> str | None:
        """The first thing that is wrong with an answer, in one line; None for a right one.

        ``header`` returns the value of a header by its lower-case name, empty where there is none; ``body`` is
        decoded. Values in the line are redacted and short; what else comes from the answer, such as names, is not.
        """
        problem = next(self._around_the_body(header, len(body)), None)
        if problem is None and self._reads_body and self._is_due(len(body)):
            try:
                problem = next(self._in_the_body(header, body), None)
            except WrongValueError as error:
                problem = error.message
            self._was_wrong = problem is not None
        return problem

    def _is_due(self, size: int) -> bool:
        if size <= ALWAYS_BYTES:
            return True
        self._large += 1
        return self._was_wrong or self._large % EVERY == 1

    def _violation(self, subject: str, condition: Compiled, values: Sequence[Any]) -> str | None:
        return violation(subject, condition, values, self._show, self._show_value)

    def _around_the_body(self, header: HeaderOf, size: int) -> Iterator[str]:
        for name, key, condition in self._headers:
            value = header(key)
            if problem := self._violation(f"header {name}", condition, [value] if value else []):
                yield problem
        if self._max_bytes is not None and size > self._max_bytes:
            came, most = format_size(size), format_size(self._max_bytes)
            yield f"{BODY}: expected at most {most}, got {came if came != most else f'{size} bytes'}"

    def _in_the_body(self, header: HeaderOf, body: bytes) -> Iterator[str]:
        """Raises WrongValueError."""
        content_type = header(b"content-type")
        if self._text:
            text = text_of(body, content_type)
            if problem := self._violation(BODY, self._text, [text] if text else []):
                yield problem
        if not (self._paths or self._schema or self._no_graphql_errors):
            return
        is_stream = content_type.lower().startswith("text/event-stream")
        document = parse_json(event_data(body) if is_stream else body, BODY)
        if self._no_graphql_errors and (errors := _graphql_errors(document)):
            yield f"GraphQL error: {self._redact.clean(errors, _LONGEST_MESSAGE)}"
        for path, condition in self._paths:
            if problem := self._violation(path.text, condition, path.find(document)):
                yield problem
        if self._schema and (problem := self._schema(document, self._show_value)):
            yield problem

    def _show(self, value: Any) -> str:
        if isinstance(value, str):
            return f"'{self._redact.clean(value[:_MOST_REDACTED], _LONGEST_VALUE)}'"
        if isinstance(value, (list, dict)):
            return f"an array of {len(value):,}" if isinstance(value, list) else "an object"
        return self._redact.clean(json.dumps(value), _LONGEST_VALUE)


def _mask(value: Any) -> str:
    return "null" if value is None else MASK


def _graphql_errors(document: Any) -> str | None:
    """The message of the first (GraphQL specification, section 7.1.2)."""
    errors = document.get("errors") if isinstance(document, dict) else None
    if not errors:
        return None
    first = errors[0] if isinstance(errors, list) else errors
    message = first.get("message", first) if isinstance(first, dict) else first
    return (message if isinstance(message, str) else json.dumps(message))[:_MOST_REDACTED]
