"""Whether requests fail more often than allowed, or than before.

The evidence for "more often than allowed" may be looked at after every request.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from math import comb

from perfcheck.model import ErrorLimits, Verdict, worst

EXTENDED = 40  # requests of a stage in which one failed
WHEN_MEASURED_AGAIN = 30  # requests of a stage that follows one with too many failures
MOST_EVIDENCE = 1e300
MOST_FAILURES_EXACTLY = 2000


@dataclass(frozen=True, slots=True)
class Proof:
    """What it takes to show that a rate is over its limit."""

    failures: int
    evidence: float


CRITICAL_PROOF = Proof(failures=3, evidence=20.0)
WARNING_PROOF = Proof(failures=2, evidence=20.0)
PROOF_AGAIN = Proof(failures=2, evidence=10.0)  # on top of what the stage before has shown


@lru_cache(maxsize=4096)
def evidence(failures: int, requests: int, limit: float) -> float:
    """How much better a failure rate over ``limit`` explains ``failures`` of ``requests`` than a rate at it.

    This is the likelihood ratio against ``limit``, averaged over all rates from there to 1. It is an e-value: while
    the true rate is at most the limit, it ever reaches 20 with a probability of at most 1/20, however often one looks
    (Ville 1939). The average is an incomplete beta integral, that is, a binomial probability::

        e(s, n, t) = P(Bin(n + 1, t) <= s) / ((n + 1) (1 - t) P(Bin(n, t) = s))

    Infinite for a failure against a limit of 0, and 0 against a limit of 1, which no rate is over.
    """
    if limit >= 1:
        return 0.0
    if limit <= 0:
        return math.inf if failures else 1 / (requests + 1)
    terms = [_log_probability(count, requests + 1, limit) for count in range(failures + 1)]
    largest = max(terms)
    at_most = largest + math.log(math.fsum(math.exp(term - largest) for term in terms))
    log_ratio = at_most - math.log((requests + 1) * (1 - limit)) - _log_probability(failures, requests, limit)
    return math.exp(min(log_ratio, math.log(MOST_EVIDENCE)))


def evidence_of_many(failures: int, requests: int, limit: float) -> float:
    """``evidence``, also for the millions of requests of a monitor.

    That one adds up a term for each failure. Where they are many, its integral over the rates above the limit is that
    of a normal peak (Laplace's method): ``exp(n KL(s/n, t)) sqrt(2 pi p (1-p) / n) / (1-t)`` with p = s/n, right to
    within some percent where the rate is clearly over the limit; at most at it, there is no evidence.
    """
    if failures <= MOST_FAILURES_EXACTLY or not 0 < limit < 1:
        return evidence(failures, requests, limit)
    rate = failures / requests
    if rate <= limit:
        return 0.0
    if failures == requests:
        return math.inf
    divergence = rate * math.log(rate / limit) + (1 - rate) * math.log((1 - rate) / (1 - limit))
    width = math.sqrt(2 * math.pi * rate * (1 - rate) / requests) / (1 - limit)
    return math.exp(min(requests * divergence + math.log(width), 600.0))


def _log_probability(count: int, trials: int, probability: float) -> float:
    """Of exactly ``count`` in ``trials``. As a logarithm, since the probability itself may be too small for a float."""
    choices = math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
    return choices + count * math.log(probability) + (trials - count) * math.log1p(-probability)


class ErrorTest:
    """The failures of one stage of one endpoint.

    ``before`` is the verdict of the previous stage. It has to be confirmed, with less evidence needed since there is
    some already. If it is not, the verdict falls by one step: a service that has just failed beyond doubt is not
    simply OK.
    """

    def __init__(self, limits: ErrorLimits, before: Verdict = Verdict.OK) -> None:
        self._limits = limits
        self._before = before
        self._critical = PROOF_AGAIN if before is Verdict.CRITICAL else CRITICAL_PROOF
        self._warning = WARNING_PROOF if before is Verdict.OK else PROOF_AGAIN
        self.requests = 0
        self.failures = 0
        self.shown = Verdict.OK  # by this stage alone

    def add(self, *, failed: bool) -> None:
        self.requests += 1
        if failed:
            self.failures += 1
            self._look()

    def _look(self) -> None:
        """Evidence shrinks with every request that succeeds, so it is only after a failure that it may suffice."""
        if self._holds(self._critical, self._limits.critical):
            self.shown = Verdict.CRITICAL
        elif self.shown is Verdict.OK and self._holds(self._warning, self._limits.warning):
            self.shown = Verdict.WARNING

    def _holds(self, proof: Proof, limit: float) -> bool:
        return self.failures >= proof.failures and evidence(self.failures, self.requests, limit) >= proof.evidence

    @property
    def needed(self) -> int:
        """Requests after which the question is settled. Without a failure there is no question."""
        if self.shown is Verdict.CRITICAL:
            return self.requests
        if self._before is not Verdict.OK:
            return WHEN_MEASURED_AGAIN
        return EXTENDED if self.failures else 0

    @property
    def settled(self) -> bool:
        return self.requests >= self.needed

    @property
    def verdict(self) -> Verdict:
        if self._before is Verdict.OK:
            return self.shown
        milder = Verdict.WARNING if self._before is Verdict.CRITICAL else Verdict.OK
        return worst((self.shown, milder if self.settled else self._before))


# --- Before and after -----------------------------------------------------------------------------------------------

RISE_ERROR = 0.01  # one-sided error of calling a failure rate higher than before


def chance_of_as_many(failed_before: int, before: int, failed_after: int, after: int) -> float:
    """The probability of at least ``failed_after`` failures in ``after`` requests if both rates are the same.

    Given how many failed in total (Fisher's exact test). 1 where either side has no requests.
    """
    if not before or not after:
        return 1.0
    failed = failed_before + failed_after
    ways = sum(
        comb(after, count) * comb(before, failed - count) for count in range(failed_after, min(failed, after) + 1)
    )
    return ways / comb(before + after, failed)
