"""The baselines in examples/, against the sample service."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.command import perfcheck
from support.page_loads import Loads

from perfcheck.baseline import load_baseline
from perfcheck.demo.demo_process import running_demo

ROOT = Path(__file__).parent.parent
_LONGEST_S = 300  # of a run, on a busy machine
QUICK = ("--confirm", "0", "--errors", "quick")
# What the regression makes wrong at status 200, and the kind of expectation that finds it.
WRONG = {
    "account": "$.name: expected 'demo'",
    "account.oauth2": "$.name not found",
    "search.post": "schema: $.total",
    "graphql": "GraphQL error",
    "events": "the body does not contain 'event: viewed'",
    "browse": "step 'account': wrong answer: $.name",
}


def endpoints(folder: Path, *options: str, example: str = "real-api.yaml") -> dict[str, dict[str, Any]]:
    """Of a run of the example; its verdicts on latency depend on the machine, and are not looked at."""
    file = folder / "run.json"
    command = ("run", "--demo", "-f", ROOT / "examples" / example, "--fail-on", "never", "-o", file)
    done = perfcheck(*map(str, command), *options, timeout=_LONGEST_S)
    assert done.returncode == 0, done.stderr
    return {each["name"]: each for each in json.loads(file.read_text(encoding="utf-8"))["endpoints"]}


def test_every_feature_in_one_baseline_works(tmp_path: Path) -> None:
    results = endpoints(tmp_path, *QUICK)
    assert WRONG.keys() < results.keys()
    for name, result in results.items():
        assert result["error_rate"] == 0, (name, result["errors"])
    assert [step["name"] for step in results["browse"]["steps"]] == ["account", "list", "detail", "search"]
    assert len(results["account"]["traces"]) == 3


def test_a_wrong_answer_at_status_200_is_found_by_each_kind_of_expectation(tmp_path: Path) -> None:
    results = endpoints(tmp_path, *QUICK, "--regress", "wrong-answer")
    for name, result in results.items():
        assert list(result["errors"]) == (["wrong answer"] if name in WRONG else []), name
        if name in WRONG:
            (message,) = [each["message"] for each in result["findings"] if each["rule"] == "error-rate"]
            assert WRONG[name] in message
            assert result["verdict"] == "CRITICAL"


def test_pages_are_loaded_searched_and_logged_in_to() -> None:
    with running_demo() as url, Loads() as loads:
        pages = load_baseline(ROOT / "examples" / "pages.yaml", {"PERFCHECK_BASE_URL": url})
        by_name = {endpoint.name: endpoint for endpoint in pages.endpoints}
        (account,), (workflow,) = (
            loads.of(replace(pages, endpoints=(by_name[name],))) for name in ("account", "find and log in")
        )
    assert (account.failure, workflow.failure) == (None, None), (account.detail, workflow.detail)
    assert len(workflow.steps) == 3


def test_pages_are_judged_and_the_script_that_blocks_rendering_is_named(tmp_path: Path) -> None:
    few = ("--max-requests", "5")  # no more than it takes: each load needs a browser window of its own
    results = endpoints(
        tmp_path, *QUICK, *few, "--regress", "render-blocking", "newest", "weight", example="pages.yaml"
    )
    assert results["weight"]["verdict"] == "OK"  # bytes, which do not depend on the machine
    assert results["weight"]["value_ms"] == results["weight"]["page"]["figures"]["bytes"]
    assert results["newest"]["verdict"] == "CRITICAL"
    first = results["newest"]["page"]["blocking"][0]
    assert first["url"] == "/static/consent.js"
    assert first["ms"] >= 800
