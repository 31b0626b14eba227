"""Error rates of the complete procedure, on services of known truth: benchmarks/decisions.py in small, with seeds.

Every cell seeds itself, so the figures are the same in each run. The limits are those of the benchmark, with room for
the chance that fewer runs bring.

Without coverage, which makes them take four times as long.
"""

from __future__ import annotations

import math

import pytest
from simulation.checks import Cell, simulate, simulate_step
from simulation.noise import SHAPES, unit

from perfcheck.model import ErrorProof, Metric, Verdict
from perfcheck.stats.sequential import ALPHA, FIRST_STAGE, divergence

pytestmark = pytest.mark.no_cover

OK, WARNING, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.CRITICAL
NARROW, WIDE = "lognormal .3", "lognormal .6"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("ratio", "runs"), [(0.8, 150), (1.45, 60)])
def test_a_service_within_its_limits_is_never_critical(shape: str, ratio: float, runs: int) -> None:
    tally = simulate(Cell(shape=shape, ratio=ratio), runs)
    assert tally.rate(CRITICAL) == 0
    assert tally.rate(WARNING, decided=True) <= 0.01


def with_chance(rate: float, runs: int) -> float:
    """What so many runs measure at most when the true rate is at most ``rate``: three standard errors."""
    return rate + 3 * math.sqrt(rate * (1 - rate) / runs)


@pytest.mark.parametrize(("shape", "confirm"), [(NARROW, 1), (WIDE, 2)])
def test_just_over_its_limit_a_service_is_rarely_ok(shape: str, confirm: int) -> None:
    """In all stages together."""
    tally = simulate(Cell(shape=shape, ratio=1.505, confirm=confirm), 100)
    assert tally.rate(OK, decided=True) <= with_chance(ALPHA, tally.runs)


@pytest.mark.parametrize("shape", [NARROW, WIDE])
def test_at_the_critical_limit_itself_errors_stay_rare(shape: str) -> None:
    assert simulate(Cell(shape=shape, ratio=2.0), 70).rate(CRITICAL, decided=True) <= 0.015


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("ratio", "most"), [(2.5, 0.02), (4.0, 0.0)])
def test_a_slow_service_is_not_called_milder(shape: str, ratio: float, most: float) -> None:
    tally = simulate(Cell(shape=shape, ratio=ratio), 60)
    assert tally.rate(OK, decided=True) + tally.rate(WARNING, decided=True) <= most
    assert tally.rate(CRITICAL) >= 1 - most


@pytest.mark.parametrize(
    ("shape", "ratio", "most"),
    [
        (NARROW, 0.3, 6.2),
        ("spikes 2%", 0.3, 6.8),
        (NARROW, 0.8, 7.0),
        (WIDE, 0.8, 15.5),
        (NARROW, 4.0, 13.0),
        (WIDE, 4.0, 24.0),
    ],
)
def test_requests_of_a_clear_case(shape: str, ratio: float, most: float) -> None:
    assert simulate(Cell(shape=shape, ratio=ratio), 500).mean_requests <= most


@pytest.mark.parametrize(("metric", "most"), [(Metric.P90, 35.0), (Metric.P95, 69.0), (Metric.P99, 350.0)])
def test_requests_of_a_healthy_tail(metric: Metric, most: float) -> None:
    tally = simulate(Cell(metric=metric, ratio=0.8), 100)
    assert tally.rate(OK, decided=True) == 1
    assert tally.mean_requests <= most


@pytest.mark.parametrize("metric", [Metric.P95, Metric.MEAN])
def test_the_other_metrics_distinguish_good_from_bad(metric: Metric) -> None:
    assert simulate(Cell(metric=metric, ratio=0.8), 40).rate(OK, decided=True) == 1
    assert simulate(Cell(metric=metric, ratio=1.75), 15).rate(CRITICAL) == 0
    assert simulate(Cell(metric=metric, ratio=3.0), 40).rate(CRITICAL, decided=True) == 1


@pytest.mark.parametrize("ratio", [0.8, 4.0])
def test_requests_and_walds_bound(ratio: float) -> None:
    """No sequential test with this error takes fewer than ln(1 / alpha) / D requests on average."""
    limit = 1.5 if ratio < 1 else 2.0
    slow = 1 - SHAPES[WIDE].below(limit / ratio / unit(WIDE, Metric.MEDIAN))
    bound = math.log(1 / (FIRST_STAGE.alpha if ratio < 1 else ALPHA)) / divergence(slow, 0.5)
    tally = simulate(Cell(shape=WIDE, ratio=ratio), 200)
    assert tally.first_stage / tally.runs / bound <= 1.25


@pytest.mark.parametrize(
    ("share", "confirm", "ratio", "most"),
    [(0.08, 1, 0.8, 0.003), (0.08, 1, 1.2, 0.003), (0.18, 1, 1.2, 0.01), (0.18, 2, 1.2, 0.001)],
)
def test_bursts_are_not_taken_for_a_slow_service(share: float, confirm: int, ratio: float, most: float) -> None:
    tally = simulate(Cell(ratio=ratio, burst_share=share, confirm=confirm), 200)
    assert tally.rate(CRITICAL) <= most
    if ratio < 1:
        assert tally.mean_requests <= 9


def test_without_confirmation_they_would_be() -> None:
    """Or the simulated bursts would be none."""
    assert simulate(Cell(ratio=0.8, burst_share=0.08, confirm=0), 200).rate(CRITICAL) > 0.02


def test_bursts_do_not_hide_a_slow_service() -> None:
    assert simulate(Cell(ratio=3.0, burst_share=0.08), 200).rate(CRITICAL) >= 0.995


def failing(rate: float, latency_ms: float = 26.0) -> Cell:
    return Cell(failure_rate=rate, target_ms=2 * latency_ms, errors=ErrorProof.PROVEN)


@pytest.mark.parametrize("rate", [0.001, 0.01])
def test_rare_failures_are_hardly_ever_more_than_ok(rate: float) -> None:
    tally = simulate(failing(rate), 300)
    assert tally.rate(CRITICAL) <= 0.001
    assert tally.rate(WARNING) <= with_chance(0.03, tally.runs)


@pytest.mark.parametrize(("rate", "latency_ms", "most"), [(0.1, 26.0, 0.05), (0.2, 26.0, 0.005), (0.1, 200.0, 0.4)])
def test_frequent_failures_are_rarely_ok(rate: float, latency_ms: float, most: float) -> None:
    tally = simulate(failing(rate, latency_ms), 150)
    assert tally.rate(OK) <= with_chance(most, tally.runs)


def test_failures_beyond_doubt_are_critical() -> None:
    assert simulate(failing(0.2), 150).rate(CRITICAL) >= 1 - with_chance(0.1, 150)
    assert simulate(failing(0.5), 150).rate(CRITICAL) >= 0.99
    all_failing = simulate(failing(1.0), 20)
    assert all_failing.rate(CRITICAL, decided=True) == 1
    assert all_failing.mean_requests == 11


@pytest.mark.parametrize(("metric", "ratio"), [(Metric.MEDIAN, 1.5), (Metric.MEDIAN, 0.8), (Metric.P95, 2.5)])
def test_intervals_miss_the_truth_as_rarely_as_they_say(metric: Metric, ratio: float) -> None:
    tally = simulate(Cell(metric=metric, ratio=ratio), 80)
    assert tally.intervals_above / tally.runs <= with_chance(ALPHA, tally.runs)
    assert tally.intervals_below / tally.runs <= with_chance(ALPHA, tally.runs)


@pytest.mark.parametrize("others", [0.5, 4.0], ids=["others are quick", "another is slow"])
def test_a_step_of_a_workflow_has_the_error_rates_of_an_endpoint(others: float) -> None:
    """Also where another step is over its limit, so that this one is measured twice."""
    assert simulate_step(1.505, 50, others=others).rate(OK, decided=True) <= with_chance(ALPHA, 50)
    assert simulate_step(2.0, 25, others=others).rate(CRITICAL, decided=True) <= 0.02


def test_a_slow_step_is_found_in_as_many_requests_as_a_slow_endpoint() -> None:
    tally = simulate_step(4.0, 25)
    assert tally.rate(CRITICAL, decided=True) == 1
    assert tally.mean_requests <= 16
