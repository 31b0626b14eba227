"""Targets and ideals from past runs: the rule by tables, and what it may never do by any figures."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation.comparing import Proposed, simulate_proposals
from simulation.past_values import past
from simulation.runs import endpoint

from perfcheck.history.model import PastMeasurement, Proposal
from perfcheck.history.propose import PREFERRED_NUMBERS, ProposalRule, propose, round_up
from perfcheck.model import Endpoint, Metric, MetricOf, Source, Verdict

LISTED = replace(endpoint("videos.list", target=1000.0), ideal_ms=800.0)
NEW = endpoint("videos.list", target=None)
LOOSEN = ProposalRule(loosen=True)


def series(values: Sequence[float], **more: Any) -> list[PastMeasurement]:
    return [past("videos.list", value, index, **more) for index, value in enumerate(values)]


def moved(proposal: Proposal) -> tuple[float | None, float | None]:
    """What target and ideal become; None for what stays."""
    return (
        proposal.target.after_ms if proposal.target else None,
        proposal.ideal.after_ms if proposal.ideal else None,
    )


# --- The rule ------------------------------------------------------------------------------------------------------


def test_the_bound_and_the_margin_rounded_up() -> None:
    found = propose(LISTED, series([200.0, 190.0, 180.0, 210.0, 170.0]))
    assert moved(found) == (300, 200)
    assert found.runs == 5
    assert found.why == ("5 good runs took at most 210 ms, plus 20% is 252 ms; the median is 190 ms, plus 5% is 200 ms")


def test_runs_of_another_time_do_not_count() -> None:
    found = propose(replace(LISTED, metric_of=MetricOf.FIRST_BYTE), series([200.0] * 5))
    assert moved(found) == (None, None)
    assert found.why == "its runs measured the median, and the baseline now uses median to first byte"


def test_one_run_in_ten_is_set_aside() -> None:
    found = propose(LISTED, series([100.0] * 18 + [140.0, 150.0]))
    assert moved(found) == (120, 120)
    assert found.why.startswith("18 of 20 good runs took at most 100 ms, plus 20% is 120 ms")
    assert moved(propose(LISTED, series([100.0] * 17 + [140.0, 145.0, 150.0])))[0] == 180


def test_what_is_set_aside_stays_below_warning_all_the_same() -> None:
    found = propose(LISTED, series([100.0] * 19 + [450.0]))
    assert moved(found)[0] == 300
    assert found.why.startswith("the slowest of 20 good runs took 450 ms and has to stay below WARNING")
    strict = replace(LISTED, warning_ms=1100.0)
    assert moved(propose(strict, series([100.0] * 19 + [450.0])))[0] == 450


def test_only_the_last_runs_count() -> None:
    values = [500.0] * 30 + [100.0] * 20
    assert moved(propose(LISTED, series(values)))[0] == 120
    assert moved(propose(LISTED, series(values), ProposalRule(runs=40)))[0] == 600


def test_what_lies_before_the_last_step_is_another_service() -> None:
    values = [500.0] * 10 + [100.0] * 6
    assert moved(propose(LISTED, series(values)))[0] == 600
    found = propose(LISTED, series(values), since=10)
    assert moved(found)[0] == 120
    assert found.why.startswith("6 good runs since it changed took at most 100 ms")
    few = propose(LISTED, series(values), since=12)
    assert few.why == "4 good runs since it changed, 1 more occasion is needed, an hour later"


@pytest.mark.parametrize(("margin", "target", "ideal"), [(0.0, 120, 100), (0.5, 150, 120), (1.0, 200, 150)])
def test_the_margin_of_the_ideal_is_a_quarter(margin: float, target: float, ideal: float) -> None:
    assert moved(propose(LISTED, series([100.0] * 5), ProposalRule(margin=margin))) == (target, ideal)


def test_a_first_target_comes_without_an_ideal() -> None:
    found = propose(NEW, series([100.0] * 5))
    assert moved(found) == (120, None)
    assert found.target is not None
    assert found.target.before_ms is None


def test_a_first_target_below_an_inherited_ideal_brings_that_down() -> None:
    assert moved(propose(replace(NEW, ideal_ms=150.0), series([100.0] * 5))) == (120, 120)


def test_a_first_target_knows_no_warning_limit_and_lies_over_every_run() -> None:
    assert moved(propose(NEW, series([100.0] * 19 + [450.0]))) == (450, None)


# --- Occasions -----------------------------------------------------------------------------------------------------


def at_hours(*hours: float) -> list[PastMeasurement]:
    return [
        past(
            "videos.list",
            100.0,
            started_at=f"2026-11-{1 + int(h // 24):02}T{int(h % 24):02}:{round(h % 1 * 60):02}:00.000Z",
        )
        for h in hours
    ]


@pytest.mark.parametrize(
    ("hours", "missing"),
    [
        ((0, 1, 2, 3, 24), None),
        ((0, 0.1, 0.2, 0.3, 0.4), "4 more occasions are needed, an hour apart"),
        ((0, 1, 2, 3, 4, 5), "all within a day: one a day after the first is needed"),
        ((0, 10, 20, 30, 30.5), "1 more occasion is needed, an hour later"),
    ],
)
def test_runs_of_one_hour_are_one_occasion(hours: Sequence[float], missing: str | None) -> None:
    found = propose(LISTED, at_hours(*hours))
    assert (found.target is None) == (missing is not None)
    if missing:
        assert missing in found.why


def test_runs_are_added_until_they_are_of_five_occasions() -> None:
    """The last five of these are of one hour; the slow one that counts is of the day before."""
    runs = at_hours(0, 24, 30, 36, *(48 + minute / 60 for minute in range(5)))
    runs[1] = runs[1]._replace(value_ms=200.0)
    found = propose(LISTED, runs, ProposalRule(runs=5))
    assert (found.runs, moved(found)[0]) == (9, 250)


def test_a_few_milliseconds_are_left_to_the_machine() -> None:
    """At 3 ms, a machine that is 20% slower, or a pause of the runner, is CRITICAL with a target of 4 ms."""
    found = propose(NEW, series([3.0, 3.1, 2.9, 3.0, 3.2]))
    assert moved(found) == (8, None)
    assert found.why == "the median of 5 good runs is 3 ms, plus 5 ms that the machine may add is 8 ms"


def test_nothing_is_proposed_while_a_change_may_be_forming() -> None:
    found = propose(LISTED, series([100.0] * 8 + [20.0]), runs_needed=2)
    assert moved(found) == (None, None)
    assert found.why == "its newest runs differ from those before: cannot tell yet: 2 more runs"


# --- What is left alone --------------------------------------------------------------------------------------------


def test_a_small_change_is_not_worth_a_diff() -> None:
    near = replace(LISTED, target_ms=130.0, ideal_ms=115.0)
    found = propose(near, series([100.0] * 5))
    assert moved(found) == (None, None)
    assert found.why == "5 good runs took at most 100 ms, plus 20% is 120 ms: 120 ms is within 10% of the target"
    assert moved(propose(near, series([100.0] * 5), ProposalRule(min_change=0.05))) == (120, None)


def test_a_looser_target_only_on_request() -> None:
    tight = replace(LISTED, target_ms=80.0, ideal_ms=60.0, warning_ms=120.0)
    found = propose(tight, series([100.0] * 5))
    assert moved(found) == (None, None)
    assert found.why.endswith("120 ms would be looser, which --loosen REASON allows")
    assert moved(propose(tight, series([100.0] * 5), LOOSEN)) == (120, 120)


def test_an_ideal_over_the_new_target_comes_down_with_it() -> None:
    found = propose(replace(LISTED, ideal_ms=125.0), series([100.0] * 5))
    assert moved(found) == (120, 120)
    assert found.why.endswith("the ideal may not exceed the target of 120 ms")


def test_an_ideal_moves_alone() -> None:
    spread = series([100.0] * 8 + [200.0] * 2)
    found = propose(replace(LISTED, target_ms=250.0, ideal_ms=200.0), spread)
    assert moved(found) == (None, 120)
    assert found.why == "the median is 100 ms, plus 5% is 105 ms"


def test_without_an_ideal_none_is_made_up() -> None:
    assert moved(propose(replace(LISTED, ideal_ms=None), series([100.0] * 5))) == (120, None)


# --- Which runs count ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd",
    [
        {"verdict": Verdict.CRITICAL},
        {"verdict": Verdict.NOT_MEASURED},
        {"value_ms": None},
        {"value_ms": math.inf},
        {"requests": 4},
        {"source": Source.MONITORED},
        {"error_rate": 0.2},
        {"metric": Metric.P95},
    ],
    ids=str,
)
def test_runs_that_are_not_good_do_not_count(odd: dict[str, Any]) -> None:
    runs = series([100.0] * 5)
    runs[2] = runs[2]._replace(**odd)
    assert propose(LISTED, runs).why == "4 good runs, 1 more occasion is needed, an hour later; 1 more was not good"
    assert propose(LISTED, [*runs, past("videos.list", 100.0, 5)]).runs == 5


@pytest.mark.parametrize("odd", [{"verdict": Verdict.WARNING}, {"decided": False}, {"error_rate": 0.01}], ids=str)
def test_runs_that_count_all_the_same(odd: dict[str, Any]) -> None:
    runs = series([100.0] * 5)
    runs[2] = runs[2]._replace(**odd)
    assert propose(LISTED, runs).runs == 5


@pytest.mark.parametrize(
    ("runs", "why"),
    [
        ([], "no runs of it in the history"),
        (series([100.0]), "1 good run, 4 more occasions are needed, an hour apart"),
        (series([100.0] * 3), "3 good runs, 2 more occasions are needed, an hour apart"),
        (
            [*series([100.0] * 9), past("videos.list", 5000.0, 9, verdict=Verdict.CRITICAL)],
            "the last run was CRITICAL: fix that first, or accept it with --loosen REASON",
        ),
        (
            series([100.0] * 9, metric=Metric.P95),
            "its runs measured the p95, and the baseline now uses median",
        ),
    ],
)
def test_why_there_is_no_proposal(runs: list[PastMeasurement], why: str) -> None:
    found = propose(LISTED, runs)
    assert (found.why, moved(found), found.values) == (why, (None, None), ())


def test_who_accepts_that_it_is_slower_accepts_critical_runs() -> None:
    runs = series([2500.0] * 5, verdict=Verdict.CRITICAL)
    assert moved(propose(LISTED, runs, LOOSEN)) == (3000, 3000)
    failing = series([2500.0] * 5, verdict=Verdict.CRITICAL, error_rate=0.5)
    assert (
        propose(LISTED, failing, LOOSEN).why
        == "0 good runs, 5 more occasions are needed, an hour apart; 5 more were not good"
    )


# --- By any figures ------------------------------------------------------------------------------------------------

latencies = st.floats(min_value=0.001, max_value=80_000_000)
many = st.lists(latencies, min_size=5, max_size=40)


@st.composite
def endpoints(draw: st.DrawFn) -> Endpoint:
    target = draw(st.none() | latencies)
    if target is None:
        return NEW
    ideal = draw(st.none() | st.floats(min_value=0.1, max_value=1))
    return replace(
        LISTED,
        target_ms=target,
        ideal_ms=None if ideal is None else target * ideal,
        warning_ms=target * draw(st.floats(min_value=1.001, max_value=10)),
    )


@given(one=endpoints(), values=many, margin=st.floats(min_value=0, max_value=2), loosen=st.booleans())
def test_no_run_that_it_rests_on_would_be_a_warning(
    *, one: Endpoint, values: list[float], margin: float, loosen: bool
) -> None:
    rule = ProposalRule(margin=margin, loosen=loosen)
    found = propose(one, series(values), rule)
    target, ideal = moved(found)
    if target is not None:
        multiple = one.warning_ms / one.target_ms if one.warning_ms and one.target_ms else 1.0
        assert max(values[-rule.runs :]) <= target * multiple
        assert loosen or one.target_ms is None or target <= 0.9 * one.target_ms
    if ideal is not None:
        in_force = target or one.target_ms
        assert in_force is not None
        assert ideal <= in_force
    assert found.why


@given(latencies)
def test_rounding_up_reaches_the_next_number_and_no_further(value: float) -> None:
    rounded = round_up(value)
    assert value <= rounded * (1 + 1e-6)
    assert rounded <= value * 1.25 * (1 + 1e-6)
    assert round_up(rounded) == rounded


@given(latencies, latencies)
def test_rounding_up_keeps_the_order(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert round_up(low) <= round_up(high)


def test_the_ladder() -> None:
    assert all(low < high <= low * 1.25 for low, high in pairwise(PREFERRED_NUMBERS))
    assert [round_up(value) for value in (100, 101, 254, 0.81, 1999, 2001, 950, 0.0123)] == [
        *(100, 120, 300, 0.9, 2000, 2500, 1000, 0.015)
    ]


# --- In the long run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.6])
def test_a_service_that_stays_as_it_is_keeps_its_targets(sigma: float) -> None:
    """Medians of five requests, lognormal; a burst that doubles one run in twenty. 400 services, 20 runs after 20."""
    rng = random.Random(7)
    over_target = warnings = runs = 0
    for _ in range(400):
        values = [median_of_five(rng, sigma) * (2 if rng.random() < 0.05 else 1) for _ in range(40)]
        target = moved(propose(LISTED, series(values[:20])))[0]
        assert target is not None
        over_target += sum(value > target for value in values[20:])
        warnings += sum(value > 1.5 * target for value in values[20:])
        runs += 20
    assert warnings / runs < 0.03
    assert over_target / runs < 0.08


def test_a_quick_endpoint_is_never_critical_for_the_sake_of_the_machine() -> None:
    """At 3 ms, on machines that differ by 20%. More situations: benchmarks/comparisons.py."""
    assert not any(critical for _, _, critical in simulate_proposals(Proposed(3.0), 200))


def median_of_five(rng: random.Random, sigma: float) -> float:
    return sorted(100 * rng.lognormvariate(0, sigma) for _ in range(5))[2]


# --- Figures of pages ------------------------------------------------------------------------------------------------


def test_a_size_is_proposed_in_its_unit() -> None:
    page = replace(endpoint("home", target=2_000_000.0), metric_of=MetricOf.BYTES)
    found = propose(page, series([512_000.0] * 5, metric="median bytes"))
    assert moved(found)[0] == 700_000
    assert found.why == "5 good runs had at most 512 kB, plus 20% is 614 kB; the median is 512 kB, plus 5% is 538 kB"


@pytest.mark.parametrize(
    ("of", "metric", "target", "why"),
    [
        (MetricOf.LAYOUT_SHIFT, "median layout shift", 0.02, "plus 0.02 that are no change is 0.02"),
        (MetricOf.TOTAL_BLOCKING_TIME, "median TBT", 5.0, "plus 5 ms that the machine may add is 5 ms"),
    ],
)
def test_nothing_but_zeros(of: MetricOf, metric: str, target: float, why: str) -> None:
    page = replace(endpoint("home", target=300.0), metric_of=of, ideal_ms=200.0)
    found = propose(page, series([0.0] * 5, metric=metric))
    assert moved(found) == (target, target)
    assert why in found.why
