"""Whether the level of a series moved at one split of it: a robust t score with a prior on the scale.

The prior on the noise between runs is what lets few runs suffice when a step is large: three runs have no variance to
speak of, but everyone knows that medians of runs differ by about 5%. The more runs there are, the less it counts.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import mul

LEAST_CHANGE = math.log(1.05)
LEAST_RUNS = 3  # on each side
FEW_RUNS = 10  # of one side, fewer of which may be on the wrong side of the middle
_VERY_FEW_RUNS = 6
RUN_NOISE = 0.05  # prior standard deviation between runs of the logarithm of a latency
SPREAD_NOISE = 0.4  # the same of the spread within a run, which few samples show badly
_SCALE_WEIGHT = 5  # the runs that it is worth
_CORRELATION, _CORRELATION_WEIGHT = 0.3, 15  # prior autocorrelation of neighbours, and the runs that it is worth
_MOST_CORRELATION = 0.7
# Noise beyond what requests themselves account for comes from the machine, whose speed wanders.
_OWN_NOISE, _WANDER = 0.04, 0.5
_CLIP = 2.5  # standard deviations
_NORMAL_MAD = 1.4826  # standard deviations of a normal distribution in its median absolute deviation
_LEAST_STEP = 0.6  # over the runs of a side: one run on its own does not make a level
_FORMING = 3.0, 2.5  # standard deviations of the noise, and score, from which on a change is worth a mention
_MOST_AWAITED = 60  # runs


@dataclass(frozen=True, slots=True)
class SplitScore:
    """The older and the newer part of a series of logarithms, compared."""

    score: float  # in standard deviations
    size: float  # newer level - older level
    scale: float  # standard deviation of the noise
    correlation: float
    before: int  # runs
    after: int
    astray_before: int  # runs of each part on the wrong side of the middle between the levels
    astray_after: int
    is_apart: bool  # whether the parts are two levels at all, whatever the score

    @property
    def is_change(self) -> bool:
        return self.is_apart and self.score > limit(self.before, self.after)

    @property
    def is_forming(self) -> bool:
        """Whether it looks like a change, though there may be too few newer runs to be sure."""
        deviations, score = _FORMING
        return (
            self.astray_after <= self.after // 5
            and self.astray_before <= max(1, self.before // 5)
            and abs(self.size) >= max(LEAST_CHANGE, deviations * self.scale)
            and self.score >= score
        )

    def runs_needed(self) -> int | None:
        """How many more runs at the newer level would show it; None for more than 60."""
        for more in range(1, _MOST_AWAITED + 1):
            after = self.after + more
            if after < LEAST_RUNS or abs(self.size) < least_step(self.before, after):
                continue
            error = _standard_error(self.scale, self.correlation, self.before, after)
            if _score(self.size / error, _degrees(self.before + after)) > limit(self.before, after):
                return more
        return None


def _most_astray(runs: int) -> int:
    """A fifth of few runs, two of many."""
    return (1 if runs < FEW_RUNS else 2) * runs // 5


def limit(before: int, after: int) -> float:
    """The score from which on a split is a change."""
    return 4.3 if min(before, after) < _VERY_FEW_RUNS else 4.4 + 20 / (before + after)


def least_step(before: int, after: int) -> float:
    return max(LEAST_CHANGE, _LEAST_STEP * (before + after) / (before * after))


def score_split(points: Sequence[float], before: int, noise: float = RUN_NOISE) -> SplitScore:
    """Compare the first ``before`` of at least three logarithms with the rest; ``noise`` is the prior."""
    return _Levels(points, before, noise).score()


def score_if_apart(points: Sequence[float], before: int, noise: float = RUN_NOISE) -> SplitScore | None:
    """The same; None for parts that are not apart, at a fraction of the cost."""
    older, newer = points[:before], points[before:]
    widest = max(max(newer) - min(older), max(older) - min(newer))  # a level is within its part
    if widest < least_step(before, len(newer)):
        return None
    levels = _Levels(points, before, noise)
    return levels.score() if levels.is_apart else None


def smallest_change(points: Sequence[float], noise: float = RUN_NOISE) -> float:
    """The smallest step, of logarithms, that this noise would let us find amid the points; infinite if none."""
    count = len(points)
    splits = [split for split in {count // 2, count - 5} if LEAST_RUNS <= split <= count - LEAST_RUNS]
    return min((_smallest_at(score_split(points, split, noise)) for split in splits), default=math.inf)


def _smallest_at(split: SplitScore) -> float:
    degrees = _degrees(split.before + split.after)
    corrected = limit(split.before, split.after) * (8 * degrees + 3) / (8 * degrees + 1)
    t = math.sqrt(degrees * math.expm1(corrected**2 / degrees))
    error = _standard_error(split.scale, split.correlation, split.before, split.after)
    return max(t * error, least_step(split.before, split.after))


# --- The score -----------------------------------------------------------------------------------------------------


class _Levels:
    """Of two parts, and how clearly they are apart. The score takes as long again, and few splits need it."""

    def __init__(self, points: Sequence[float], before: int, noise: float) -> None:
        self.before, self.after = before, len(points) - before
        ordered = sorted(points[:before]), sorted(points[before:])
        middles = _middle(ordered[0]), _middle(ordered[1])
        residuals = (
            [value - middles[0] for value in points[:before]],
            [value - middles[1] for value in points[before:]],
        )
        count, self._degrees = len(points), _degrees(len(points))
        deviation = _NORMAL_MAD * _middle(sorted(map(abs, chain(*residuals))))
        deviation *= math.sqrt(count / (count - 2))
        self._prior = _SCALE_WEIGHT * noise**2
        room = _CLIP * math.sqrt((self._prior + (count - 2) * deviation**2) / self._degrees)
        older, newer = (_centred(_winsorised(part, room)) for part in residuals)
        self._residuals = older[0], newer[0]
        levels = middles[0] + older[1], middles[1] + newer[1]
        self.size, halfway = levels[1] - levels[0], sum(levels) / 2
        self.astray_before = _count_above(ordered[0], halfway, self.size)
        self.astray_after = _count_above(ordered[1], halfway, -self.size)

    @property
    def is_apart(self) -> bool:
        return (
            self.before - self.astray_before >= LEAST_RUNS
            and self.after - self.astray_after >= LEAST_RUNS
            and self.astray_before <= max(1, _most_astray(self.before))
            and self.astray_after <= _most_astray(self.after)
            and abs(self.size) >= least_step(self.before, self.after)
        )

    def score(self) -> SplitScore:
        squares = sum(sum(map(mul, part, part)) for part in self._residuals)
        products = sum(sum(map(mul, part, part[1:])) for part in self._residuals)
        variance = (self._prior + squares) / self._degrees
        correlation = _correlation(squares, products, variance)
        scale = math.sqrt(variance)
        error = _standard_error(scale, correlation, self.before, self.after)
        return SplitScore(
            score=_score(self.size / error, self._degrees),
            size=self.size,
            scale=scale,
            correlation=correlation,
            before=self.before,
            after=self.after,
            astray_before=self.astray_before,
            astray_after=self.astray_after,
            is_apart=self.is_apart,
        )


def _middle(ordered: Sequence[float]) -> float:
    """The median of values that are sorted already."""
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _winsorised(residuals: list[float], room: float) -> list[float]:
    if max(residuals) <= room and min(residuals) >= -room:
        return residuals
    return [value if abs(value) <= room else math.copysign(room, value) for value in residuals]


def _centred(values: Sequence[float]) -> tuple[list[float], float]:
    mean = sum(values) / len(values)
    return [value - mean for value in values], mean


def _count_above(ordered: Sequence[float], limit: float, direction: float) -> int:
    """Above ``limit`` or, where the direction is negative, below it; of sorted values."""
    return len(ordered) - bisect_right(ordered, limit) if direction > 0 else bisect_left(ordered, limit)


def _degrees(count: int) -> int:
    return _SCALE_WEIGHT + count - 2


def _correlation(squares: float, products: float, variance: float) -> float:
    """Of neighbours: the prior, and the residuals, whose own means hide two runs' worth of it."""
    prior = _CORRELATION_WEIGHT * _CORRELATION * variance
    estimate = (products + 2 * variance + prior) / (squares + _CORRELATION_WEIGHT * variance)
    return min(max(estimate, 0.0), _MOST_CORRELATION)


def _standard_error(scale: float, correlation: float, before: int, after: int) -> float:
    machine = max(0.0, 1 - (_OWN_NOISE / scale) ** 2)
    inflated = 0.0
    for count in (before, after):
        wandering = 1 + (_inflation(count, _WANDER) - 1) * machine
        inflated += max(_inflation(count, correlation), wandering) / count
    return scale * math.sqrt(inflated)


def _inflation(count: int, correlation: float) -> float:
    """The variance of a mean of ``count`` values of an AR(1) process, over that of independent ones."""
    if not correlation:
        return 1.0
    rest = 1 - correlation
    return (1 + correlation) / rest - 2 * correlation * (1 - correlation**count) / (count * rest**2)


def _score(t: float, degrees: int) -> float:
    """The standard normal score of Student's t, by Wallace's approximation (1959); accurate far out in the tail."""
    return math.sqrt(degrees * math.log1p(t * t / degrees)) * (8 * degrees + 1) / (8 * degrees + 3)
