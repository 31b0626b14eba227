"""The JSON Schema and the reference agree with the validator."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from support.baselines import load
from support.command import perfcheck
from support.golden import check_golden

from perfcheck.baseline import BaselineError
from perfcheck.baseline.capacity import CAPACITY
from perfcheck.baseline.expectations import ANSWER
from perfcheck.baseline.graphql import GRAPHQL_KEYS
from perfcheck.baseline.keys import (
    COMPARE,
    ENDPOINT,
    ERROR_RATE,
    GROUP,
    INHERITED,
    SAMPLING,
    SERVICE,
    TLS,
    TOP,
    json_schema,
)

ROOT = Path(__file__).parents[2]
DRAFT = jsonschema.Draft202012Validator
# Every key by the heading under which the reference explains it.
DOCUMENTED = {
    (heading, name): key
    for heading, keys in {
        "The file": TOP.keys,
        "service": SERVICE.keys,
        "service.tls": TLS.keys,
        "sampling": SAMPLING.keys,
        "compare": COMPARE.keys,
        "capacity": CAPACITY.keys,
        "Endpoints": {name: key for name, key in ENDPOINT.keys.items() if name not in INHERITED},
        "Endpoints, groups and defaults": INHERITED,
        "error_rate": ERROR_RATE.keys,
        "expect": ANSWER.keys,
        "graphql": GRAPHQL_KEYS.keys,
        "groups": {"title": GROUP.keys["title"]},
    }.items()
    for name, key in keys.items()
}


def errors(text: str) -> list[str]:
    return [error.message for error in DRAFT(json_schema()).iter_errors(yaml.safe_load(text))]


def test_the_file_that_the_example_names_is_what_the_command_prints() -> None:
    done = perfcheck("schema")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json_schema()
    (name,) = re.findall(
        r"^# yaml-language-server: \$schema=(.*)", (ROOT / "baselines.yaml").read_text(encoding="utf-8")
    )
    check_golden(ROOT / name, done.stdout)


def test_it_is_a_valid_schema() -> None:
    DRAFT.check_schema(json_schema())


def test_it_accepts_the_example() -> None:
    assert errors((ROOT / "baselines.yaml").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "file",
    ["durations-without-units", "unknown-keys", "enumerations", "nesting", "missing-everything", "version", "booleans"],
)
def test_it_refuses_what_the_validator_refuses(file: str) -> None:
    assert errors((Path(__file__).parent / "bad" / f"{file}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("expect", "is_accepted"),
    [
        (
            "{json: {$.a: '>= 1', $.b: {type: array, length: 1}}, text: a, header: {ETag: exists}}",
            True,
        ),
        ("{status: [200, 4xx], schema: a.json, max_bytes: 1kB}", True),
        ("{json: {$.a: {type: arry}}}", False),
        ("{json: {$.a: {size: 1}}}", False),
        ("{text: {type: string}}", False),
        ("{headers: {ETag: exists}}", False),
        ("{max_bytes: many}", False),
        ("many", False),
    ],
)
def test_it_knows_what_an_answer_is_expected_to_have(expect: str, *, is_accepted: bool) -> None:
    text = f"version: 1\nservice: {{base_url: http://localhost}}\nendpoints: {{a: {{path: /a, expect: {expect}}}}}\n"
    assert (errors(text) == []) is is_accepted


@pytest.mark.parametrize(
    ("endpoint", "is_accepted"),
    [
        ("{kind: page, path: /, metric_of: bytes, target: 500kB, critical: 1MB, cache: warm, until: h1}", True),
        (
            "{kind: page, path: /, metric_of: layout_shift, target: 0.1, limits: {load: 3s, bytes: 1MB, requests: 40}}",
            True,
        ),
        ('{target: 1s, steps: {a: {goto: /, fill: {"[name=q]": love}, click: a, until: h1, metric_of: load}}}', True),
        ("{kind: pages, path: /}", False),
        ("{kind: page, target: 1s}", False),
        ("{kind: page, path: /, limits: {load: 3MB}}", False),
        ("{kind: page, path: /, limits: {layout_shift: 10ms}}", False),
        ("{kind: page, path: /, limits: {paint: 1s}}", False),
        ("{kind: page, path: /, metric_of: paint}", False),
        ("{kind: page, path: /, target: -1}", False),
        ("{kind: page, path: /, until: [h1]}", False),
        ("{steps: {a: {goto: /, click: [a]}}}", False),
        ("{steps: {a: {goto: /, fill: [a]}}}", False),
        ("{steps: {a: {fill: {a: b}}}}", False),
    ],
)
def test_it_agrees_with_the_validator_on_pages(tmp_path: Path, endpoint: str, *, is_accepted: bool) -> None:
    text = f"version: 1\nservice: {{base_url: http://localhost}}\nendpoints: {{a: {endpoint}}}\n"
    assert (errors(text) == []) is is_accepted
    with nullcontext() if is_accepted else pytest.raises(BaselineError):
        load(tmp_path, text)


def test_variables_are_accepted_where_they_are_interpolated() -> None:
    text = """version: 1
service: {base_url: "${A}", http2: "${B}"}
sampling: {confirm: "${C}"}
endpoints: {a: {path: "${D}", target: "${E:-300ms}", metric: "${F}", expect: "${G}", error_rate: {warning: "${H}"}}}
"""
    assert errors(text) == []


def described(schema: dict[str, Any]) -> Iterator[str]:
    for part in [*schema.get("$defs", {}).values(), *schema.get("anyOf", [])]:
        yield from described(part)
    for key in schema.get("properties", {}).values():
        assert key["description"]
        yield from described(key)


def test_every_key_is_described() -> None:
    assert list(described(json_schema())) == []


@pytest.mark.parametrize(("section", "name"), DOCUMENTED)
def test_the_reference_explains_every_key_and_its_default(section: str, name: str) -> None:
    page = (ROOT / "docs" / "reference" / "baseline.md").read_text(encoding="utf-8")
    part = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith(f"| `{name}` |")]
    assert len(rows) == 1, f"{section}: {name}"
    default = DOCUMENTED[section, name].default
    assert default is None or f"| `{default}` |" in rows[0] or f"| {default} |" in rows[0]
