"""What became of a series of measurements: steps from one level to another, and slow drift.

After every point the last 60 since the last step are split in two at every index, and the parts compared by ranks
(Mann and Whitney). A score over 4 standard deviations, with medians that differ by 5%, shows that the level moved.
Whether it did so at once or slowly is decided by what fits better, a step or a ramp, with a likelihood ratio of at
least e^4. After a step the search starts anew at its index; a drift goes on until a step ends it.

The result for a series may be revised when more points arrive: the index of a step becomes sharper, and what looked
like a small step may turn out to have been the beginning of a drift.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, combinations
from statistics import NormalDist, median

from perfcheck.stats.piecewise_fits import Fits, gain

LEAST_CHANGE = math.log(1.05)
SHORTEST_DRIFT = 30  # points
_SCORE = 5.0  # of Mann and Kendall's test; more than the 4 of a step, since neighbouring runs are correlated
_BLOCKS = 120  # medians of neighbours that the slope of a long series is taken from


@dataclass(frozen=True, slots=True)
class Drift:
    """A level that moves slowly, run by run, with no step in it. ``index`` is where it began."""

    index: int
    before: float  # where the fitted line begins, in the unit of the series
    after: float  # where it ends

    @property
    def ratio(self) -> float:
        return self.after / self.before


def find_drift(logs: Sequence[float], fits: Fits, start: int) -> Drift | None:
    """The drift of logarithms since ``start``, the first point or the last step.

    It takes a ramp that fits clearly better than any step, a rise or fall by ranks beyond chance, and 5% from its
    beginning to its end.
    """
    end = len(logs)
    if end - start < SHORTEST_DRIFT:
        return None
    ramp = fits.ramp(start, end, SHORTEST_DRIFT)
    step = fits.step(start, end, 1, 1)
    if abs(ramp.size) < LEAST_CHANGE or gain(step, ramp, end - start) < _CLEARLY:
        return None
    points = logs[ramp.at :]
    if abs(kendall_score(points)) < _SCORE:
        return None
    before, after = fitted_line(points)
    if abs(after - before) < LEAST_CHANGE:
        return None
    return Drift(ramp.at, math.exp(before), math.exp(after))


def kendall_score(values: Sequence[float]) -> float:
    """The score of Mann and Kendall's test for a rise (positive) or a fall, in standard deviations."""
    earlier: list[float] = []
    rises = 0
    for value in values:
        rises += bisect_left(earlier, value) - (len(earlier) - bisect_right(earlier, value))
        insort(earlier, value)
    count = len(values)
    return rises / math.sqrt(count * (count - 1) * (2 * count + 5) / 18)


def fitted_line(values: Sequence[float]) -> tuple[float, float]:
    """Theil and Sen's line at the first and at the last of at least two values: the median of all slopes.

    For a long series those between the medians of short stretches.
    """
    length = math.ceil(len(values) / _BLOCKS)
    stretches = [values[i : i + length] for i in range(0, len(values), length)]
    points, at = [], 0
    for stretch in stretches:
        points.append((at + (len(stretch) - 1) / 2, median(stretch)))
        at += len(stretch)
    slope = median((b - a) / (y - x) for (x, a), (y, b) in combinations(points, 2))
    level = median(value - slope * i for i, value in enumerate(values))
    return level, level + slope * (len(values) - 1)


WINDOW = 60
LEAST_BEFORE, LEAST_AFTER = 10, 5
SCORE = 4.0
_CLEARLY = 4.0  # logarithm of a likelihood ratio
_STEP_IN_DRIFT = 12.0  # more, since it is looked for at every index for as long as the drift goes on
_MEMORY = 600  # points that separate a drift from a step
_SHARPEN = 8  # points on each side in which the index of a step is refined
_LOOKS = 36.0  # independent tests that a level watched for one window is worth, at most: see error_probability
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Step:
    """A level that changed from one run to the next. ``index`` is the first point of the new level."""

    index: int
    score: float  # |z| of the rank test at the split, in standard deviations
    before: float  # median of the level before, in the unit of the series
    after: float
    error_probability: float  # at most, that chance alone gave such a score somewhere in the window

    @property
    def ratio(self) -> float:
        """1.1: 10% more than before."""
        return self.after / self.before


@dataclass(frozen=True, slots=True)
class Trend:
    """The changes in a series, over all its points."""

    steps: tuple[Step, ...] = ()
    drift: Drift | None = None  # since the last step


def find_trend(values: Sequence[float]) -> Trend:
    """Steps and drift of a series of positive values in any unit, one per run, in order of time.

    A 0 counts as half the smallest positive value, infinity as twice the largest finite one. Meant to be called after
    every run with all values so far.
    """
    logs = logarithms(values)
    fits = Fits(logs)
    places, doubtful = _places(logs, fits)
    steps = tuple(_steps(logs, fits, places))
    drift = find_drift(logs, fits, steps[-1].index if steps else 0)
    if drift is None and doubtful is not None and not places:  # the level moved, and no drift explains it
        steps = tuple(_steps(logs, fits, [doubtful]))
    return Trend(steps, drift)


def logarithms(values: Sequence[float]) -> list[float]:
    finite = [value for value in values if 0 < value < math.inf]
    least = max(min(finite, default=1.0) / 2, sys.float_info.min)
    most = min(2 * max(finite, default=1.0), sys.float_info.max)
    return [math.log(min(max(value, least), most)) for value in values]


def _places(logs: Sequence[float], fits: Fits) -> tuple[list[tuple[int, float]], tuple[int, float] | None]:
    """Index and score of each step; and of one in the latest runs that may be a drift as well."""
    places: list[tuple[int, float]] = []
    doubtful: tuple[int, float] | None = None
    start = end = next_look = 0
    window = Window()
    while end < len(logs):
        window.add(logs[end])
        end += 1
        score = _moved(window)
        if not score or (end < next_look and end < len(logs)):
            continue
        at = _place(fits, start, end - len(window.points), end, final=end == len(logs))
        if at is None:
            if end == len(logs):
                doubtful = fits.step(end - len(window.points), end, LEAST_BEFORE, LEAST_AFTER).at, score
            next_look = end + (end - max(start, end - _MEMORY)) // 40
            continue
        places.append((at, score))
        start = end = next_look = at
        window = Window()
    return places, doubtful


def _moved(window: Window) -> float:
    """The score of the best split when it shows that the level moved, else 0."""
    score, split = window.best()
    if score <= SCORE:
        return 0.0
    moved = abs(median(window.points[split:]) - median(window.points[:split]))
    return score if moved >= LEAST_CHANGE else 0.0


def _place(fits: Fits, start: int, window_start: int, end: int, *, final: bool) -> int | None:
    """The index of the step, if the level moved in one. ``final``: no more points will come."""
    step = fits.step(window_start, end, LEAST_BEFORE, LEAST_AFTER)
    least = 0.0 if final else _CLEARLY
    from_start = max(start, end - _MEMORY)
    ramp = fits.ramp(from_start, end, SHORTEST_DRIFT)
    whole = fits.step(from_start, end, LEAST_BEFORE, LEAST_AFTER)
    near = fits.ramp(window_start, end, SHORTEST_DRIFT)
    if gain(near, step, end - window_start) >= least and gain(ramp, whole, end - from_start) >= least:
        return step.at
    jump = fits.step_on_line(from_start, end, LEAST_BEFORE, LEAST_AFTER)
    in_drift = gain(ramp, jump, end - from_start) >= _STEP_IN_DRIFT and abs(jump.size) >= LEAST_CHANGE
    return jump.at if in_drift else None


def _steps(logs: Sequence[float], fits: Fits, places: Sequence[tuple[int, float]]) -> list[Step]:
    """Refines each index with the points that came since, and takes the levels between them."""
    borders = [0, *(at for at, _ in places), len(logs)]
    for i in range(1, len(borders) - 1):
        borders[i] = _sharpened(fits, borders[i - 1], borders[i], borders[i + 1])
    steps = []
    for i, (_, score) in enumerate(places, start=1):
        at = borders[i]
        before = median(logs[max(borders[i - 1], at - WINDOW) : at])
        after = median(logs[at : min(borders[i + 1], at + WINDOW)])
        if abs(after - before) >= LEAST_CHANGE:
            steps.append(Step(at, score, math.exp(before), math.exp(after), error_probability(score)))
    return steps


def _sharpened(fits: Fits, low: int, at: int, high: int) -> int:
    low, high = max(low, at - WINDOW // 2), min(high, at + WINDOW // 2)
    room_before, room_after = max(1, at - low - _SHARPEN), max(1, high - at - _SHARPEN)
    return fits.step(low, high, room_before, room_after).at


def error_probability(score: float) -> float:
    """The most likely a level that never moved is to show ``score`` or more at any split of its first 60 points.

    Looking at every split after every point is worth this many independent tests: of 200,000 simulated series of 60
    independent points 391 reached 4.0, which is 31 +- 2 times the two-sided normal probability of 4.0, 24 times at 4.25
    and 17 times at 4.5. It is less the higher the score, since ranks have shorter tails. Autocorrelation makes false
    changes more likely than this.
    """
    return min(1.0, _LOOKS * 2 * _NORMAL.cdf(-score))


# --- Ranks of the two parts ----------------------------------------------------------------------------------------


class Window:
    """The latest ``most`` points. Adding one, and dropping the oldest, takes time in proportion to their number.

    ``_sums[k - 1]`` is, for the split with ``k`` points before it, the sum of ``sign(later - earlier)`` over all pairs
    across it.
    """

    def __init__(self, most: int = WINDOW, before: int = LEAST_BEFORE, after: int = LEAST_AFTER) -> None:
        """Parts have at least ``before`` and ``after`` points."""
        self._most, self._before, self._after = most, before, after
        self._sums: list[int] = []
        self.points: list[float] = []

    def add(self, value: float) -> None:
        if len(self.points) == self._most:
            self._drop_oldest()
        rises = list(accumulate((value > earlier) - (value < earlier) for earlier in self.points))
        self._sums.append(0)
        self._sums = [total + rise for total, rise in zip(self._sums, rises, strict=False)]
        self.points.append(value)

    def _drop_oldest(self) -> None:
        oldest = self.points.pop(0)
        rises = list(accumulate((value > oldest) - (value < oldest) for value in reversed(self.points)))
        rises.reverse()  # rises[k - 1]: of all points behind the split that had k points before it
        self._sums = [total - rise for total, rise in zip(self._sums[1:], rises[1:], strict=True)]

    def best(self) -> tuple[float, int]:
        """The highest score over all splits, in standard deviations, and the points before it; 0 for too few points.

        For two equal parts the sum has a mean of 0 and a variance of ``m n (m + n + 1) / 3``, ties aside.
        """
        count = len(self.points)
        if count < self._before + self._after:
            return 0.0, 0
        splits = range(self._before, count - self._after + 1)
        weights = _weights(count, self._before, self._after)
        return max(
            (abs(total) * weight, split)
            for total, weight, split in zip(self._sums[self._before - 1 :], weights, splits, strict=False)
        )


@lru_cache(maxsize=128)
def _weights(count: int, before: int, after: int) -> list[float]:
    return [1 / math.sqrt(k * (count - k) * (count + 1) / 3) for k in range(before, count - after + 1)]
