"""How many of n requests may be over a limit before that is evidence: exact binomial boundaries.

"Quantile p of the latency is over L" is the same statement as "more than 1 - p of the requests take longer than L".
So each request is a yes/no trial against each limit, whatever the shape of the distribution, and a look after every
request is accounted for exactly: the boundaries spend an error of alpha over all looks together (error spending: Lan
and DeMets 1983; the sequential test is Wald's, 1945).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

ALPHA = 0.05
ALPHA_ALONE = 0.001  # for what a stage shows that the stage before it did not: see sampling/stage.py
LEAST_SAMPLES = 5  # fewer are never judged, however clear they look
_AT_FIRST_LOOK = 0.65  # share of alpha spent there; the rest grows with the logarithm of n
_NEGLIGIBLE = 1e-30  # probability of a state that leaves the walk: all of them together stay far below rounding


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Indexed by the number of requests n, from 0 to ``looks``; S is how many of them were over a limit.

    ``S >= upper[n]`` rejects "at most 1 - p are over it", ``S <= lower[n]`` rejects "at least 1 - p are over it", each
    wrongly with a probability of at most alpha over all n together. Where n is too small, ``upper`` is n + 1 and
    ``lower`` is -1.
    """

    share: float  # 1 - p
    upper: tuple[int, ...]
    lower: tuple[int, ...]

    @property
    def looks(self) -> int:
        return len(self.upper) - 1


@lru_cache(maxsize=64)
def boundaries(p: float, looks: int, alpha: float = ALPHA) -> Boundaries:
    """Boundaries for quantile ``p`` (0 < p < 1) looked at after each of ``looks`` requests."""
    share = round(1 - p, 12)
    upper = _upper(share, looks, alpha)
    under = _upper(p, looks, alpha)  # of the requests that are *not* over the limit
    return Boundaries(share, upper, tuple(n - count for n, count in enumerate(under)))


def _upper(share: float, looks: int, alpha: float) -> tuple[int, ...]:
    """Smallest counts at which a share of at most ``share`` is rejected.

    Walks the distribution of the count over the paths that have not stopped yet. At each n the boundary is the
    smallest count whose upper tail still fits into what may be spent up to n; the tail then leaves the walk.
    """
    first = max(LEAST_SAMPLES, math.ceil(math.log(_AT_FIRST_LOOK * alpha) / math.log(share)))
    bounds = [1]
    walking, lowest = [1.0], 0  # walking[i] is the probability of the count lowest + i
    spent = 0.0
    for n in range(1, looks + 1):
        walking = _one_more(walking, share)
        if n < first:
            bounds.append(n + 1)
            continue
        tail, allowed = 0.0, alpha * _spent(n, first, looks)
        while walking and spent + tail + walking[-1] <= allowed:
            tail += walking.pop()
        spent += tail
        bounds.append(lowest + len(walking))
        skip = next((i for i, probability in enumerate(walking) if probability > _NEGLIGIBLE), 0)
        if skip:
            walking, lowest = walking[skip:], lowest + skip
    return tuple(bounds)


def _one_more(walking: list[float], share: float) -> list[float]:
    """The distribution of a count after one more trial."""
    rest = 1 - share
    return [
        rest * walking[0],
        *(rest * stay + share * step for step, stay in pairwise(walking)),
        share * walking[-1],
    ]


def _spent(n: int, first: int, looks: int) -> float:
    """The share of alpha that may be spent up to look ``n``."""
    if looks <= first:
        return _AT_FIRST_LOOK
    grown = math.log((1 + n) / (1 + first)) / math.log((1 + looks) / (1 + first))
    return _AT_FIRST_LOOK + (1 - _AT_FIRST_LOOK) * grown
