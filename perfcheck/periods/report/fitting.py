"""A report with as much of each list as there is room for: what is weightiest comes first in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from perfcheck.periods.model import LatencyChange, PeriodReport

_MOST = (100, 40, 15, 5, 1)  # items of every list

T = TypeVar("T")


def shorter(report: PeriodReport) -> Iterator[tuple[PeriodReport, int]]:
    """The report with less and less in it, and how many items are left out."""
    for most in _MOST:
        cut = _Cut(most)
        yield cut.report(report), cut.left_out


@dataclass(slots=True)
class _Cut:
    most: int
    left_out: int = 0

    def report(self, report: PeriodReport) -> PeriodReport:
        return replace(
            report,
            endpoints=self._first(report.endpoints),
            regressions=self._changes(report.regressions),
            improvements=self._changes(report.improvements),
            drifts=self._changes(report.drifts),
            consistency=self._first(report.consistency),
            slow=self._first(report.slow),
            recoveries=self._first(report.recoveries),
            new=self._first(report.new),
            gone=self._first(report.gone),
            other_notes=self._first(report.other_notes),
            baseline=replace(report.baseline, changes=self._first(report.baseline.changes)),
            focus=self._first(report.focus),
        )

    def _first(self, items: tuple[T, ...]) -> tuple[T, ...]:
        self.left_out += max(0, len(items) - self.most)
        return items[: self.most]

    def _changes(self, items: tuple[LatencyChange, ...]) -> tuple[LatencyChange, ...]:
        return tuple(replace(one, notes=self._first(one.notes)) for one in self._first(items))
