"""The load at which a share of requests crosses its limit: a local logistic regression on the logarithm of the load.

The share of requests over a latency limit grows with the load along a convex curve, even as a logit. For M/M/c queues
and for thinking users its quadratic term at a share of 5% is 0.18 to 0.21 times the square of the slope; a straight
line would put the crossing 1% too low. So that term is part of the curve, and only level and slope are fitted.

Neighbouring half seconds are correlated, the more the nearer a queue is to saturation. So the unit is the step. What a
service holds varies from step to step, by its queue and by the machine, as if the curve moved sideways: logits of
different steps have a variance beyond a binomial's, estimated by Pearson's chi-square (Williams 1982, "Extra-binomial
variation in logistic linear models", model III), with Student's quantile for as many steps. With one factor for all
variances instead (McCullagh and Nelder 1989, section 4.5), a step with nearly all requests over the limit makes one
with nearly none look uncertain, and intervals were half as wide again on a machine whose speed varies by 5%. With a
variance estimated from the half seconds instead, intervals that state 95% covered 61 to 86%.

The interval is that of the delta method, the error of the level over the slope. For the slope stands one standard
error less: without that, intervals are too narrow where the curve is flatter than expected (M/M/1 at 20 requests/s:
75%). How many of 200 intervals cover the truth on each of the simulated services: docs/benchmarks.md, "Capacity".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from perfcheck.stats.ranks import t_quantile

_WINDOWS = (0.22, 0.45)  # half of their width, in logarithms of the load: the narrow one where it has steps enough
_ENOUGH, _LEAST = 7, 3  # steps in the window
# What is expected of the slope before anything is known: a log-normal distribution. Queues have 5 to 40. With a spread
# of 0.5, 83 to 89% of intervals were right where the share of few requests grew like the load or its square.
_SLOPE, _SLOPE_SPREAD = 8.0, 0.7
_LEVEL_SPREAD = 3.0  # around the limit
_LEAST_SLOPE = 1.5  # more load makes nothing faster
_BEND = 0.2  # the quadratic term, in squares of the slope
_CENTRINGS, _SCORINGS = 8, 30  # iterations at most
_FARTHEST = 0.3  # that the centre moves in one of them
_EPSILON = 1e-6
_LEAST_VARIANCE = 0.5  # of a count: a single request where none was expected is no sign of variation between steps
# A step without a request over the limit may have missed a backlog by chance. It does not vary less than one at which
# half as many are over as may be.
_LEAST_EXCESS = 0.5
_HALVINGS = 20
_TAIL = 0.025
# A search ends when its interval is narrow, and so rather when it happens to come out too narrow. This factor on the
# standard error makes up for that. It is larger for the lower end: steps that miss a backlog by chance put the crossing
# too high, and vary little.
_EARLY_END_BELOW, _EARLY_END_ABOVE = 1.4, 1.1


@dataclass(frozen=True, slots=True)
class StepCounts:
    """The judged requests of one step, and how many of them count against the limit."""

    log_load: float
    requests: int
    over: int


@dataclass(frozen=True, slots=True)
class Crossing:
    """The load at which a share crosses its limit, as a logarithm, with its 95% confidence interval."""

    log_load: float
    error: float  # the standard error
    degrees: float  # of freedom
    slope: float  # of the logit
    dispersion: float  # variance of a step there, in multiples of a binomial's

    @property
    def low(self) -> float:
        return self.log_load - self.error * _EARLY_END_BELOW * t_quantile(1 - _TAIL, self.degrees)

    def high(self, comparisons: int = 1) -> float:
        """The upper end; where it is the lowest of several that counts, by Bonferroni's inequality."""
        return self.log_load + self.error * _EARLY_END_ABOVE * t_quantile(1 - _TAIL / comparisons, self.degrees)


@dataclass(frozen=True, slots=True)
class _Curve:
    """``logit(share) = level + slope (d + bend d^2)`` at a distance d from the centre."""

    centre: float
    bend: float
    level: float
    slope: float
    level_variance: float
    slope_variance: float

    def share(self, log_load: float) -> float:
        return _logistic(self.level + self.slope * _bent(log_load - self.centre, self.bend))


def find_crossing(steps: Sequence[StepCounts], share: float, near: float) -> Crossing | None:
    """Where steps at several loads put the crossing of ``share`` (0 to 1); None when too few lie around it.

    ``near`` is the logarithm of the load where the search for it begins.
    """
    centre, slope, excess = near, _SLOPE, 0.0
    for _ in range(_CENTRINGS):
        weighted = _around(centre, steps)
        if len(weighted) < _LEAST:
            return None
        curve = _fit(weighted, share, centre, _BEND * slope, excess)
        slope, excess = curve.slope, _excess(weighted, share, curve)
        offset = (_logit(share) - curve.level) / slope
        if abs(offset) < _EPSILON:
            break
        centre += max(-_FARTHEST, min(_FARTHEST, offset))
    degrees = max(1.0, sum(weight for _, weight in weighted) - 2)
    least_slope = max(_LEAST_SLOPE, slope - math.sqrt(curve.slope_variance))
    error = math.sqrt(curve.level_variance) / least_slope
    requests = sum(step.requests for step, _ in weighted) / len(weighted)
    dispersion = _dispersion(requests, share, share, excess)
    return Crossing(curve.centre + offset, error, degrees, slope, dispersion)


def _around(centre: float, steps: Sequence[StepCounts]) -> list[tuple[StepCounts, float]]:
    """The steps in the window, weighted by their distance (Epanechnikov 1969)."""
    for window in _WINDOWS:
        weighted = [
            (step, 1 - ((step.log_load - centre) / window) ** 2)
            for step in steps
            if step.requests and abs(step.log_load - centre) < window
        ]
        if len(weighted) >= _ENOUGH:
            break
    return weighted


def _fit(
    weighted: Sequence[tuple[StepCounts, float]], share: float, centre: float, bend: float, excess: float
) -> _Curve:
    """Fisher scoring of a quasi-likelihood (McCullagh and Nelder 1989, sections 2.5 and 9.2).

    With weak normal priors, so that few steps suffice.
    """
    level, slope = _logit(share), _SLOPE
    for _ in range(_SCORINGS):
        level_score = (_logit(share) - level) / _LEVEL_SPREAD**2
        slope_score = math.log(_SLOPE / slope) / (_SLOPE_SPREAD**2 * slope)
        level_information, cross, slope_information = 1 / _LEVEL_SPREAD**2, 0.0, 1 / (_SLOPE_SPREAD * slope) ** 2
        for step, weight in weighted:
            d = _bent(step.log_load - centre, bend)
            expected = _logistic(level + slope * d)
            precision = weight / _dispersion(step.requests, expected, share, excess)
            residual = precision * (step.over - step.requests * expected)
            information = precision * step.requests * expected * (1 - expected)
            level_score += residual
            slope_score += residual * d
            level_information += information
            cross += information * d
            slope_information += information * d**2
        determinant = level_information * slope_information - cross**2
        level_change = (slope_information * level_score - cross * slope_score) / determinant
        slope_change = (level_information * slope_score - cross * level_score) / determinant
        damping = min(1.0, 3 / max(abs(level_change), abs(slope_change) / 4, _EPSILON))
        level += damping * level_change
        slope = max(_LEAST_SLOPE, slope + damping * slope_change)
        if abs(level_change) + abs(slope_change) < _EPSILON:
            break
    return _Curve(centre, bend, level, slope, slope_information / determinant, level_information / determinant)


def _dispersion(requests: float, expected: float, share: float, excess: float) -> float:
    """Variance of a step's count in multiples of a binomial's, where its logit varies by ``excess``, a variance."""
    return 1 + requests * excess * max(expected * (1 - expected), _LEAST_EXCESS * share * (1 - share))


def _excess(weighted: Sequence[tuple[StepCounts, float]], share: float, curve: _Curve) -> float:
    """The variance of logits between steps with which Pearson's chi-square is as large as its degrees of freedom."""
    degrees = max(1.0, sum(weight for _, weight in weighted) - 2)
    expected = [(step, weight, curve.share(step.log_load)) for step, weight in weighted]

    def is_too_small(excess: float) -> bool:
        square = 0.0
        for step, weight, over in expected:
            variance = max(_LEAST_VARIANCE, step.requests * over * (1 - over))
            variance *= _dispersion(step.requests, over, share, excess)
            square += weight * (step.over - step.requests * over) ** 2 / variance
        return square > degrees

    if not is_too_small(0.0):
        return 0.0
    high = 1e-4
    while is_too_small(high):
        high *= 2
    low = high / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_too_small(middle) else (low, middle)
    return high


def _bent(distance: float, bend: float) -> float:
    """``d + bend d^2`` from the vertex of that parabola on, and level before it."""
    distance = max(distance, -1 / (2 * bend))
    return distance + bend * distance**2


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, x))))


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
