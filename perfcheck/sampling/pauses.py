"""Pauses that spread the requests of an endpoint, since neighbouring ones share what briefly slows the machine."""

from __future__ import annotations

from perfcheck.model import Metric

_SHORT_PAUSE_S = 1.0  # before a stage that measures again
_PAUSE_S = 3.0  # where a burst is part of what is judged: tails, means, failures
_GAP_S = 0.1  # in the first stage, after
_WITHOUT_GAP = 10  # samples
_FIRST_GAP_S = 0.75  # when measured again, between the
_SPREAD = 16  # first samples, and then
_LATER_GAP_S = 0.15
_TAILS = frozenset({Metric.P90, Metric.P95, Metric.P99})
_MIDDLE = frozenset({Metric.MEDIAN, Metric.P75})


def pause_s(metric: Metric, *, fails: bool) -> float:
    """Seconds to pause before a stage that measures again; ``fails``: because too many requests failed."""
    return _SHORT_PAUSE_S if metric in _MIDDLE and not fails else _PAUSE_S


def gap_s(metric: Metric, stage: int, requests: int) -> float:
    """Seconds to pause after ``requests`` judged requests of ``stage`` (1 is the first)."""
    if metric in _TAILS:
        return 0.0
    if stage == 1:
        return 0.0 if requests < _WITHOUT_GAP else _GAP_S
    return _FIRST_GAP_S if requests < _SPREAD else _LATER_GAP_S
