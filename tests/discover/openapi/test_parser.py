"""Documents as text: JSON and YAML, right, wrong and hostile."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.discover.openapi.parser import UnreadableError, parse_document


def test_json() -> None:
    assert parse_document('\ufeff{"openapi": "3.1.0", "x": [1, 1.5, null, true, "ü"]}'.encode()) == {
        "openapi": "3.1.0",
        "x": [1, 1.5, None, True, "ü"],
    }


def test_yaml_means_the_same_as_json() -> None:
    text = """
    openapi: 3.1
    swagger: "2.0"
    none: [null, ~, "", '']
    yes: no            # the country
    dates: [2024-01-01, 12:30, 0123]
    numbers: [1, -2, 1.5, 1e3, .5, 1_000]
    paths:
      200:
        description: |
          two
          lines
    """
    assert parse_document(text.encode()) == {
        "openapi": 3.1,
        "swagger": "2.0",
        "none": [None, None, "", ""],
        "yes": "no",
        "dates": ["2024-01-01", "12:30", 123],
        "numbers": [1, -2, 1.5, 1000.0, 0.5, "1_000"],
        "paths": {"200": {"description": "two\nlines\n"}},
    }


def test_yaml_with_anchors_and_merged_mappings() -> None:
    text = """
    common: &common {in: query, schema: &any {type: string}}
    more: &more {required: true, in: path}
    one: {<<: *common, name: q}
    two: {name: r, <<: [*common, *more], schema: *any}
    text: &text hello
    texts: [*text, *text]
    *text : key
    """
    assert parse_document(text.encode()) == {
        "common": {"in": "query", "schema": {"type": "string"}},
        "more": {"required": True, "in": "path"},
        "one": {"in": "query", "schema": {"type": "string"}, "name": "q"},
        "two": {"in": "query", "required": True, "schema": {"type": "string"}, "name": "r"},
        "text": "hello",
        "texts": ["hello", "hello"],
        "hello": "key",
    }


def test_only_the_first_document_of_yaml_counts() -> None:
    assert parse_document(b"---\na: 1\n---\nb: [") == {"a": 1}
    assert parse_document(b"") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\xff\xfe{", "not text in UTF-8"),
        (b'{"a": 1,}', "not valid JSON: Expecting property name"),
        (b"[" * 100_000, "nested more than 200 levels deep"),
        (b"a: " + b"[" * 100_000, "n"),  # the parser in C has a limit of its own
        (b"\n".join(b" " * depth + b"a:" for depth in range(300)), "nested more than 200 levels deep"),
        (b"a: [", "not valid YAML: did not find expected node content (line 2, column 1)"),
        (b"a: &a [*a]", "not valid YAML: the alias *a has no value"),
        (b"a: *b", "not valid YAML: the alias *b has no value"),
        (b"? [a]\n: b", "not valid for OpenAPI: it has a key that is not text"),
        (b"a: \x07", "not valid YAML: "),
        (b" " * 32_000_001, "larger than 32 MB"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_not_a_document_has_a_reason(text: bytes, message: str) -> None:
    with pytest.raises(UnreadableError, match="^" + re.escape(message)):
        parse_document(text)


def test_aliases_that_multiply_are_an_error() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 10)]
    with pytest.raises(UnreadableError, match="more than 3,000,000 values with aliases repeated"):
        parse_document("\n".join(lines).encode())


# PyYAML writes ``0E0`` without quotes, since to YAML 1.1 that is no number.
TEXTS = st.text(st.characters(codec="utf-8")).filter(lambda text: not re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", text))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXTS, values, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_written_as_yaml_is_read_again(value: Any) -> None:
    written = {"openapi": "3.0.0", "x": value}
    assert parse_document(yaml.safe_dump(written).encode()) == written
    assert parse_document(json.dumps(written).encode()) == written


@given(st.binary(max_size=60) | st.text(st.sampled_from("a: -[]{}&*<\n'\"|>!%@#1.e"), max_size=60).map(str.encode))
def test_no_text_raises_anything_else(content: bytes) -> None:
    with suppress(UnreadableError):
        parse_document(content)


# --- Large documents -------------------------------------------------------------------------------------------------

READ_LARGE = """
import json, re, sys
from pathlib import Path
from perfcheck.discover.openapi.operations import read_openapi
from perfcheck.discover.openapi.parser import parse_document

def peak_mb():
    return int(re.findall(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[0]) / 1e3

before = peak_mb()
found = len(read_openapi(parse_document(Path(sys.argv[1]).read_bytes())))
print(found, peak_mb() - before)
"""


@pytest.mark.parametrize("beginning", ["", "--- "], ids=["JSON", "YAML"])
def test_10_mb_take_bounded_memory(tmp_path: Path, beginning: str) -> None:
    fields = {f"field_{number}": {"type": "string", "description": "A field"} for number in range(150)}
    thing = {"type": "object", "properties": fields}
    responses = {"200": {"content": {"application/json": {"schema": thing}}}}
    key = {"name": "id", "in": "path", "schema": {"type": "integer"}}
    item = {"parameters": [key], "get": {"responses": responses}}
    document = {"openapi": "3.0.0", "paths": {f"/things{number}/{{id}}": item for number in range(1000)}}
    text = beginning + json.dumps(document)
    file = tmp_path / "api"
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, "-c", READ_LARGE, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    operations, megabytes = done.stdout.split()
    assert operations == "1000"
    assert float(megabytes) < 20 * len(text) / 1e6
