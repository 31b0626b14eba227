"""The operations of a real service that a baseline measures, and those that it does not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from apps.serving import werkzeug
from flask import Flask, Response, jsonify
from support.baselines import load

from perfcheck.client.client import Client
from perfcheck.discover.merge import merge
from perfcheck.discover.survey import ENDLESS, survey
from perfcheck.engine.check import check
from perfcheck.engine.coverage import coverage
from perfcheck.engine.discover import Discovery
from perfcheck.model import Baseline, Verdict
from perfcheck.model.coverage import Coverage
from perfcheck.model.operation import FoundIn, Operation
from perfcheck.report.coverage_report import as_json, as_junit, as_markdown, is_enough, text
from perfcheck.text import Redactor

SCHEMA = xmlschema.XMLSchema(Path(__file__).parent.parent / "support" / "junit.xsd")
OPERATIONS = [
    ("GET", "/api/things/", None),
    ("GET", "/api/things/{id}", None),
    ("GET", "/api/things/{id}/parts", None),
    ("GET", "/api/things/search", None),
    ("GET", "/api/private", None),
    ("GET", "/api/old", "deprecated"),
    ("GET", "/api/logout", None),
    ("POST", "/api/things/", None),
    ("DELETE", "/api/things/{id}", None),
]
HEAD = "version: 1\nservice: {base_url: http://localhost}\ngroups: {things: {title: Things}}\nendpoints:\n"
ALL = """\
  things: {path: /api/things/, target: 2s}
  things.page: {path: /api/things/, query: {page: 2}, target: 2s}
  one: {path: /api/things/7, target: 2s}
  one.parts: {path: /api/things/7/parts/, target: 2s}
  search: {path: /api/things/search, target: 2s}
  private: {path: /api/private, target: 2s}
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    app = Flask(__name__)
    app.url_map.strict_slashes = False
    app.add_url_rule("/api/things/", "things", lambda: jsonify([{"id": 7}]))
    app.add_url_rule("/api/things/<int:number>", "thing", lambda number: jsonify({"id": number}))
    app.add_url_rule("/api/things/<int:number>/parts", "parts", lambda number: jsonify([number]))
    app.add_url_rule("/api/things/search", "search", lambda: jsonify([]))
    app.add_url_rule("/api/private", "private", lambda: Response("no", 401))
    app.add_url_rule("/unlisted", "unlisted", lambda: "x")
    with werkzeug(app) as url:
        yield url


def covered(folder: Path, url: str, endpoints: str, operations: Sequence[Any] = OPERATIONS) -> Coverage:
    return coverage_of(load(folder, HEAD + endpoints, base_url=url), operations)


def coverage_of(baseline: Baseline, operations: Sequence[Any] = OPERATIONS) -> Coverage:
    found = merge(
        Operation(method, template, (FoundIn.OPENAPI,), reason=reason, requests=3)
        for method, template, reason in operations
    )
    with Client(baseline.service, redact=Redactor()) as client:
        return coverage(
            baseline,
            Discovery(tuple(found), survey(found, baseline.service, client.fetch)),
            client.fetch,
        )


def test_every_operation_that_can_be_measured_is_covered(tmp_path: Path, url: str) -> None:
    found = covered(tmp_path, url, ALL)
    assert (found.share, found.counted, found.uncovered, found.gone) == (1.0, 5, (), ())
    assert {operation.request_line: names for operation, names in found.covered} == {
        "GET /api/things/": ("things", "things.page"),
        "GET /api/things/{id}": ("one",),
        "GET /api/things/{id}/parts": ("one.parts",),
        "GET /api/things/search": ("search",),
        "GET /api/private": ("private",),
    }
    assert {each.operation.request_line for each in found.not_counted} == {
        "GET /api/old",
        "GET /api/logout",
        "POST /api/things/",
        "DELETE /api/things/{id}",
    }


def test_the_requests_of_workflows_and_of_the_setup_count(tmp_path: Path, url: str) -> None:
    steps = """  browse:
    steps:
      all: {path: /api/things/, capture: {id: {json: "$[0].id"}}}
      one: {path: "/api/things/${id}"}
      lost: {path: /api/lost}
"""
    setup = "setup:\n  search: {path: /api/things/search}\nendpoints:\n"
    found = coverage_of(load(tmp_path, HEAD.replace("endpoints:\n", setup) + steps, base_url=url))
    assert {operation.request_line: names for operation, names in found.covered} == {
        "GET /api/things/": ("browse: all",),
        "GET /api/things/{id}": ("browse: one",),
        "GET /api/things/search": ("setup: search",),
    }
    assert [gone.endpoint for gone in found.gone] == ["browse: lost"]


@pytest.mark.parametrize("missing", ["things.page", "one", "one.parts", "search"])
def test_what_is_cut_out_comes_back_as_lines_that_work_when_pasted(tmp_path: Path, url: str, missing: str) -> None:
    cut = "".join(line for line in ALL.splitlines(keepends=True) if not line.startswith(f"  {missing}:"))
    if missing == "things.page":
        cut = cut.replace("  things: {path: /api/things/, target: 2s}\n", "")
    found = covered(tmp_path, url, cut)
    (uncovered,) = found.uncovered
    assert found.share == 4 / 5
    assert uncovered.latency_ms
    pasted = load(tmp_path, HEAD + cut + "".join(f"{line}\n" for line in uncovered.stanza), base_url=url)
    assert coverage_of(pasted).share == 1.0
    (added,) = pasted.endpoints[len(load(tmp_path, HEAD + cut, base_url=url).endpoints) :]
    (result,) = check(pasted, names=[added.name]).run.endpoints
    assert (result.verdict is Verdict.NOT_MEASURED, result.errors) == (False, {})


def test_a_stanza_has_a_name_of_its_own_and_no_group_that_the_baseline_lacks(tmp_path: Path, url: str) -> None:
    found = covered(tmp_path, url, "  things.search: {path: /api/things/, target: 2s}\n")
    stanzas = {each.operation.template: each.stanza for each in found.uncovered if each.stanza}
    assert stanzas["/api/things/search"][:2] == ("  things.search_2:", "    group: things")
    alone = load(
        tmp_path,
        HEAD.replace("groups: {things: {title: Things}}\n", "") + ALL.splitlines(keepends=True)[0],
        base_url=url,
    )
    assert not any("group:" in line for each in coverage_of(alone).uncovered for line in each.stanza)


def test_what_did_not_respond_counts_with_its_reason(tmp_path: Path, url: str) -> None:
    found = covered(tmp_path, url, "".join(ALL.splitlines(keepends=True)[:-1]))
    (uncovered,) = found.uncovered
    assert (uncovered.operation.template, uncovered.reason, uncovered.stanza) == ("/api/private", "HTTP 401", ())
    assert "'auth' in the baseline" in (uncovered.remedy or "")


def test_endpoints_that_no_longer_exist(tmp_path: Path, url: str) -> None:
    more = "  gone: {path: /api/gone}\n  unlisted: {path: /unlisted}\n"
    found = covered(tmp_path, url, ALL + more)
    assert [(each.endpoint, each.line) for each in found.gone] == [("gone", 11)]
    assert found.gone[0].reason.startswith("404") or "404" in found.gone[0].reason
    assert found.share == 1.0


def test_a_base_url_with_a_path(tmp_path: Path, url: str) -> None:
    found = covered(tmp_path, f"{url}/api", "  one: {path: /things/7, target: 2s}\n", [("GET", "/things/{id}", None)])
    assert found.share == 1.0


def test_a_path_that_is_percent_encoded_in_a_document(tmp_path: Path, url: str) -> None:
    endpoints = "  a: {path: /api/s%C3%B8k, target: 2s}\n  b: {path: /api/søk/7, target: 2s}\n"
    found = covered(tmp_path, url, endpoints, [("GET", "/api/s%C3%B8k", None), ("GET", "/api/s%C3%B8k/{id}", None)])
    assert found.share == 1.0


def test_a_stream_does_not_count(tmp_path: Path) -> None:
    app = Flask(__name__)
    app.add_url_rule("/things", "things", lambda: "x")
    app.add_url_rule("/stream", "stream", lambda: Response(endless(), mimetype="text/event-stream"))
    with werkzeug(app) as url:
        endpoints = "  things: {path: /things, target: 2s}\n"
        found = covered(tmp_path, url, endpoints, [("GET", "/things", None), ("GET", "/stream", None)])
    assert (found.share, found.counted) == (1.0, 1)
    assert [each.reason for each in found.not_counted] == [ENDLESS]


def endless() -> Iterator[str]:
    while True:
        yield "data: x\n\n"
        time.sleep(0.1)


def test_without_anything_to_measure_nothing_is_missing(tmp_path: Path, url: str) -> None:
    found = covered(tmp_path, url, ALL, [("POST", "/api/things/", None)])
    assert (found.share, found.counted) == (1.0, 0)


# --- Reports ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def partial(url: str, tmp_path_factory: pytest.TempPathFactory) -> Coverage:
    folder = tmp_path_factory.mktemp("partial")
    return covered(folder, url, "".join(ALL.splitlines(keepends=True)[:3]) + "  gone: {path: /api/gone}\n")


def test_as_text(partial: Coverage) -> None:
    lines = text(partial, 0.5).splitlines()
    assert lines[0].endswith("baselines.yaml: 40%, 2 of 5 operations, at least 50% required")
    assert "not covered: 3" in lines
    assert (
        "  GET /api/private  HTTP 401 (log in with init --header, or with 'auth' in the baseline), 3 requests seen"
        in lines
    )
    assert any(line.endswith("baselines.yaml:8: gone: 404 NOT FOUND") for line in lines) or "gone" in text(partial, 0.5)
    assert lines[-1] == "not counted: 4 operations: may change something 2, deprecated 1, looks like an action 1"
    assert not is_enough(partial, 0.5)
    assert is_enough(partial, 0.4)
    assert is_enough(partial, None)


def test_as_json(partial: Coverage) -> None:
    document = json.loads(as_json(partial, 0.5))
    assert (document["format"], document["coverage"], document["passed"]) == ("perfcheck.coverage/1", 0.4, False)
    assert document["counts"] == {"covered": 2, "uncovered": 3, "not_counted": 4, "gone": 1}
    by_template = {each["template"]: each for each in document["uncovered"]}
    assert by_template["/api/private"]["reason"] == "HTTP 401"
    assert by_template["/api/private"]["stanza"] is None
    assert by_template["/api/things/search"]["stanza"].startswith("  things.search:\n    group: things\n")


def test_as_markdown(partial: Coverage) -> None:
    report = as_markdown(partial, 0.5)
    assert report.startswith("### ❌ Coverage of ")
    assert "| `GET /api/things/search` " in report
    assert "```yaml\n  things" in report


def test_as_junit(partial: Coverage) -> None:
    failed, passed = as_junit(partial, 0.5), as_junit(partial, None)
    for document in (failed, passed):
        SCHEMA.validate(document)
    assert 'tests="6" failures="1"' in failed
    assert 'tests="5" failures="0"' in passed
    assert failed.count("<skipped") == 3
