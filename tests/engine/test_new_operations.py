"""Operations that a service has since the last saved run, and that are slow: a check warns of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from apps.service import Answer, Handler, ok, service, slow
from support.baselines import load
from support.command import perfcheck

from perfcheck.engine.check import check
from perfcheck.model import Baseline, Rule, Run, Severity, Verdict

SLOW_S = 0.6  # more than is slow for any endpoint
VIDEOS = ok(b'[{"id": 7}]', Content_Type="application/json")
BASELINE = """
version: 1
service: {{base_url: "{}", openapi: /openapi.json}}
endpoints: {{videos: {{path: /videos, target: 5s}}}}
"""


def document(*paths: str) -> Handler:
    operation = {"responses": {"200": {"description": "fine"}}}
    return ok(
        json.dumps(
            {
                "openapi": "3.1.0",
                "info": {"title": "it", "version": "1"},
                "paths": {
                    path: {
                        "get": {
                            **operation,
                            "parameters": [
                                {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
                            ]
                            if "{id}" in path
                            else [],
                        }
                    }
                    for path in paths
                },
            }
        ).encode(),
        Content_Type="application/json",
    )


class Service:
    """Its paths, and how often each is requested."""

    def __init__(self, **paths: Handler) -> None:
        self.requests: Counter[str] = Counter()
        self.paths: dict[str, Handler] = {}
        self.has("/videos", VIDEOS)

    def has(self, path: str, handler: Handler) -> None:
        def counted() -> Answer:
            self.requests[path] += 1
            return handler()

        self.paths[path] = counted


@contextmanager
def served(folder: Path, made: Service) -> Iterator[Baseline]:
    with service(made.paths) as url:
        yield load(folder, BASELINE.format(url))


def warnings(run: Run) -> dict[str, str]:
    return {result.name: result.findings[0].message for result in run.endpoints if result.verdict is Verdict.WARNING}


def test_a_new_slow_operation_is_a_warning_and_an_old_or_fast_one_is_not(tmp_path: Path) -> None:
    made = Service()
    made.has("/openapi.json", document("/videos", "/videos/{id}", "/fast", "/logout", "/old"))
    made.has("/videos/7", slow(SLOW_S))
    made.has("/fast", ok())
    made.has("/old", slow(SLOW_S))
    made.has("/logout", slow(SLOW_S))
    with served(tmp_path, made) as baseline:
        run = check(baseline, known_operations=lambda _: ["GET /videos", "GET /old"]).run
    assert set(run.operations) == {"GET /videos", "GET /videos/{id}", "GET /fast", "GET /logout", "GET /old"}
    (name, message), *others = warnings(run).items()
    assert not others
    assert name == "videos.by_id"
    assert message.startswith("median 6")
    assert message.endswith(" ms, over 500 ms; new since the last saved run, and not in the baseline")
    assert (run.verdict, run.exit_code) == (Verdict.WARNING, 0)
    result = run.endpoints[-1]
    assert (result.url.rpartition("/")[2], result.line, result.findings[0].rule) == ("7", 0, Rule.NEW_SLOW_ENDPOINT)
    # One more for the prefix under which the service has the paths of the document.
    assert made.requests["/fast"] <= 2
    assert made.requests["/old"] <= 1
    assert made.requests["/logout"] == 0


def test_nothing_is_new_to_the_first_saved_run(tmp_path: Path) -> None:
    made = Service()
    made.has("/openapi.json", document("/videos", "/slow"))
    made.has("/slow", slow(SLOW_S))
    with served(tmp_path, made) as baseline:
        run = check(baseline, known_operations=lambda _: ()).run
        assert (run.operations, run.verdict) == (("GET /videos", "GET /slow"), Verdict.OK)
        for others in (check(baseline).run, check(baseline, names=["videos"]).run):
            assert others.operations == ()
    assert made.requests["/slow"] <= 1  # for the prefix of the paths of the document
    assert made.requests["/openapi.json"] == 1


def test_a_document_that_cannot_be_read_is_a_note(tmp_path: Path) -> None:
    with served(tmp_path, Service()) as baseline:
        run = check(baseline, known_operations=lambda _: ["GET /videos"]).run
    assert (run.verdict, run.operations) == (Verdict.OK, ())
    (note,) = (finding for finding in run.findings if finding.rule is Rule.COVERAGE)
    assert note.severity is Severity.NOTE
    assert note.message.startswith("new operations of the service are unknown: /openapi.json")


@pytest.mark.parametrize("branches", [("main", "main"), ("main", "topic")])
def test_the_last_saved_run_is_that_of_the_branch_or_of_any(tmp_path: Path, branches: tuple[str, str]) -> None:
    made = Service()
    made.has("/openapi.json", document("/videos"))
    with served(tmp_path, made):
        for number, branch in enumerate(branches):
            build = {"GITHUB_ACTIONS": "true", "GITHUB_SHA": "a" * 40, "GITHUB_REF_NAME": branch}
            done = perfcheck("run", "--save", "--history", "runs.sqlite", "--no-github", cwd=tmp_path, env=build)
            assert done.returncode == 0, done.stderr
            assert ("new since the last saved run" in done.stdout) is (number == 1)
            made.has("/openapi.json", document("/videos", "/slow"))
            made.has("/slow", slow(SLOW_S))
    assert "rerun" in done.stdout
    assert "perfcheck run\n" in done.stdout
