"""What became of a series of measurements: steps from one level to another, and slow drift.

After every point the last 60 since the last step are split in two at every place, and the parts compared by ranks
(Mann and Whitney). A score over 4 standard deviations, with medians that differ by 5%, says that the level moved.
Whether it did so at once or slowly is told by what fits better, a step or a ramp: by a likelihood ratio of e^4 at
least. After a step all begins anew at its place; a drift goes on until a step ends it.

What is told about a series up to a point may be told otherwise when more points are there: the place of a step becomes
sharper, and what looked like a small step may turn out to have been the beginning of a drift.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from statistics import NormalDist, median

from perfcheck.stats.change_points import Step, Trend
from perfcheck.stats.drift import LEAST_CHANGE, SHORTEST_DRIFT, find_drift
from perfcheck.stats.fits import Fits, gain
from perfcheck.stats.splits import Window

WINDOW = 60
LEAST_BEFORE, LEAST_AFTER = 10, 5
SCORE = 4.0
_CLEARLY = 4.0  # logarithm of a likelihood ratio
_STEP_IN_DRIFT = 12.0  # more, since it is looked for at every place for as long as the drift goes on
_MEMORY = 600  # points that a drift is told from a step by
_SHARPEN = 8  # points on each side where the place of a step is looked for once more
_LOOKS = 36.0  # independent tests that a level watched for one window is worth, at most: see error_probability
_NORMAL = NormalDist()


def find_trend(values: Sequence[float]) -> Trend:
    """Steps and drift of a series of positive values in any unit, one a run, in order of time.

    A 0 is taken for half the smallest positive value, infinity for twice the largest finite one. Meant to be called
    after every run with all values so far.
    """
    logs = logarithms(values)
    fits = Fits(logs)
    places, doubtful = _places(logs, fits)
    steps = tuple(_steps(logs, fits, places))
    drift = find_drift(logs, fits, steps[-1].index if steps else 0)
    if drift is None and doubtful is not None and not places:  # the level moved, and no drift tells it
        steps = tuple(_steps(logs, fits, [doubtful]))
    return Trend(steps, drift)


def logarithms(values: Sequence[float]) -> list[float]:
    finite = [value for value in values if 0 < value < math.inf]
    least = max(min(finite, default=1.0) / 2, sys.float_info.min)
    most = min(2 * max(finite, default=1.0), sys.float_info.max)
    return [math.log(min(max(value, least), most)) for value in values]


def _places(logs: Sequence[float], fits: Fits) -> tuple[list[tuple[int, float]], tuple[int, float] | None]:
    """Where the steps are, with their scores; and where the latest runs have one that may be a drift as well."""
    places: list[tuple[int, float]] = []
    doubtful: tuple[int, float] | None = None
    start = end = next_look = 0
    window = _window()
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
        window = _window()
    return places, doubtful


def _window() -> Window:
    return Window(WINDOW, LEAST_BEFORE, LEAST_AFTER)


def _moved(window: Window) -> float:
    """The score of the best split when it says that the level moved, else 0."""
    score, split = window.best()
    if score <= SCORE:
        return 0.0
    moved = abs(median(window.points[split:]) - median(window.points[:split]))
    return score if moved >= LEAST_CHANGE else 0.0


def _place(fits: Fits, start: int, window_start: int, end: int, *, final: bool) -> int | None:
    """The place of the step, if the level moved in one. ``final``: no more points will come to tell."""
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
    """Sharpens the places with the points that came since, and takes the levels between them."""
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
    """At most, that a level that never moved shows ``score`` or more at some split after some of its first 60 points.

    Looking again and again at every split is worth so many independent tests: of 200,000 simulated series of 60
    independent points 391 came to 4.0 or more, which is 31 +- 2 times the normal probability of 4.0 on two sides, 24
    times at 4.25 and 17 times at 4.5. It is less the higher the score, since ranks have shorter tails. Neighbouring
    points that are alike make false changes more likely than this.
    """
    return min(1.0, _LOOKS * 2 * _NORMAL.cdf(-score))
