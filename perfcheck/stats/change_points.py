"""What the search for changes in a series finds: steps from one level to another, and slow drift."""

from __future__ import annotations

from dataclasses import dataclass


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
class Drift:
    """A level that moves slowly, run by run, with no step in it. ``index`` is where it began."""

    index: int
    before: float  # where the fitted line begins, in the unit of the series
    after: float  # where it ends

    @property
    def ratio(self) -> float:
        return self.after / self.before


@dataclass(frozen=True, slots=True)
class Trend:
    """What became of a series, over all its points."""

    steps: tuple[Step, ...] = ()
    drift: Drift | None = None  # since the last step
