"""What a weekly review goes through, each point answered from the data."""

from __future__ import annotations

from collections.abc import Iterator

from perfcheck.model import Changed
from perfcheck.periods.model import ChangeKind, PeriodKind, PeriodReport
from perfcheck.periods.report.wording import named, some

_ERRORS = 0.01  # of the requests: what the document of the weekly review calls a warning
_REVIEWS = (PeriodKind.DAY, PeriodKind.WEEK)


def is_review(report: PeriodReport) -> bool:
    """A short period is gone through point by point; a longer one is reported on in chapters."""
    return report.period.kind in _REVIEWS


def checklist(report: PeriodReport) -> Iterator[tuple[str, str]]:
    """Label and answer."""
    yield "Slow endpoints", _slow(report)
    yield "Trends", _trends(report)
    yield "Degradation", _degradation(report)
    yield "New endpoints", _new(report)
    yield "Documentation", _documentation(report)


def _slow(report: PeriodReport) -> str:
    if not report.slow:
        return "none over its limits in its newest run"
    names = named([one.endpoint for one in report.slow])
    return f"{len({one.endpoint for one in report.slow})} over their limits in their newest run: {names}"


def _trends(report: PeriodReport) -> str:
    kinds = [one.kind for one in (*report.regressions, *report.improvements, *report.drifts)]
    parts = [
        f"{kinds.count(ChangeKind.REGRESSION)} up",
        f"{kinds.count(ChangeKind.IMPROVEMENT)} down",
        f"{len(report.drifts)} drifting",
    ]
    return f"{some(len(report.endpoints), 'series', 'series')} read: {', '.join(parts)}"


def _degradation(report: PeriodReport) -> str:
    slower = [one.name for one in report.endpoints if one.changed is Changed.SLOWER]
    spread = [one.endpoint for one in report.consistency if one.ratio > 1]
    failing = [one.name for one in report.endpoints if (one.error_rate or 0.0) > _ERRORS]
    parts = [("slower", slower), ("less consistent", spread), ("errors over 1%", failing)]
    told = [f"{what}: {named(names)}" for what, names in parts if names]
    return "; ".join(told) if told else "none in latency, consistency or error rate"


def _new(report: PeriodReport) -> str:
    if not report.new:
        return "none"
    unseen = [one.endpoint for one in report.new if one.is_monitored is False]
    bare = [one.endpoint for one in report.new if not one.has_target]
    told = [named([one.endpoint for one in report.new])]
    told += [f"not seen by the monitor: {named(unseen)}"] if unseen else []
    told += [f"without a target: {named(bare)}"] if bare else []
    return "; ".join(told)


def _documentation(report: PeriodReport) -> str:
    unwritten = [one.endpoint for one in report.regressions if not one.notes]
    moved = {one.endpoint for one in report.baseline.changes}
    behind = [one.endpoint for one in report.improvements if one.endpoint not in moved]
    told = [f"{some(len(moved), 'endpoint')} with new targets: {named(sorted(moved))}"] if moved else []
    told += [f"regressions without a note: {named(unwritten)}"] if unwritten else []
    told += [f"faster than when their targets were set: {named(behind)}"] if behind else []
    return "; ".join(told) if told else "nothing to update"
