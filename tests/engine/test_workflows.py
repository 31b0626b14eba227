"""Workflows of a real service, one step of which is slow: which step is named, and where."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import flask
from apps.serving import werkzeug
from support.baselines import load

from perfcheck.engine.check import check
from perfcheck.engine.compare_live import compare_live
from perfcheck.engine.saved_runs import compare_saved
from perfcheck.history.store import open_history
from perfcheck.model import Baseline, Changed, EndpointResult, Rule, Run, Verdict
from perfcheck.report.explain import Label, explain
from perfcheck.runfile import decode_run, encode_run

TOP = "version: 1\nservice: {base_url: http://localhost}\nsampling: {errors: quick}\nendpoints:\n"
SHOP = """  shop:
    target: {target}
    steps:
      login: {{path: /login, method: POST, repeatable: true, json: {{user: me}}, capture: {{token: {{json: $.token}}}}}}
      list: {{path: /items, headers: {{X-Token: "${{token}}"}}, capture: {{id: {{json: "$.items[0].id"}}}}}}
      detail: {{path: "/items/${{id}}", target: 2s}}
      search: {{path: /search, target: {search}}}
"""
STEPS = ["login", "list", "detail", "search"]


@contextmanager
def shop(search_ms: float = 0.0, *, without: str = "") -> Iterator[str]:
    app = flask.Flask("shop")

    @app.before_request
    def absent() -> tuple[str, int] | None:
        return ("no", 404) if flask.request.path == without else None

    @app.post("/login")
    def login() -> flask.Response:
        return flask.jsonify(token="secret-token")

    @app.get("/items")
    def items() -> tuple[flask.Response, int]:
        known = flask.request.headers.get("X-Token") == "secret-token"
        return flask.jsonify(items=[{"id": 7}]), 200 if known else 403

    @app.get("/items/<int:number>")
    def item(number: int) -> flask.Response:
        return flask.jsonify(id=number)

    @app.get("/search")
    def search() -> flask.Response:
        time.sleep(search_ms / 1000)
        response = flask.jsonify(found=[])
        response.headers["Server-Timing"] = f'db;dur={search_ms};desc="{round(search_ms) + 1} queries"'
        return response

    with werkzeug(app) as url:
        yield url


def baseline(folder: Path, url: str, *, target: str = "10s", search: str = "2s") -> Baseline:
    return load(folder, TOP + SHOP.format(target=target, search=search), base_url=url)


def texts(run: Run, result: EndpointResult, label: Label) -> list[str]:
    return [text for line, text in explain(run, result) if line is label]


def test_two_services_of_which_one_has_a_slow_step(tmp_path: Path) -> None:
    with shop() as old, shop(60.0) as new:
        run = compare_live(baseline(tmp_path, old), baseline(tmp_path, new), seed=1).run
    (result,) = decode_run(encode_run(run), "run.json").endpoints
    assert result.verdict is Verdict.CRITICAL
    changed = {step.name: step.comparison.changed for step in result.steps if step.comparison}
    assert list(changed) == STEPS
    assert {name for name, change in changed.items() if change is Changed.SLOWER} <= {"search"}
    (cause,) = texts(run, result, Label.CAUSE)
    assert cause.startswith("step search ")
    assert "(1 queries -> 61 queries)" in cause
    assert [text.split()[0] for text in texts(run, result, Label.SLOW_STEP)] == ["search"]
    assert [text.split()[0] for text in texts(run, result, Label.STEP)] == STEPS[:3]
    assert texts(run, result, Label.REQUEST) == ["4 steps: login, list, detail, search"]


def test_a_step_over_its_target_is_named_with_its_line(tmp_path: Path) -> None:
    with shop(60.0) as url:
        run = check(baseline(tmp_path, url, search="5ms"), seed=1).run
    (result,) = run.endpoints
    assert (result.verdict, run.exit_code, result.decided) == (Verdict.CRITICAL, 1, True)
    (finding,) = [finding for finding in result.findings if finding.rule.is_about_latency]
    assert finding.message.startswith("step 'search': median ")
    assert (finding.rule, finding.step, finding.line) == (Rule.LATENCY, "search", 11)
    assert [step.verdict for step in result.steps] == [*[Verdict.OK] * 3, Verdict.CRITICAL]
    assert max(result.timeline.stage) == 2  # confirmed
    (where,) = texts(run, result, Label.WHERE)
    assert where.startswith("step search ")
    assert "Server-Timing: db 60 ms (61 queries)" in where


def test_two_saved_runs_and_a_run_against_an_earlier_one(tmp_path: Path) -> None:
    with shop() as old, shop(60.0) as new:
        before, after = (check(_longer(baseline(tmp_path, url)), seed=1).run for url in (old, new))
        since = check(baseline(tmp_path, new), against=before, seed=1).run
    stored = compare_saved(before, after).run
    for run in (stored, since):
        (result,) = run.endpoints
        assert result.verdict is not Verdict.OK
        (cause,) = texts(run, result, Label.CAUSE)
        assert cause.startswith("step search ")
    renamed = replace(after, endpoints=(replace(after.endpoints[0], steps=after.endpoints[0].steps[:2]),))
    (result,) = compare_saved(before, renamed).run.endpoints
    assert result.findings[0].message == (
        "not compared: the request changed (login, list, detail, search -> login, list)"
    )


def _longer(one: Baseline) -> Baseline:
    return replace(one, endpoints=tuple(replace(each, min_requests=20) for each in one.endpoints))


def test_a_failing_step_is_named_and_what_came_before_it_has_figures(tmp_path: Path) -> None:
    with shop(without="/items/7") as url:
        run = check(baseline(tmp_path, url), seed=1).run
    (result,) = run.endpoints
    assert result.verdict is Verdict.CRITICAL
    assert "step 'detail': 404 NOT FOUND" in result.findings[0].message
    assert [step.value_ms is not None for step in result.steps] == [True, True, False, False]
    assert texts(run, result, Label.STEP)[2] == f"detail without a latency, target 2 s, {_all(result)} failed"
    assert texts(run, result, Label.STEP)[3].startswith("search not sent")


def _all(result: EndpointResult) -> str:
    sent = result.requests.sent
    return f"{sent} of {sent} requests"


def test_a_workflow_that_the_service_before_does_not_have_is_new(tmp_path: Path) -> None:
    with shop(without="/search") as old, shop() as new:
        run = compare_live(baseline(tmp_path, old), baseline(tmp_path, new), seed=1).run
    assert run.endpoints[0].findings[0].rule is Rule.ADDED
    assert run.against is not None
    assert run.against.added == ("shop",)


def test_what_was_captured_is_in_no_step(tmp_path: Path) -> None:
    with shop(without="/search") as url:
        run = check(baseline(tmp_path, url), seed=1).run
    assert b"secret-token" not in encode_run(run)


def test_in_the_history_a_workflow_is_one_endpoint_with_a_series_for_each_set_of_steps(tmp_path: Path) -> None:
    with shop() as url:
        run = check(baseline(tmp_path, url), seed=1).run
    (result,) = run.endpoints
    shorter = replace(run, id="2", endpoints=(replace(result, steps=result.steps[:2]),))
    with open_history(str(tmp_path / "history.sqlite"), tmp_path) as history:
        history.save_all([run, replace(run, id="1"), shorter])
        found = list(history.measurements())
    assert [one.endpoint for one in found] == ["shop"] * 3
    assert len({one.series for one in found}) == 2
