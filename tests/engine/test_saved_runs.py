"""Saved runs found and compared by function call."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from simulation.runs import decision, endpoint, result, run, samples, spread
from support.histories import fill

from perfcheck.engine.saved_runs import compare_saved, compared_with, find_earlier_run, find_run, limits_in_force
from perfcheck.engine.session import Outcome
from perfcheck.errors import EXIT_CRITICAL, EXIT_NOT_MEASURED, EXIT_OK, UsageError
from perfcheck.model import CompareLimits, Finding, Rule, Run, Verdict
from perfcheck.runfile import encode_run


def of(label: str, **around: float) -> Run:
    """A run that measured each of these endpoints 40 times around this value."""
    results = [
        result(endpoint(name), samples(1, spread(value, 40)), decision(Verdict.OK, value, requests=40))
        for name, value in around.items()
    ]
    return replace(run(results), label=label, id=f"{label}-0123456789")


BEFORE = of("before", a=200, b=100)


def test_what_became_slower() -> None:
    outcome = compare_saved(BEFORE, of("after", a=400, b=100), command=("perfcheck", "compare", "x", "y"))
    compared = outcome.run
    assert outcome.error is None
    assert [r.verdict for r in compared.endpoints] == [Verdict.CRITICAL, Verdict.OK]
    assert (compared.exit_code, compared.command) == (EXIT_CRITICAL, ("perfcheck", "compare", "x", "y"))
    assert compared.is_comparison
    assert compared.id not in {BEFORE.id, "after-0123456789"}


def test_limits_and_the_lowest_failing_verdict() -> None:
    after = of("after", a=240, b=100)
    assert compare_saved(BEFORE, after).run.exit_code == EXIT_OK
    assert compare_saved(BEFORE, after, fail_on=Verdict.WARNING).run.exit_code == EXIT_CRITICAL
    loose = CompareLimits(warning=0.5, critical=1.0)
    assert compare_saved(BEFORE, after, limits=loose).run.verdict is Verdict.OK


def test_only_the_endpoints_that_are_named() -> None:
    compared = compare_saved(BEFORE, of("after", a=400, b=100), names=["b"]).run
    assert ([r.name for r in compared.endpoints], compared.exit_code) == (["b"], EXIT_OK)
    assert compared.against is not None
    assert compared.against.removed == ()
    with pytest.raises(UsageError, match="the run after has no endpoint 'bb'"):
        compare_saved(BEFORE, of("after", a=400, b=100), names=["bb"])


def test_a_warning_of_the_service_counts_against_an_earlier_run_too() -> None:
    flaky = Finding.warning(Rule.ERROR_RATE, "9 of 200 requests failed")
    run = replace(BEFORE, findings=(flaky,), verdict=Verdict.WARNING)
    outcome = compared_with(BEFORE, Outcome(run), CompareLimits(), Verdict.WARNING, selected=False)
    assert (outcome.run.verdict, outcome.run.exit_code) == (Verdict.WARNING, EXIT_CRITICAL)
    assert flaky in outcome.run.findings


def test_nothing_in_common_does_not_pass() -> None:
    compared = compare_saved(BEFORE, of("after", c=100)).run
    assert compared.exit_code == EXIT_NOT_MEASURED
    assert compared.against is not None
    assert (compared.against.added, compared.against.removed) == (("c",), ("a", "b"))


def test_by_file_label_and_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("before.json").write_bytes(encode_run(BEFORE))
    fill(tmp_path / "past.sqlite", [BEFORE])
    assert find_run("before.json") == BEFORE
    assert find_run("before", "past.sqlite").id == BEFORE.id
    assert find_run("before-0123", "past.sqlite").id == BEFORE.id
    for reference, message in (
        ("http://localhost", "http://localhost is an address; expected a saved run"),
        ("other.json", "file not found: other.json, and no run 'other.json' in the history"),
        (f"runs{os.sep}x", f"file not found: runs{os.sep}x, and "),
        (".", "[.] is a folder, and "),
        ("v1.3", "no run 'v1.3' in the history"),
    ):
        with pytest.raises(UsageError, match=message):
            find_run(reference, "past.sqlite")
    with pytest.raises(UsageError, match="no history yet"):
        find_run("before", "absent.sqlite")
    Path("compared.json").write_bytes(encode_run(compare_saved(BEFORE, BEFORE).run))
    assert find_run("compared.json").is_comparison
    with pytest.raises(UsageError, match="is a comparison, not a run"):
        find_earlier_run("compared.json")


def test_limits_of_the_baseline_if_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PERFCHECK_BASELINE", raising=False)
    assert limits_in_force(None) == CompareLimits()
    Path("baselines.yaml").write_text(
        "version: 1\nservice: {base_url: http://localhost}\ncompare: {warning: 15%}\n"
        "endpoints: {a: {path: /a, target: 1s}}\n",
        encoding="utf-8",
    )
    assert limits_in_force(None) == limits_in_force("baselines.yaml") == CompareLimits(warning=0.15)
    with pytest.raises(UsageError):
        limits_in_force("absent.yaml")
