"""Figures of pages compared: in their own units, also where they are 0."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from simulation.runs import run
from support.pages import page

from perfcheck.engine.saved_runs import compare_saved
from perfcheck.model import Changed, CompareLimits, EndpointResult, MetricOf, Rule, Verdict
from perfcheck.report.explain import in_short
from perfcheck.report.figures import change_interval, compared_text
from perfcheck.stats.pairs import PairTest

SHIFT, BYTES, COUNT, BLOCKING = (
    MetricOf.LAYOUT_SHIFT,
    MetricOf.BYTES,
    MetricOf.REQUESTS,
    MetricOf.TOTAL_BLOCKING_TIME,
)


def compared(of: MetricOf, before: Sequence[float], after: Sequence[float]) -> EndpointResult:
    """As two saved runs."""
    runs = (run([page(of, values, None)]) for values in (before, after))
    (result,) = compare_saved(*runs).run.endpoints
    return result


@pytest.mark.parametrize(
    ("of", "before", "after", "changed"),
    [
        (SHIFT, 0.0, 0.0, Changed.NO_CHANGE),
        (SHIFT, 0.0, 0.015, Changed.NO_CHANGE),
        (SHIFT, 0.0, 0.05, Changed.SLOWER),
        (SHIFT, 0.1, 0.118, Changed.NO_CHANGE),
        (SHIFT, 0.05, 0.0, Changed.FASTER),
        (BLOCKING, 0.0, 0.0, Changed.NO_CHANGE),
        (BLOCKING, 0.0, 200.0, Changed.SLOWER),
        (BLOCKING, 200.0, 0.0, Changed.FASTER),
        (BLOCKING, 0.0, 4.0, Changed.NO_CHANGE),
        (BYTES, 5000.0, 5900.0, Changed.NO_CHANGE),
        (BYTES, 500_000.0, 650_000.0, Changed.SLOWER),
        (COUNT, 3.0, 4.0, Changed.SLOWER),
        (COUNT, 30.0, 31.0, Changed.NO_CHANGE),
    ],
)
def test_clear_cases(of: MetricOf, before: float, after: float, changed: Changed) -> None:
    for one in (compared(of, [before] * 12, [after] * 12), compared(of, [before] * 30, [after] * 30)):
        assert one.comparison is not None
        assert (one.comparison.changed, one.comparison.before_ms, one.comparison.after_ms) == (changed, before, after)


@pytest.mark.parametrize(("of", "after"), [(SHIFT, 0.05), (BLOCKING, 200.0), (COUNT, 4.0), (BYTES, 9000.0)])
@pytest.mark.parametrize("share", [0.0, 0.2])
def test_live_pairs_with_zeros(of: MetricOf, after: float, share: float) -> None:
    """A part of the loads is at 0 on both sides all the same."""
    test = PairTest(CompareLimits().of(of))
    while not test.is_settled:
        test.add(0.0, 0.0 if test.pairs % 10 < 10 * share else after)
    assert test.outcome().changed is Changed.SLOWER
    none = PairTest(CompareLimits().of(of))
    while not none.is_settled:
        none.add(0.0, 0.0)
    assert (none.outcome().changed, none.outcome().ratio) == (Changed.NO_CHANGE, 1.0)


def test_what_was_nothing_before_has_no_ratio() -> None:
    one = compared(SHIFT, [0.0] * 12, [0.05] * 12)
    assert one.comparison is not None
    assert (one.comparison.ratio, change_interval(one), compared_text(one)) == (None, "-", "more")
    assert one.findings[0].message == "median layout shift 0 -> 0.05; 12 values before, 12 now, over the limit of 0.02"
    assert in_short(one) == one.findings[0].message


def test_amounts_are_not_slower() -> None:
    one = compared(BYTES, [500_000.0] * 12, [650_000.0] * 12)
    assert (one.verdict, one.findings[0].rule) == (Verdict.CRITICAL, Rule.SLOWER)
    assert one.findings[0].message == (
        "median bytes 30% more than the 500 kB before (+30% to +30%), over the limit of 25%"
    )
    assert in_short(one) == "30% more, over 25%"
    assert compared(BYTES, [5000.0] * 12, [5900.0] * 12).findings[0].message == (
        "median bytes 18% more, by 900 B: less than the 1 kB that count as a change"
    )


def test_a_figure_is_compared_by_its_name() -> None:
    """Whether or not it had a limit before; and it changes no verdict."""
    metric, values = MetricOf.LARGEST_CONTENTFUL_PAINT, [100.0] * 12
    limits = {MetricOf.LOAD: ([300.0] * 12, 2000.0), BYTES: ([9e5] * 12, 1e6)}
    earlier = page(metric, values, 200.0, figures={MetricOf.LOAD: ([150.0] * 12, 2000.0)})
    one = compare_saved(run([earlier]), run([page(metric, values, 200.0, figures=limits)])).run.endpoints[0]
    assert one.verdict is Verdict.OK
    (message,) = [finding.message for finding in one.findings if finding.step == "load"]
    assert message.startswith("median load 100% slower than the 150 ms before (")
    assert message.endswith("; the verdict is by the median LCP")
    load, size = one.steps
    assert load.comparison is not None
    assert load.comparison.changed is Changed.SLOWER
    assert size.comparison is None
