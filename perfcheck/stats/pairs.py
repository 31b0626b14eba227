"""The live comparison: requests to two services, pair by pair, until it is clear whether one is slower.

The requests of a pair are sent one after the other in random order, so that what the machine does meanwhile affects
both equally. Each pair is a trial against a limit: how far the later release lies over ``before x 1.10``, say. If it is
exactly at the limit, over and under are equally likely at every distance, and nobody can win by betting on one of
them: to multiply a stake by 63.5 all the same has a probability of at most 1/63.5, whenever one stops (Ville 1939). A
pair weighs by the rank of its distance among those so far, so that an outlier counts as one pair and not for what it
measures (sequential signed ranks: Reynolds 1975).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass

from perfcheck.model import Changed, CompareLimits, Verdict
from perfcheck.stats.ranks import signed_rank_bound

MOST_PAIRS = 200  # after which an open question stays open
_EXTRAPOLATED = 8  # pairs that a forecast takes
_CLEAR = 10  # pairs that show a service to be much slower
HOPELESS = 2000  # more pairs than this are not worth suggesting
INTERVAL_ALPHA = 1 / 64  # each side, for a fixed number of pairs: about 5% where one stops when it looks clear
_FAR = 10_000.0  # logarithm of a ratio to a timeout: its average with any other is no ratio either
_MOST_LOG = 700.0  # that a float can hold the exponential of
_ROUNDING = 1e-12  # exactly at a limit is neither over nor under it
_OVER = 63.5  # winnings that show "over the limit"
_AT_ALL = 127.0  # winnings that show "longer at all": half the error, since one of equal services has a second chance
_UNDER = 14.7  # winnings that show "not over the limit": to miss a little slowness does less harm than a false alarm
_BETS = (0.3, 0.6, 0.95)  # shares of the stake, times the rank of the pair
_PLAIN_BET = 0.95  # whatever its rank: where all pairs agree, it needs a fifth fewer of them
_SHARES = (0.3, 0.3, 0.3, 0.1)  # of the stake that each bet begins with


@dataclass(frozen=True, slots=True)
class ChangeOutcome:
    """What pairs, or two samples, show.

    ``severity`` is WARNING when the service is shown to be slower than the warning limit, CRITICAL when slower than
    the critical one. ``decided`` is False while more of them could still change the answer: nothing shown at all
    (CANNOT_TELL), or, of pairs, not yet whether a slower service is even over the critical limit, or a service that is
    not slower is even faster. ``ratio`` is after / before; its ``interval`` has None for an open end.
    """

    changed: Changed
    severity: Verdict
    decided: bool
    ratio: float | None  # None without samples, or when timeouts leave no figure
    interval: tuple[float | None, float | None]
    more: int | None  # about how many more (on each side) would settle it; None if decided, or if no sensible number


class LimitTest:
    """Bets on "over the limit" and on "not over it", pair by pair."""

    def __init__(self, enough: float = _OVER) -> None:
        """``enough`` are the winnings that show "over the limit"."""
        self._enough = enough
        self._distances: list[float] = []  # without their sign, in ascending order
        self._signed: list[float] = []
        self._up = self._down = list(_SHARES)
        self.pairs = 0
        self.over = False  # shown, at some pair so far
        self.under = False

    def add(self, latency_ms: float, limit_ms: float) -> None:
        distance = log_ratio(latency_ms, limit_ms)
        size = abs(distance)
        insort(self._distances, size)
        self._signed.append(distance)
        self.pairs += 1
        rank = bisect_right(self._distances, size) / self.pairs
        sign = (distance > 0) - (distance < 0)
        gains = [*(bet * rank * sign for bet in _BETS), _PLAIN_BET * sign]
        self._up = [won * (1 + gain) for won, gain in zip(self._up, gains, strict=True)]
        self._down = [won * (1 - gain) for won, gain in zip(self._down, gains, strict=True)]
        self.over = self.over or sum(self._up) >= self._enough
        self.under = self.under or sum(self._down) >= _UNDER

    @property
    def is_open(self) -> bool:
        return not (self.over or self.under)

    @property
    def leans_over(self) -> bool:
        """Whether the Hodges-Lehmann estimate lies over the limit: whether the signed ranks sum to more than 0."""
        return math.fsum(self._signed_rank(distance) for distance in self._signed) > 0

    def _signed_rank(self, distance: float) -> float:
        size = abs(distance)
        rank = bisect_left(self._distances, size) + bisect_right(self._distances, size)  # twice the middle rank
        return math.copysign(rank, distance) if distance else 0.0

    def pairs_needed(self) -> float:
        """How many in all would show one or the other, if the winnings go on growing as they did so far."""
        needed = math.inf
        for won, enough in ((sum(self._up), self._enough), (sum(self._down), _UNDER)):
            if won > 1:
                needed = min(needed, self.pairs * math.log(enough) / math.log(won))
        return needed


class PairTest:
    """Fed pair by pair until ``is_settled``: when there is nothing more to learn."""

    def __init__(self, limits: CompareLimits, most: int = MOST_PAIRS) -> None:
        self._limits = limits
        self._most = most
        self._slower, self._critical, self._faster = LimitTest(), LimitTest(), LimitTest()
        self._longer, self._shorter = LimitTest(_AT_ALL), LimitTest(_AT_ALL)  # by however little
        self._logs: list[float] = []
        self._least_log = math.inf
        self.pairs = 0

    def add(self, before_ms: float, after_ms: float) -> None:
        """Take one more pair of latencies, 0 or more; infinity for a timeout, on either side or both."""
        limits = self._limits
        self.pairs += 1
        log = log_ratio(after_ms, before_ms)
        self._logs.append(log)
        self._least_log = min(self._least_log, log)
        self._slower.add(after_ms, limit_over(before_ms, limits.warning, limits))
        self._critical.add(after_ms, limit_over(before_ms, limits.critical, limits))
        self._faster.add(before_ms, limit_over(after_ms, limits.warning, limits))
        self._longer.add(after_ms, before_ms)
        self._shorter.add(before_ms, after_ms)

    @property
    def is_settled(self) -> bool:
        return self.pairs >= self._most or self._is_answered()

    @property
    def is_slower(self) -> bool:
        """Shown already, whether or not it is settled by how much."""
        return self._changed() is Changed.SLOWER

    def _is_answered(self) -> bool:
        changed = self._changed()
        if changed is Changed.SLOWER:
            return not self._critical.is_open
        if changed is Changed.NO_CHANGE:
            return not self._faster.is_open or not self._faster.leans_over
        return changed is Changed.FASTER

    def _changed(self) -> Changed:
        """Shown once is shown. Only if the pairs showed a thing and its opposite do they show nothing."""
        slower, faster = self._slower.over, self._faster.over
        if slower and faster:
            return Changed.CANNOT_TELL
        if slower:
            return Changed.SLOWER
        if faster:
            return Changed.FASTER
        return Changed.NO_CHANGE if self._slower.under else Changed.CANNOT_TELL

    def outcome(self) -> ChangeOutcome:
        changed, decided = self._changed(), self._is_answered()
        if not decided and changed is not Changed.SLOWER and (leaning := self._leaning()):
            changed, decided = leaning, True
        severity = Verdict.OK
        if changed is Changed.SLOWER:
            severity = Verdict.CRITICAL if self._critical.over else Verdict.WARNING
        ratio, interval = estimate(self._logs)
        more = None if decided else self._more_pairs(changed)
        return ChangeOutcome(changed, severity, decided, ratio, interval, more)

    def _leaning(self) -> Changed | None:
        """For pairs that ended before it was shown to be over the limit, or not to be.

        By then it may be shown that it takes longer at all, with an estimate over the limit: what two stored runs are
        judged by as well. A service that became 15% slower is close to a limit of 10%, and still slower beyond doubt.
        """
        if self._longer.over and self._slower.leans_over:
            return Changed.SLOWER
        return Changed.FASTER if self._shorter.over and self._faster.leans_over else None

    @property
    def suspicion(self) -> float:
        """The least ratio where every pair so far is over the warning limit, 0 otherwise."""
        over = self.pairs and self._least_log > math.log1p(self._limits.warning)
        return math.exp(min(self._least_log, _MOST_LOG)) if over else 0.0

    def pairs_needed(self, usual: int) -> float:
        """A forecast of how many in all will settle it; ``usual`` while there are too few to extrapolate."""
        if self.pairs < _EXTRAPOLATED:
            return _CLEAR if self.suspicion > 1 + self._limits.critical else usual
        return self.pairs if self.is_settled else self._open_test(self._changed()).pairs_needed()

    def _open_test(self, changed: Changed) -> LimitTest:
        return {Changed.SLOWER: self._critical, Changed.NO_CHANGE: self._faster}.get(changed, self._slower)

    def _more_pairs(self, changed: Changed) -> int | None:
        if not self.pairs:
            return None
        needed = self._open_test(changed).pairs_needed()
        return max(1, math.ceil(needed) - self.pairs) if needed <= HOPELESS else None


def limit_over(latency_ms: float, share: float, limits: CompareLimits) -> float:
    """The largest latency that is not too slow compared with ``latency_ms``."""
    return max(latency_ms * (1 + share), latency_ms + limits.min_difference_ms)


def log_ratio(a: float, b: float) -> float:
    """``ln(a / b)``; 0 for equal ones, also when both are 0 or infinite. When one of them is: ``_FAR`` to one side."""
    if a == b:
        return 0.0
    if a <= 0 or b == math.inf:
        return -_FAR
    if b <= 0 or a == math.inf:
        return _FAR
    log = math.log(a) - math.log(b)
    return log if abs(log) > _ROUNDING else 0.0


def estimate(logs: Sequence[float]) -> tuple[float | None, tuple[float | None, float | None]]:
    """Hodges and Lehmann's estimate of a ratio from its logarithms, and the interval of Wilcoxon's signed ranks.

    The median of all averages of two (each with itself included), and the averages that a fixed number of pairs would
    reject with 1.6% on each side: closed from six pairs on.
    """
    if not logs:
        return None, (None, None)
    ascending = sorted(logs)
    averages = sorted([(a + b) / 2 for i, a in enumerate(ascending) for b in ascending[i:]])
    count = len(averages)
    middle = (averages[(count - 1) // 2] + averages[count // 2]) / 2
    rank = signed_rank_bound(len(logs), INTERVAL_ALPHA)
    if not rank:
        return as_ratio(middle), (None, None)
    return as_ratio(middle), (as_ratio(averages[rank - 1]), as_ratio(averages[count - rank]))


def as_ratio(log: float) -> float | None:
    """None where there is no finite one: the ratio of a latency to one that ran into a timeout."""
    return math.exp(log) if abs(log) < _MOST_LOG else None
