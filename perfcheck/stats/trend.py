"""The changes of a series of measurements, and where it stands at its end: what ``find_trend`` finds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from perfcheck.model import change_ratio
from perfcheck.stats.drift import Drift
from perfcheck.stats.split_score import LEAST_CHANGE

CHANGE_THAT_MATTERS = 2.0  # or as much faster: "no change" is said only where such a one would have been found
MOST_RUNS_OF_INCIDENT = 10


@dataclass(frozen=True, slots=True)
class Step:
    """A level that changed from one run to the next. ``index`` is the first point of the new level."""

    index: int
    score: float  # of the split, in standard deviations: see split_score
    before: float  # median of the level before, in the unit of the series
    after: float
    error_probability: float  # at most, that chance alone gave such a score somewhere in the window

    @property
    def ratio(self) -> float:
        """1.1: 10% more than before."""
        return change_ratio(self.after, self.before)


@dataclass(frozen=True, slots=True)
class FormingStep:
    """The newest runs differ from those before, which may still be chance. ``index`` is the first of them."""

    index: int
    before: float
    after: float
    runs_needed: int  # at the newer level, until it is shown

    @property
    def ratio(self) -> float:
        return change_ratio(self.after, self.before)


class TrendState(StrEnum):
    """Where a series stands at its end."""

    NONE = "none"  # no change, and one that matters would have been found
    STEP = "step"
    DRIFT = "drift"
    INCIDENT = "incident"  # worse and back within 10 runs
    RESOLVED = "resolved"  # back at the level before an earlier step
    CANNOT_TELL = "cannot tell yet"


@dataclass(frozen=True, slots=True)
class Trend:
    """The changes in a series, over all its points."""

    steps: tuple[Step, ...] = ()
    drift: Drift | None = None  # since the last step
    forming: FormingStep | None = None  # since the last step
    smallest_ratio: float = math.inf  # the smallest change since the last step that would have been found
    runs_needed: int | None = None  # until it is conclusive; None where it can, or where 60 do not suffice
    more_is_better: bool = False  # of a capacity: what is worse is a step down

    @property
    def is_conclusive(self) -> bool:
        """Whether the runs since the last step are enough for a change that matters, and agree with each other."""
        return self.drift is not None or (self.forming is None and self.smallest_ratio <= CHANGE_THAT_MATTERS)

    @property
    def state(self) -> TrendState:
        if self.forming is not None:
            return TrendState.CANNOT_TELL
        if self.drift is not None:
            return TrendState.DRIFT
        if self.steps:
            return self._after_steps()
        return TrendState.NONE if self.is_conclusive else TrendState.CANNOT_TELL

    def _after_steps(self) -> TrendState:
        """The last step, seen with those before it that it undid."""
        last = self.steps[-1]
        undone = [step for step in self.steps[:-1] if _is_same(last.after, step.before)]
        if not undone or (last.ratio > 1) is not self.more_is_better:
            return TrendState.STEP
        is_short = last.index - undone[-1].index <= MOST_RUNS_OF_INCIDENT
        return TrendState.INCIDENT if is_short else TrendState.RESOLVED


def _is_same(level: float, other: float) -> bool:
    if not level or not other:
        return level == other
    return abs(math.log(level / other)) <= LEAST_CHANGE
