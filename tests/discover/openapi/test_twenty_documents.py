"""Documents in the shapes that frameworks and public APIs give theirs, and the operations in them, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.golden import check_golden

from perfcheck.discover.openapi.operations import read_openapi
from perfcheck.discover.openapi.parser import parse_openapi
from perfcheck.model.operation import Operation

DOCUMENTS = sorted((Path(__file__).parent / "documents").glob("*.yaml"))


def test_there_are_twenty() -> None:
    assert len(DOCUMENTS) >= 20


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.stem)
def test_document(file: Path) -> None:
    operations = read_openapi(parse_openapi(file.read_bytes()))
    text = "\n".join(line for operation in operations for line in described(operation))
    check_golden(file.with_suffix(".txt"), f"{text}\n")


def described(operation: Operation) -> Iterator[str]:
    names = operation.group or "no group"
    yield f"{operation.method} {operation.template} ({names}){f': {operation.reason}' if operation.reason else ''}"
    for each in operation.parameters:
        value = "no value" if each.value is None else f"'{each.value}', {each.basis}"
        yield f"  {each.location}{'' if each.required else ', optional'}: {each.name}, {value}"
    for name, text in operation.headers:
        yield f"  {name}: {text}"
    if operation.content is not None:
        yield f"  body: {operation.content}"
