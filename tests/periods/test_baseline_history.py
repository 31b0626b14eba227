"""The targets of old revisions, which may be anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation.runs import endpoint

from perfcheck.baseline.load import read_past_endpoints
from perfcheck.model import Endpoint, Metric
from perfcheck.periods.baseline_history import Revision, changed_targets
from perfcheck.periods.model import TargetChange, TargetKey

Targets = tuple[float | None, float | None, Metric]

HERE = Path(__file__).parent
HEAD = "version: 1\nservice: {base_url: http://localhost}\n"


def read(text: str) -> dict[str, Targets | None] | None:
    """Target, ideal and metric of each endpoint."""
    endpoints = read_past_endpoints(text.encode(), HERE)
    if endpoints is None:
        return None
    return {name: (one.target_ms, one.ideal_ms, one.metric) if one else None for name, one in endpoints.items()}


def test_what_is_inherited_counts() -> None:
    text = HEAD + (
        "defaults: {metric: p95}\ngroups: {core: {metric: p90}}\nendpoints:\n"
        "  a: {path: /a, group: core, target: 100ms}\n  b: {path: /b, target: 2s, metric: median}\n  c: {path: /c}\n"
    )
    assert read(text) == {
        "a": (100.0, None, Metric.P90),
        "b": (2000.0, None, Metric.MEDIAN),
        "c": (None, None, Metric.P95),
    }


def test_errors_elsewhere_do_not_matter() -> None:
    text = "nonsense: true\nservice: {}\nendpoints:\n  a: {path: /a, target: 1s}\n  b: {path: /b, target: soon}\n"
    found = read(text)
    assert found is not None
    assert found["a"] == (1000.0, None, Metric.MEDIAN)
    assert found["b"] is None


def test_variables_have_their_defaults() -> None:
    found = read(HEAD + 'endpoints: {a: {path: /a, target: "${T:-300ms}", headers: {X: "${TOKEN}"}}}\n')
    assert found == {"a": (300.0, None, Metric.MEDIAN)}


@pytest.mark.parametrize("text", ["", "- a list\n", "a: [\n", "{}", "just text", "version: 1\n"])
def test_what_is_no_baseline(text: str) -> None:
    assert not read(text)


def test_bytes_that_are_no_text() -> None:
    assert read_past_endpoints(b"\xff\xfe\x00", HERE) is None


@given(st.text(max_size=80))
def test_nothing_makes_it_fail(text: str) -> None:
    for whole in (text, HEAD + f"endpoints:\n  {text}", HEAD + f"endpoints: {{a: {{path: /a, target: {text}}}}}"):
        read_past_endpoints(whole.encode("utf-8", "surrogatepass"), HERE)


def test_changes_from_one_revision_to_the_next() -> None:
    def known(target_ms: float | None, ideal_ms: float | None = None) -> Endpoint:
        return replace(endpoint("x", target=target_ms), ideal_ms=ideal_ms)

    before = {"moved": known(300.0, 200.0), "same": known(1.0), "gone": known(5.0), "broken": known(7.0)}
    after = {"moved": known(250.0, 200.0), "same": known(1.0), "new": known(9.0, 8.0), "broken": None}
    found = list(changed_targets(before, after, Revision("c", "t", "s")))
    assert found == [
        TargetChange("moved", TargetKey.TARGET, Metric.MEDIAN, 300.0, 250.0, "c", "t", "s"),
        TargetChange("new", TargetKey.TARGET, Metric.MEDIAN, None, 9.0, "c", "t", "s"),
        TargetChange("new", TargetKey.IDEAL, Metric.MEDIAN, None, 8.0, "c", "t", "s"),
        TargetChange("gone", TargetKey.TARGET, Metric.MEDIAN, 5.0, None, "c", "t", "s"),
    ]
