"""The sequential test of a mean, by betting (Waudby-Smith and Ramdas 2024).

Someone who bets again and again that the mean is over a limit, at fair odds if it is exactly at it, multiplies the
stake by 20 or more with a probability of at most 1/20 if it is not over it (Ville 1939), whenever one stops. Several
sizes of the bet are played side by side.

Latencies have no upper bound, and without one no such test exists. A bet on "over" may count a latency for less than
it was, at most for three times the limit: what it shows is true all the more without that cap. A bet on "under" may
not. There the cap is the largest latency so far, and the stake is kept so small that another of that size costs at
most 95% of it. What it cannot guard against is a kind of outlier that did not occur yet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from perfcheck.model import Limits, Verdict
from perfcheck.stats.quantiles import mean
from perfcheck.stats.sequential import (
    ALPHA,
    CLAIMS,
    HOPELESS,
    LEAST_SAMPLES,
    LOOKS,
    OVER_CRITICAL,
    OVER_WARNING,
    UNDER_CRITICAL,
    UNDER_WARNING,
    USUAL,
    Levels,
)

_BETS = (0.1, 0.3, 0.6, 0.95)
_WEIGHTS = (0.2, 0.25, 0.25, 0.3)
_CAP = 3.0  # times the limit
_MOST = 1e6  # times the limit: as good as infinite, and fit to calculate with
_FAR = 1000.0  # times the typical latency: where the search for the ends of the interval begins
_HALVINGS = 17  # of that range, which leaves one part in 10,000


class Bets:
    """The winnings of all bets on a mean over ``limit_ms``, and of those on a mean under it."""

    __slots__ = ("_down", "_limit_ms", "_most", "_up")

    def __init__(self, limit_ms: float) -> None:
        self._limit_ms = limit_ms
        self._up = self._down = _WEIGHTS
        self._most = _CAP

    def add(self, latency_ms: float) -> None:
        ratio = min(latency_ms / self._limit_ms, _MOST) if self._limit_ms < math.inf else 0.0
        gain = min(ratio, _CAP) - 1
        loss = (min(ratio, self._most) - 1) / (self._most - 1)
        self._most = max(self._most, ratio)
        (a, b, c, d), (up_a, up_b, up_c, up_d), (down_a, down_b, down_c, down_d) = _BETS, self._up, self._down
        self._up = (up_a * (1 + a * gain), up_b * (1 + b * gain), up_c * (1 + c * gain), up_d * (1 + d * gain))
        self._down = (
            down_a * (1 - a * loss),
            down_b * (1 - b * loss),
            down_c * (1 - c * loss),
            down_d * (1 - d * loss),
        )

    @property
    def over(self) -> float:
        """Evidence that the mean is over the limit: an e-value."""
        return sum(self._up)

    @property
    def under(self) -> float:
        """Evidence that the mean is under the limit: an e-value."""
        return sum(self._down)


class MeanTest:
    """The test of the mean, with the same methods as :class:`~perfcheck.stats.sequential.QuantileTest`."""

    def __init__(self, limits: Limits, looks: int = LOOKS, levels: Levels = USUAL) -> None:
        self._warning = Bets(limits.warning_ms)
        self._critical = Bets(limits.critical_ms)
        self._enough = {
            UNDER_WARNING: 1 / levels.under.alpha,
            OVER_WARNING: 1 / levels.warning,
            UNDER_CRITICAL: 1 / levels.under.alpha,
            OVER_CRITICAL: 1 / levels.critical,
        }
        self._latencies: list[float] = []
        self._shown = 0
        self.limits = limits
        self.looks = looks
        self.count = 0
        self.decided: Verdict | None = None

    def add(self, latency_ms: float) -> None:
        self._latencies.append(latency_ms)
        self.count += 1
        self._warning.add(latency_ms)
        self._critical.add(latency_ms)
        for claim, won in self._winnings().items():
            if won >= self._enough[claim]:
                self._shown |= claim
        if self._shown:
            verdict = self.limits.classify(self.estimate())
            claim = CLAIMS[verdict]
            self.decided = verdict if self._shown & claim == claim else None

    def _winnings(self) -> dict[int, float]:
        return {
            UNDER_WARNING: self._warning.under,
            OVER_WARNING: self._warning.over,
            UNDER_CRITICAL: self._critical.under,
            OVER_CRITICAL: self._critical.over,
        }

    @property
    def least(self) -> int:
        return LEAST_SAMPLES

    def estimate(self) -> float:
        return mean(self._latencies)

    def interval(self) -> tuple[float | None, float | None]:
        """The limits that no bet refutes by now. Winnings are monotone in the limit: each end is found by halving."""
        if not self.count:
            return None, None
        typical = sorted(self._latencies)[self.count // 2]
        if not 0 < typical < math.inf:
            return None, None
        far_below, far_above = typical / _FAR, typical * _FAR
        low = _edge(self._latencies, refuted=far_below, inside=far_above, over=True)
        if math.inf in self._latencies:
            return low, None
        return low, _edge(self._latencies, refuted=far_above, inside=far_below, over=False)

    def more_requests(self) -> int | None:
        """Winnings are taken to go on growing by the factor per request that they grew by so far."""
        if self.decided or not self.count:
            return None
        missing = CLAIMS[self.limits.classify(self.estimate())] & ~self._shown
        more = 1
        for claim, won in self._winnings().items():
            if missing & claim:
                if won <= 1:
                    return None
                needed = self.count * math.log(self._enough[claim]) / math.log(won)
                more = max(more, math.ceil(needed) - self.count)
        return more if more <= HOPELESS else None


def _edge(latencies: Sequence[float], *, refuted: float, inside: float, over: bool) -> float | None:
    """The limit between ``refuted`` and ``inside`` where the evidence against it fades; None when all are possible."""

    def is_refuted(limit_ms: float) -> bool:
        bets = Bets(limit_ms)
        for latency in latencies:
            bets.add(latency)
        return (bets.over if over else bets.under) >= 1 / ALPHA

    if not is_refuted(refuted):
        return None
    for _ in range(_HALVINGS):
        middle = math.sqrt(refuted * inside)
        if is_refuted(middle):
            refuted = middle
        else:
            inside = middle
    return refuted
