"""The sequential test of a mean, by betting (Waudby-Smith and Ramdas 2024).

Someone who bets again and again that the mean is over a limit, at fair odds if it is exactly at it, multiplies the
stake by 20 or more with a probability of at most 1/20 if it is not over it (Ville 1939): at whatever moment one stops.
Several sizes of the bet are played side by side.

Latencies have no upper bound, and without one no such test exists. So a latency counts for at most three times the
limit: what is shown to be over a limit is over it all the more without that cap, while "under the limit" speaks of
the capped mean, and the point estimate, which has no cap, must agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from perfcheck.judge.limits import Limits
from perfcheck.judge.quantiles import mean
from perfcheck.judge.sequential import (
    CLAIMS,
    HOPELESS,
    LOOKS,
    OVER_CRITICAL,
    OVER_WARNING,
    UNDER_CRITICAL,
    UNDER_WARNING,
)
from perfcheck.model import Verdict

_BETS = (0.1, 0.3, 0.6, 0.95)
_WEIGHTS = (0.2, 0.25, 0.25, 0.3)
_CAP = 3.0  # times the limit
_ENOUGH = 20.0  # 1 / alpha
_HALVINGS = 50  # of the search for the ends of the interval


class Bets:
    """The winnings of all bets on a mean over ``limit_ms``, and of those on a mean under it."""

    __slots__ = ("_down", "_limit_ms", "_up")

    def __init__(self, limit_ms: float) -> None:
        self._limit_ms = limit_ms
        self._up = list(_WEIGHTS)
        self._down = list(_WEIGHTS)

    def add(self, latency_ms: float) -> None:
        gain = min(latency_ms / self._limit_ms, _CAP) - 1 if math.isfinite(self._limit_ms) else -1.0
        for i, bet in enumerate(_BETS):
            self._up[i] *= 1 + bet * gain
            self._down[i] *= 1 - bet * gain / 2  # at the cap, a loss of 95 % and not of more than all

    @property
    def over(self) -> float:
        """Evidence that the mean is over the limit: an e-value."""
        return sum(self._up)

    @property
    def under(self) -> float:
        """Evidence that the mean is under the limit: an e-value."""
        return sum(self._down)


class MeanTest:
    """A :class:`~perfcheck.judge.sequential.LatencyTest` of the mean."""

    __slots__ = ("_critical", "_latencies", "_shown", "_warning", "count", "decided", "limits", "looks")

    def __init__(self, limits: Limits, looks: int = LOOKS) -> None:
        self._warning = Bets(limits.warning_ms)
        self._critical = Bets(limits.critical_ms)
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
        for bets, over, under in (
            (self._warning, OVER_WARNING, UNDER_WARNING),
            (self._critical, OVER_CRITICAL, UNDER_CRITICAL),
        ):
            self._shown |= over * (bets.over >= _ENOUGH) | under * (bets.under >= _ENOUGH)
        if self._shown:
            verdict = self.limits.classify(self.estimate())
            claim = CLAIMS[verdict]
            self.decided = verdict if self._shown & claim == claim else None

    def estimate(self) -> float:
        return mean(self._latencies)

    def interval(self) -> tuple[float | None, float | None]:
        """The limits that no bet refutes by now. Winnings are monotone in the limit: each end is found by halving."""
        if not self.count:
            return None, None
        typical = sorted(self._latencies)[self.count // 2]
        if not 0 < typical < math.inf:
            return None, None
        low = _edge(self._latencies, typical / 1e3, typical, over=True)
        high = _edge(self._latencies, typical * 1e3, typical, over=False)
        return low, high

    def more_requests(self) -> int | None:
        """Winnings are taken to go on growing by the factor per request that they grew by so far."""
        if self.decided or not self.count:
            return None
        missing = CLAIMS[self.limits.classify(self.estimate())] & ~self._shown
        winnings = {
            UNDER_WARNING: self._warning.under,
            OVER_WARNING: self._warning.over,
            UNDER_CRITICAL: self._critical.under,
            OVER_CRITICAL: self._critical.over,
        }
        slowest = min((won for claim, won in winnings.items() if missing & claim), default=1.0)
        if slowest <= 1:
            return None
        more = math.ceil(self.count * (math.log(_ENOUGH) / math.log(slowest) - 1))
        return max(more, 1) if more <= HOPELESS else None


def _edge(latencies: Iterable[float], refuted: float, inside: float, *, over: bool) -> float | None:
    """The limit between ``refuted`` and ``inside`` where the evidence against it fades; None when all are possible."""

    def is_refuted(limit_ms: float) -> bool:
        bets = Bets(limit_ms)
        for latency in latencies:
            bets.add(latency)
        return (bets.over if over else bets.under) >= _ENOUGH

    if not is_refuted(refuted):
        return None
    for _ in range(_HALVINGS):
        middle = math.sqrt(refuted * inside)
        if is_refuted(middle):
            refuted = middle
        else:
            inside = middle
    return refuted
