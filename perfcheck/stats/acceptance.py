"""How many requests exclude a failure rate: acceptance sampling, in several steps.

A schedule gives, for 0, 1, 2, ... failures, the number of requests in which that many are accepted.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache

from perfcheck.model import ErrorProof
from perfcheck.stats.sequential import ALPHA, LEAST_SAMPLES, Spend, boundaries, one_more

EXTENDED = 40  # requests of an endpoint that is not worth more of them, once one failed
_CONFIRMED_IN = 59
_LEAST_LIMIT, _MOST_LIMIT = 0.01, 0.95  # others are taken for these: to exclude less than 1% takes too many requests
_STEPS = 1_000_000  # in which a rate is searched

Schedule = tuple[int, ...]


@lru_cache(maxsize=256)
def schedule(limit: float, proof: ErrorProof) -> Schedule:
    """What excludes a failure rate of twice the ``limit``; for STRICT, of about the limit itself.

    It is the lower boundary of a sequential test. At the default limit of 5%: 32, 64, 88 and 110 requests, with which
    an endpoint that fails at 10% is accepted in 4.1%. That is less than 5%, since failures may be correlated.
    STRICT takes 59, 93 and 124, each of which would by itself accept 5% in about 5%. QUICK gives no number for an
    endpoint without a failure: the first is that for one failure.
    """
    limit = min(max(limit, _LEAST_LIMIT), _MOST_LIMIT)
    if proof is ErrorProof.STRICT:
        rate, spend, looks = limit, Spend(0.093, 0.523), 6.2 / limit
    else:
        rate = min(2 * limit, (1 + limit) / 2)
        spend, looks = Spend(0.0415, 0.868), 11.5 / rate
    lower = boundaries(1 - rate, max(round(looks), EXTENDED), spend.alpha, spend.at_first).lower
    full = tuple(bisect_left(lower, failures) for failures in range(lower[-1] + 1))
    if proof is ErrorProof.QUICK:
        short = shortened(full, LEAST_SAMPLES)
        return (short[1], *short[1:])
    return full


def confirming(limit: float) -> Schedule:
    """What clears an endpoint that has just failed too often: at most one failure in 59 requests.

    Fewer where the critical ``limit`` is over 5%. That accepts twice the limit in 2%; any number of failures short of
    new evidence would accept it in 70%.
    """
    return (min(schedule(limit, ErrorProof.STRICT)[0], _CONFIRMED_IN),) * 2


def shortened(full: Schedule, clean: int) -> Schedule:
    """The schedule of an endpoint that is worth only ``clean`` requests while none fails, and 40 once one did."""
    if clean >= full[0]:
        return full
    return (clean, *([requests for requests in full[1:] if requests <= EXTENDED] or [max(clean, EXTENDED)]))


def chance_of_acceptance(numbers: Schedule, rate: float) -> float:
    """The probability that a schedule accepts an endpoint that fails at ``rate``."""
    accepted = 0.0
    walking = [1.0] + [0.0] * (len(numbers) - 1)  # of each count of failures, on paths that are not accepted yet
    failures = 0
    for n in range(1, numbers[-1] + 1):
        walking = one_more(walking, rate)[: len(numbers)]
        while failures < len(numbers) and numbers[failures] <= n:
            accepted += math.fsum(walking[: failures + 1])
            walking[: failures + 1] = [0.0] * (failures + 1)
            failures += 1
    return accepted


@lru_cache(maxsize=256)
def excluded_by(numbers: Schedule) -> float:
    """The failure rate that a schedule accepts in 5%, and higher ones more rarely."""
    return _rate_at_alpha(lambda rate: chance_of_acceptance(numbers, rate))


@lru_cache(maxsize=1024)
def binomial_bound(failures: int, requests: int) -> float:
    """The failure rate at which at most ``failures`` of ``requests`` have a probability of 5% (Clopper, Pearson 1934).

    The number of requests must not have been chosen by their failures. 1 where nothing is excluded.
    """
    if failures >= requests:
        return 1.0
    return _rate_at_alpha(
        lambda rate: math.fsum(math.exp(log_probability(count, requests, rate)) for count in range(failures + 1))
    )


def _rate_at_alpha(probability: Callable[[float], float]) -> float:
    """Where a probability that falls as the rate rises is 5%."""
    steps: Sequence[int] = range(_STEPS)
    return bisect_left(steps, -ALPHA, key=lambda step: -probability((step + 0.5) / _STEPS)) / _STEPS


def log_probability(count: int, trials: int, probability: float) -> float:
    """Of exactly ``count`` in ``trials``. As a logarithm, since the probability itself may be too small for a float."""
    choices = math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
    return choices + count * math.log(probability) + (trials - count) * math.log1p(-probability)
