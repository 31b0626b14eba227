"""A health check by function call, against services with a statistics API."""

from __future__ import annotations

from pathlib import Path

import pytest
from apps.monitored import YEARS, answer, monitored, plain
from apps.service import ok, service
from support.baselines import load

from perfcheck.baseline.from_urls import baseline_of_service
from perfcheck.engine.health import check_health
from perfcheck.engine.session import Callbacks
from perfcheck.errors import EXIT_CRITICAL, EXIT_NOT_MEASURED, EXIT_OK, CouldNotMeasureError, UsageError
from perfcheck.model import Source, Verdict


def test_without_a_baseline(capfd: pytest.CaptureFixture[str]) -> None:
    measured = []
    with monitored(plain("GET /a", 0.02), plain("GET /b", 0.9)) as url:
        outcome = check_health(baseline_of_service(url), callbacks=Callbacks(measured=lambda: measured.append(True)))
    run = outcome.run
    assert outcome.error is None
    assert {result.name: result.verdict for result in run.endpoints} == {
        "GET /a": Verdict.OK,
        "GET /b": Verdict.WARNING,
    }
    assert {result.source for result in run.endpoints} == {Source.MONITORED}
    assert (run.exit_code, run.complete, run.baseline.file) == (EXIT_OK, True, "")
    assert measured == [True]
    assert capfd.readouterr() == ("", "")


def test_the_threshold_and_the_names() -> None:
    with monitored(plain("GET /a", 0.02), plain("GET /b", 0.9)) as url:
        baseline = baseline_of_service(url)
        assert check_health(baseline, threshold_ms=1000.0).run.verdict is Verdict.OK
        strict = check_health(baseline, names=["*/b"], fail_on=Verdict.WARNING).run
        with pytest.raises(UsageError, match="the monitor has no endpoint 'GET /c'") as error:
            check_health(baseline, names=["GET /c"])
    assert ([result.name for result in strict.endpoints], strict.exit_code) == (["GET /b"], EXIT_CRITICAL)
    assert error.value.remedy == "did you mean 'GET /b'?"


def test_by_the_limits_of_the_baseline(tmp_path: Path) -> None:
    with monitored(plain("GET /a", 0.2)) as url:
        text = "version: 1\nservice: {base_url: http://localhost}\nendpoints: {a: {path: /a, target: 50ms}}\n"
        run = check_health(load(tmp_path, text, base_url=url)).run
    assert [(result.name, result.verdict) for result in run.endpoints] == [("a", Verdict.CRITICAL)]


def test_a_fast_endpoint_is_not_judged_by_the_route_next_to_it(tmp_path: Path) -> None:
    with monitored(plain("GET /videos/<int:video_id>", 3.0), plain("GET /artists/{artist}", 3.0)) as url:
        endpoints = "search: {path: /videos/search, target: 50ms}, top: {path: /artists/top, target: 50ms}"
        text = f"version: 1\nservice: {{base_url: http://localhost}}\nendpoints: {{{endpoints}}}\n"
        run = check_health(load(tmp_path, text, base_url=url)).run
    assert [(result.name, result.verdict) for result in run.endpoints] == [
        ("GET /videos/<int:video_id>", Verdict.WARNING),
        ("GET /artists/{artist}", Verdict.WARNING),
    ]


def test_by_the_route_table_of_the_service(tmp_path: Path) -> None:
    with monitored(plain("GET /years/<name>", 3.0), plain("GET /years/<year:year>", 0.01), routes=answer(YEARS)) as url:
        text = (
            "version: 1\nservice: {base_url: http://localhost}\nendpoints: {year: {path: /years/2026, target: 50ms}}\n"
        )
        run = check_health(load(tmp_path, text, base_url=url)).run
    assert {result.name: result.verdict for result in run.endpoints} == {
        "GET /years/<name>": Verdict.WARNING,
        "year": Verdict.OK,
    }


def test_a_service_without_a_monitor(tmp_path: Path) -> None:
    with service({"/a": ok()}) as url:
        text = "version: 1\nservice: {base_url: http://localhost}\nendpoints: {a: {path: /a, target: 50ms}}\n"
        outcome = check_health(load(tmp_path, text, base_url=url))
    assert isinstance(outcome.error, CouldNotMeasureError)
    assert (outcome.run.exit_code, outcome.run.verdict) == (EXIT_NOT_MEASURED, Verdict.NOT_MEASURED)
    assert [result.verdict for result in outcome.run.endpoints] == [Verdict.NOT_MEASURED]


def test_a_wrong_address() -> None:
    with pytest.raises(UsageError, match="--base-url: the URL has no scheme"):
        baseline_of_service("localhost:5001")
    assert "pass-word" in baseline_of_service("http://user:pass-word@localhost").secrets
