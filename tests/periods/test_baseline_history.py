"""The targets of old revisions, which may be anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcheck.model import Metric
from perfcheck.periods.baseline_history import EndpointTargets, changed_targets, targets_in
from perfcheck.periods.model import TargetChange, TargetKey
from perfcheck.periods.revisions import Revision

HERE = Path(__file__).parent
HEAD = "version: 1\nservice: {base_url: http://localhost}\n"


def read(text: str) -> dict[str, EndpointTargets | None] | None:
    found = targets_in(text.encode(), HERE)
    return None if found is None else dict(found)


def test_what_is_inherited_counts() -> None:
    text = HEAD + (
        "defaults: {metric: p95}\ngroups: {core: {metric: p90}}\nendpoints:\n"
        "  a: {path: /a, group: core, target: 100ms}\n  b: {path: /b, target: 2s, metric: median}\n  c: {path: /c}\n"
    )
    assert read(text) == {
        "a": EndpointTargets(100.0, None, Metric.P90),
        "b": EndpointTargets(2000.0, None, Metric.MEDIAN),
        "c": EndpointTargets(None, None, Metric.P95),
    }


def test_errors_elsewhere_do_not_matter() -> None:
    text = "nonsense: true\nservice: {}\nendpoints:\n  a: {path: /a, target: 1s}\n  b: {path: /b, target: soon}\n"
    found = read(text)
    assert found is not None
    assert found["a"] == EndpointTargets(1000.0, None, Metric.MEDIAN)
    assert found["b"] is None


def test_variables_have_their_defaults() -> None:
    found = read(HEAD + 'endpoints: {a: {path: /a, target: "${T:-300ms}", headers: {X: "${TOKEN}"}}}\n')
    assert found == {"a": EndpointTargets(300.0, None, Metric.MEDIAN)}


@pytest.mark.parametrize("text", ["", "- a list\n", "a: [\n", "{}", "just text", "version: 1\n"])
def test_what_is_no_baseline(text: str) -> None:
    assert not read(text)


def test_bytes_that_are_no_text() -> None:
    assert targets_in(b"\xff\xfe\x00", HERE) is None


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=80))
def test_nothing_makes_it_fail(text: str) -> None:
    for whole in (text, HEAD + f"endpoints:\n  {text}", HEAD + f"endpoints: {{a: {{path: /a, target: {text}}}}}"):
        targets_in(whole.encode("utf-8", "surrogatepass"), HERE)


def test_changes_from_one_revision_to_the_next() -> None:
    def known(target_ms: float | None, ideal_ms: float | None = None) -> EndpointTargets:
        return EndpointTargets(target_ms, ideal_ms, Metric.MEDIAN)

    before = {"moved": known(300.0, 200.0), "same": known(1.0), "gone": known(5.0), "broken": known(7.0)}
    after = {"moved": known(250.0, 200.0), "same": known(1.0), "new": known(9.0, 8.0), "broken": None}
    found = list(changed_targets(before, after, Revision("c", "t", "s")))
    assert found == [
        TargetChange("moved", TargetKey.TARGET, Metric.MEDIAN, 300.0, 250.0, "c", "t", "s"),
        TargetChange("new", TargetKey.TARGET, Metric.MEDIAN, None, 9.0, "c", "t", "s"),
        TargetChange("new", TargetKey.IDEAL, Metric.MEDIAN, None, 8.0, "c", "t", "s"),
        TargetChange("gone", TargetKey.TARGET, Metric.MEDIAN, 5.0, None, "c", "t", "s"),
    ]
