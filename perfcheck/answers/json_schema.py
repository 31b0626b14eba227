"""A JSON Schema in a file, by jsonschema-rs (the extra ``perfcheck[schema]``), and what a document does wrong by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from perfcheck.answers.decoding import parse_json
from perfcheck.text import clean
from perfcheck.units import WrongValueError

_VALUE = "the value"  # stands for it in a message, which is then not as long as the value

SchemaCheck = Callable[[Any, Callable[[Any], str]], str | None]


def compile_schema(file: Path) -> SchemaCheck:
    """A function of a document, and of one that makes a value safe to show: what is wrong in a line, or None.

    A ``$ref`` leads to other files, never to a network. Raises WrongValueError for what is no schema.
    """
    try:
        import jsonschema_rs  # noqa: PLC0415 - an extra
    except ImportError:
        raise WrongValueError("this needs the package jsonschema-rs", "pip install 'perfcheck[schema]'") from None
    schema = _read(file)
    try:
        validator = jsonschema_rs.validator_for(
            schema, mask=_VALUE, base_uri=file.resolve().as_uri(), retriever=lambda uri: _read(_path_of(uri))
        )
    except (jsonschema_rs.ValidationError, ValueError) as error:
        reason = clean(_words(error) if isinstance(error, jsonschema_rs.ValidationError) else str(error))
        raise WrongValueError(f"{clean(file.name)} is not a JSON Schema: {reason}", "correct it") from None

    def problem(document: Any, show: Callable[[Any], str]) -> str | None:
        if validator.is_valid(document):
            return None
        error = next(iter(validator.iter_errors(document)))
        got = f", got {show(error.instance)}" if error.message.startswith(_VALUE) else ""
        return f"schema: {_words(error)}{got}"

    return problem


def _words(error: Any) -> str:
    """``$.items[0].id is not of type "integer"``, ``$.items[0]: "id" is a required property``."""
    at = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    if error.message.startswith(_VALUE):
        return f"{at}{error.message.removeprefix(_VALUE)}"
    return f"{at}: {error.message}" if error.instance_path else str(error.message)


def _read(file: Path) -> Any:
    """Raises WrongValueError."""
    try:
        return parse_json(file.read_bytes(), clean(file.name))
    except OSError as error:
        raise WrongValueError(f"{clean(file.name)} cannot be read: {error.strerror}", "check its name") from None


def _path_of(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme != "file":
        raise WrongValueError("only files are read, relative to the schema")
    return Path(unquote(parts.path))
