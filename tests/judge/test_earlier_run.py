from __future__ import annotations

from dataclasses import replace

import pytest
from simulation.runs import decision, endpoint, result, run, samples, spread

from perfcheck.judge.compare_runs import changes_since
from perfcheck.model import EndpointResult, Metric, MetricOf, Verdict
from perfcheck.report.figures import change_text


def one(value: float, interval: tuple[float | None, float | None], name: str = "a") -> EndpointResult:
    measured = result(endpoint(name), samples(1, spread(value)), decision(Verdict.OK, value))
    return replace(measured, interval_ms=interval)


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (one(120, (115, 125)), one(100, (95, 105)), "+20%"),
        (one(80, (75, 85)), one(100, (95, 105)), "-20%"),
        (one(1000, (900, 1100)), one(100, (95, 105)), "10x"),
        (one(103, (98, 108)), one(100, (95, 105)), "no clear change"),
        (one(120, (105, 125)), one(100, (95, 105)), "no clear change"),  # they touch
        (one(120, (115, None)), one(100, (95, 105)), "+20%"),  # open above, and yet apart
        (one(120, (None, 125)), one(100, (95, 105)), "no clear change"),
        (one(120, (None, None)), one(100, (None, None)), "no clear change"),
    ],
)
def test_a_change_is_clear_where_intervals_are_apart(now: EndpointResult, before: EndpointResult, text: str) -> None:
    change = changes_since(run([now]), run([before])).changes["a"]
    assert change_text(change) == text
    assert (change.before_ms, change.now_ms) == (before.value_ms, now.value_ms)


def test_there_is_none_without_two_figures_of_one_kind() -> None:
    now = one(120, (115, 125))
    others = [
        replace(now, name="b"),
        replace(now, metric=Metric.P95),
        replace(now, metric_of=MetricOf.FIRST_BYTE),
        replace(now, value_ms=None),
        replace(now, over_timeout=True),
        replace(now, concurrency=8),
    ]
    for other in others:
        assert changes_since(run([now]), run([other])).changes == {}
        assert changes_since(run([other]), run([now])).changes == {}
