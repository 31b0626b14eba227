"""How long an endpoint rests before it is asked again. Pure: no clock here.

Machines stall in bursts, and neighbouring samples are alike. In the first stage a healthy endpoint shall cost next to
nothing, so its first samples follow one another. One that looks slow is measured again after a pause that most bursts
do not outlast, and so spread out that five samples in a row take as long as a burst of three seconds.

A tail (p90 and up) is asked without a gap throughout. A burst is part of the tail that is being judged, and samples
that are spread out meet more of the bursts than they can weigh.
"""

from __future__ import annotations

from perfcheck.model import Metric

PAUSE_S = 3.0  # before a stage that measures again
_GAP_S = 0.1  # in the first stage, after
_WITHOUT_GAP = 10  # samples
_FIRST_GAP_S = 0.75  # when measured again, between the
_SPREAD = 16  # first samples, and then
_LATER_GAP_S = 0.15
_TAILS = frozenset({Metric.P90, Metric.P95, Metric.P99})


def gap_s(metric: Metric, stage: int, requests: int) -> float:
    """Seconds to rest after ``requests`` judged requests of ``stage`` (1 is the first)."""
    if metric in _TAILS:
        return 0.0
    if stage == 1:
        return 0.0 if requests < _WITHOUT_GAP else _GAP_S
    return _FIRST_GAP_S if requests < _SPREAD else _LATER_GAP_S
