"""Comparisons and series of known truth, many times over, and their outcome.

Shared by the tests and by benchmarks/comparisons.py. All of it is deterministic for a given situation.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from simulation.noise import SHAPES, Bursts, unit
from simulation.past_values import past
from simulation.runs import endpoint

from perfcheck.history.propose import propose
from perfcheck.model import Changed, CompareLimits, Metric, Verdict
from perfcheck.stats.change_points import find_trend
from perfcheck.stats.pairs import PairTest
from perfcheck.stats.trend import Trend
from perfcheck.stats.two_sample import compare_samples

BASE_MS = 100.0
WARNING, CRITICAL = 1.5, 2.0  # times the target
LIMITS = CompareLimits()


@dataclass
class Outcomes:
    """The outcome of the comparisons of one situation."""

    runs: int = 0
    pairs: int = 0
    shown_at: int = 0  # pairs until slower was shown, or all
    found: Counter[tuple[Changed, Verdict]] = field(default_factory=Counter)
    above: int = 0  # intervals that lie entirely above the truth
    below: int = 0

    def add(
        self, changed: Changed, severity: Verdict, interval: tuple[float | None, float | None], truth: float
    ) -> None:
        self.runs += 1
        self.found[changed, severity] += 1
        self.above += interval[0] is not None and interval[0] > truth
        self.below += interval[1] is not None and interval[1] < truth

    def rate(self, changed: Changed, severity: Verdict | None = None) -> float:
        return sum(n for (c, s), n in self.found.items() if c is changed and severity in {None, s}) / self.runs

    @property
    def mean_pairs(self) -> float:
        return self.pairs / self.runs


@dataclass(frozen=True)
class Live:
    """Pairs of requests to two services. ``ratio`` is after / before."""

    shape: str
    ratio: float
    burst_share: float = 0.0
    wander: float = 0.0  # standard deviation of the machine's speed, as a logarithm, that both requests of a pair meet


def simulate_live(cell: Live, runs: int) -> Outcomes:
    rng = random.Random(repr(cell))
    outcomes = Outcomes()
    for _ in range(runs):
        latency = _machine(cell, rng)
        test = PairTest(LIMITS)
        shown_at = None
        while not test.is_settled:
            pace = math.exp(rng.gauss(0.0, cell.wander))
            if rng.random() < 0.5:
                before, after = latency(pace), latency(pace * cell.ratio)
            else:
                after, before = latency(pace * cell.ratio), latency(pace)
            test.add(before, after)
            if shown_at is None and test.is_slower:
                shown_at = test.pairs
        outcome = test.outcome()
        outcomes.pairs += test.pairs
        outcomes.shown_at += shown_at or test.pairs
        outcomes.add(outcome.changed, outcome.severity, outcome.interval, cell.ratio)
    return outcomes


def _machine(cell: Live, rng: random.Random) -> Callable[[float], float]:
    """Answers a request that takes ``factor`` times the usual in scripted time."""
    draw, scale = SHAPES[cell.shape].draw, BASE_MS * unit(cell.shape, Metric.MEDIAN)
    bursts = Bursts(cell.burst_share, rng) if cell.burst_share else None
    at_s = 0.0

    def latency(factor: float) -> float:
        nonlocal at_s
        taken_ms = draw(rng) * scale * factor * (bursts.factor(at_s) if bursts else 1.0)
        at_s += taken_ms / 1000
        return taken_ms

    return latency


@dataclass(frozen=True)
class Stored:
    """Two samples of ``count``. ``apart``: the machine's speed from one run to the other, as a standard deviation."""

    shape: str
    metric: Metric
    count: int
    ratio: float
    apart: float = 0.0


def simulate_stored(cell: Stored, runs: int) -> Outcomes:
    rng = random.Random(repr(cell))
    draw, scale = SHAPES[cell.shape].draw, BASE_MS * unit(cell.shape, cell.metric)
    outcomes = Outcomes()
    for _ in range(runs):
        factor = cell.ratio * scale * math.exp(rng.gauss(0.0, cell.apart))
        before = [draw(rng) * scale for _ in range(cell.count)]
        after = [draw(rng) * factor for _ in range(cell.count)]
        outcome = compare_samples(before, after, cell.metric, LIMITS)
        outcomes.add(outcome.changed, outcome.severity, outcome.interval, cell.ratio)
    return outcomes


@dataclass(frozen=True)
class Series:
    """Medians of runs: a level, a step in it, a drift over all of it, and noise."""

    runs: int
    noise: float = 0.03
    likeness: float = 0.0  # autocorrelation of neighbours; the name is part of the seed
    outliers: float = 0.02  # share of runs that come out 1.5 to 3 times as slow
    step: float = 0.0  # 0.1: 10% more
    step_at: int = 0
    step_runs: int = 0  # after which the level is back; 0: it stays
    drift: float = 0.0  # from the first run to the last, or to the step where there is one
    drift_from: int = 0

    def values(self, rng: random.Random) -> list[float]:
        fresh = self.noise * math.sqrt(1 - self.likeness**2)
        deviation = rng.gauss(0.0, self.noise)
        values = []
        for i in range(self.runs):
            deviation = self.likeness * deviation + rng.gauss(0.0, fresh)
            outlier = rng.uniform(1.5, 3.0) if rng.random() < self.outliers else 1.0
            values.append(BASE_MS * self.level(i) * outlier * math.exp(deviation))
        return values

    def level(self, i: int) -> float:
        until = self.step_at if self.step else self.runs
        along = min(max(i - self.drift_from, 0), until - self.drift_from) / max(1, until - self.drift_from)
        return float((1 + self.drift) ** along * (1 + self.step * self.is_stepped(i)))

    def is_stepped(self, i: int) -> bool:
        return i >= self.step_at and not (self.step_runs and i >= self.step_at + self.step_runs)


def simulate_trends(cell: Series, runs: int) -> list[Trend]:
    rng = random.Random(repr(cell))
    return [find_trend(cell.values(rng)) for _ in range(runs)]


@dataclass(frozen=True)
class Proposed:
    """A first target, from five daily runs, of an endpoint on machines that differ in their speed."""

    median_ms: float
    machines: float = 0.2  # standard deviation of the logarithm of a run's median
    later_runs: int = 100


def simulate_proposals(cell: Proposed, services: int) -> list[tuple[float, float, bool]]:
    """Of each service the target over its median, the share of later runs over 1.5x, and whether any was over 2x."""
    rng = random.Random(repr(cell))
    outcomes = []
    for _ in range(services):
        values = [cell.median_ms * rng.lognormvariate(0, cell.machines) for _ in range(5 + cell.later_runs)]
        rows = [past("e", value, index) for index, value in enumerate(values[:5])]
        target = propose(endpoint("e", target=None), rows).target
        assert target is not None, "five runs on five occasions"
        ratios = [value / target.after_ms for value in values[5:]]
        over = sum(ratio > WARNING for ratio in ratios) / len(ratios)
        outcomes.append((target.after_ms / cell.median_ms, over, max(ratios) > CRITICAL))
    return outcomes
