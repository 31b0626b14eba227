"""What a right answer is, as a baseline has it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.baselines import load, load_endpoint

from perfcheck.baseline.arguments import baseline_of
from perfcheck.baseline.load import check_baseline
from perfcheck.errors import UsageError
from perfcheck.model import Condition, Expectations, Operator, Requirement, Scalar, Secret, sent

OK = ((200, 299),)


def one(operator: Operator, operand: Scalar = None, *, of_length: bool = False) -> Condition:
    return (Requirement(operator, operand, of_length=of_length),)


@pytest.mark.parametrize(
    ("expect", "statuses", "answer"),
    [
        ("404", ((404, 404),), None),
        ("[2xx, 404]", (*OK, (404, 404)), None),
        ("{status: [2xx, 404]}", (*OK, (404, 404)), None),
        ("{text: Love}", OK, Expectations(text=one(Operator.CONTAINS, "Love"))),
        ("{text: 404, status: 404}", ((404, 404),), Expectations(text=one(Operator.CONTAINS, "404"))),
        ("{text: exists}", OK, Expectations(text=one(Operator.EXISTS))),
        ("{text: '== pong'}", OK, Expectations(text=one(Operator.EQUAL, "pong"))),
        ("{header: {ETag: exists}}", OK, Expectations(headers=(("ETag", one(Operator.EXISTS)),))),
        ("{header: {X-Total: 1.10}}", OK, Expectations(headers=(("X-Total", one(Operator.EQUAL, "1.10")),))),
        ("{header: {X-Total: '> 1'}}", OK, Expectations(headers=(("X-Total", one(Operator.MORE, 1)),))),
        ("{max_bytes: 1KiB}", OK, Expectations(max_bytes=1024)),
        ("{max_bytes: 512}", OK, Expectations(max_bytes=512)),
    ],
)
def test_expect(tmp_path: Path, expect: str, statuses: tuple[tuple[int, int], ...], answer: Expectations) -> None:
    endpoint = load_endpoint(tmp_path, f"expect: {expect}")
    assert (endpoint.expect, endpoint.answer) == (statuses, answer)


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        ("1", one(Operator.EQUAL, 1)),
        ("'1'", one(Operator.EQUAL, "1")),
        ("1.5", one(Operator.EQUAL, 1.5)),
        ("true", one(Operator.EQUAL, operand=True)),
        ("'true'", one(Operator.EQUAL, "true")),
        ("null", one(Operator.EQUAL)),
        ("'null'", one(Operator.EQUAL, "null")),
        ("''", one(Operator.EQUAL, "")),
        ("no", one(Operator.EQUAL, "no")),
        ("exists", one(Operator.EXISTS)),
        ("absent", one(Operator.ABSENT)),
        ("'== exists'", one(Operator.EQUAL, "exists")),
        ("'!= x'", one(Operator.UNEQUAL, "x")),
        ("'>= 1'", one(Operator.AT_LEAST, 1)),
        ("'<2'", one(Operator.LESS, 2)),
        ("'${A}'", one(Operator.EQUAL, "1")),
        ("'>= ${A}'", one(Operator.AT_LEAST, 1)),
        ("{length: 2}", one(Operator.EQUAL, 2, of_length=True)),
        ("{contains: 2}", one(Operator.CONTAINS, 2)),
        ("{contains: '2'}", one(Operator.CONTAINS, "2")),
        ("{matches: 20}", one(Operator.MATCHES, "20")),
        (
            "{type: array, length: '>= 1'}",
            one(Operator.TYPE, "array") + one(Operator.AT_LEAST, 1, of_length=True),
        ),
    ],
)
def test_a_condition_on_json(tmp_path: Path, written: str, condition: Condition) -> None:
    endpoint = load_endpoint(tmp_path, f"expect: {{json: {{$.a: {written}}}}}", {"A": "1"})
    assert repr(endpoint.answer) == repr(Expectations(json=(("$.a", condition),)))  # 1, 1.0 and true are equal


def test_a_schema_is_found_next_to_the_baseline(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "videos.json").write_text('{"type": "array"}')
    endpoint = load_endpoint(tmp_path, "expect: {schema: schemas/videos.json}")
    assert endpoint.answer == Expectations(schema=str(tmp_path / "schemas" / "videos.json"))


def test_the_nearest_expect_counts(tmp_path: Path) -> None:
    text = """version: 1
service: {base_url: http://localhost}
defaults: {expect: {text: a}}
groups: {core: {expect: {status: 404, json: {$.a: exists}}}}
endpoints:
  a: {path: /a}
  b: {path: /b, group: core}
  c: {path: /c, group: core, expect: 201}
  d: {path: /d, method: HEAD}
"""
    a, b, c, d = load(tmp_path, text).endpoints
    assert (a.expect, a.answer) == (OK, Expectations(text=one(Operator.CONTAINS, "a")))
    assert (b.expect, b.answer) == (((404, 404),), Expectations(json=(("$.a", one(Operator.EXISTS)),)))
    assert (c.expect, c.answer) == (((201, 201),), None)
    assert d.answer == a.answer  # of which its headers are checked


def test_the_value_of_a_variable_is_a_secret(tmp_path: Path) -> None:
    text = """version: 1
service: {base_url: http://localhost}
endpoints: {a: {path: /a, expect: {json: {$.token: "${TOKEN}"}}}}
"""
    assert load(tmp_path, text, {"TOKEN": "hunter2"}).secrets == {"hunter2"}


def test_what_depends_on_an_unset_variable_is_not_checked(tmp_path: Path) -> None:
    file = tmp_path / "baselines.yaml"
    file.write_text("""version: 1
service: {base_url: http://localhost}
endpoints: {a: {path: /a, expect: {json: {$.a: {matches: "${PATTERN}", length: ">= ${LENGTH}"}}}}}
""")
    assert check_baseline(file, {}, allow_unset=True).unset == ("LENGTH", "PATTERN")


def test_a_path_stays_as_it_is_where_a_program_names_it() -> None:
    keys = {"path": "/a", "expect": {"json": {"$.a": "$1", "$['b']": {"contains": "$$"}}}, "json": {"$a": ["$b"]}}
    (endpoint,) = baseline_of("a", keys | {"method": "POST", "repeatable": True}, base_url="http://localhost").endpoints
    assert endpoint.answer == Expectations(
        json=(("$.a", one(Operator.EQUAL, "$1")), ("$['b']", one(Operator.CONTAINS, "$$")))
    )
    assert endpoint.content == '{"$a": ["$b"]}'
    with pytest.raises(UsageError, match=r"'\$\.a\[' is not a JSONPath"):
        baseline_of("a", {"path": "/a", "expect": {"json": {"$.a[": "exists"}}}, base_url="http://localhost")


def test_the_examples_of_the_guide_are_baselines(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "video.json").write_text("{}")
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "answers.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(endpoints:.*?)```", guide, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        assert load(tmp_path, f"version: 1\nservice: {{base_url: http://localhost}}\n{example}").endpoints[0].answer


# --- GraphQL ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("graphql", "content"),
    [
        ('{query: "{videos {id}}"}', {"query": "{videos {id}}"}),
        (
            '{query: "query A($id: ID!) {v(id: $id) {id}} query B {b}", variables: {id: 3, tag: "3"}, operation: A}',
            {
                "query": "query A($id: ID!) {v(id: $id) {id}} query B {b}",
                "variables": {"id": 3, "tag": "3"},
                "operationName": "A",
            },
        ),
        ('{query: "${Q}"}', {"query": "{secret}"}),
    ],
)
def test_graphql_is_a_post_of_json_that_has_no_errors(tmp_path: Path, graphql: str, content: Any) -> None:
    endpoint = load_endpoint(tmp_path, f"graphql: {graphql}", {"Q": "{secret}"})
    assert (endpoint.method, endpoint.answer) == ("POST", Expectations(no_graphql_errors=True))
    assert endpoint.headers == (("Content-Type", "application/json"),)
    assert isinstance(endpoint.content, (str, Secret))
    assert json.loads(sent(endpoint.content)) == content


def test_graphql_may_expect_more(tmp_path: Path) -> None:
    endpoint = load_endpoint(tmp_path, 'graphql: {query: "{a}"}, expect: {status: 201, text: a}')
    assert endpoint.expect == ((201, 201),)
    assert endpoint.answer == Expectations(text=one(Operator.CONTAINS, "a"), no_graphql_errors=True)


@pytest.mark.parametrize(
    ("query", "is_mutation"),
    [
        ("mutation {a}", True),
        ("query A {a} mutation B($x: I = {y: 1}) {b}", True),
        ('query A {a(text: "}") {b}} # }\nmutation {b}', True),
        ("query A {mutation {id}}", False),
        ("query mutation {a}", False),
        ("# mutation {a}\n{a}", False),
        ('query A($a: String = "x } mutation") {a}', False),
        ('{a(text: """ " } mutation """)}', False),
        ("query A @if(mutation: 1) {a}", False),
        ("{mutation}", False),
    ],
)
def test_only_a_mutation_needs_repeatable(tmp_path: Path, query: str, *, is_mutation: bool) -> None:
    keys = f"graphql: {{query: {json.dumps(query)}}}"
    assert load_endpoint(tmp_path, f"{keys}, repeatable: true").content
    if is_mutation:
        with pytest.raises(UsageError, match="a mutation can change the state of the service"):
            load_endpoint(tmp_path, keys)
    else:
        assert load_endpoint(tmp_path, keys).content
