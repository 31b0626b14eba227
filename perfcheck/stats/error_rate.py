"""Whether requests fail more often than allowed, or than before.

The evidence for "more often than allowed" may be looked at after every request.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from math import comb

from perfcheck.model import ErrorLimits, ErrorProof, Verdict
from perfcheck.stats.acceptance import (
    Schedule,
    binomial_bound,
    confirming,
    excluded_by,
    log_probability,
    schedule,
    shortened,
)
from perfcheck.stats.sequential import LEAST_SAMPLES

SERVICE_LIMIT = 0.01  # of the failures of all requests of a run
_CLEAN_MS = 2000.0  # time that may be spent on requests only because none failed
MOST_EVIDENCE = 1e300
MOST_FAILURES_EXACTLY = 2000


@dataclass(frozen=True, slots=True)
class Proof:
    """What it takes to show that a rate is over its limit."""

    failures: int
    evidence: float


CRITICAL_PROOF = Proof(failures=3, evidence=20.0)
WARNING_PROOF = Proof(failures=2, evidence=20.0)
FIRST_PROOF = Proof(failures=3, evidence=10.0)  # has to be confirmed
PROOF_AGAIN = Proof(failures=2, evidence=5.0)  # on top of what the test before has shown


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
    terms = [log_probability(count, requests + 1, limit) for count in range(failures + 1)]
    largest = max(terms)
    at_most = largest + math.log(math.fsum(math.exp(term - largest) for term in terms))
    log_ratio = at_most - math.log((requests + 1) * (1 - limit)) - log_probability(failures, requests, limit)
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


class ErrorTest:
    """The failures of one endpoint, for as long as it is measured.

    CRITICAL takes evidence for a failure rate over the critical limit, and OK takes evidence against one of twice that:
    a schedule of :mod:`~perfcheck.stats.acceptance` has accepted it at some number of requests, whatever failed after
    that. Where all requests of the schedule give neither, the verdict is WARNING.

    ``confirms``: new requests after a test that was CRITICAL. Less evidence is enough for the same again; at most one
    failure in 59 is OK, more is WARNING.

    ``latency_ms`` is always the typical latency by now, None while it is unknown: fewer requests are spent on endpoints
    that take long.
    """

    def __init__(self, limits: ErrorLimits, proof: ErrorProof = ErrorProof.PROVEN, *, confirms: bool = False) -> None:
        self._limits = limits
        self._critical = PROOF_AGAIN if confirms else FIRST_PROOF
        self._is_quick = proof is ErrorProof.QUICK and not confirms
        self._may_be_short = proof is ErrorProof.PROVEN and not confirms
        self._schedule = confirming(limits.critical) if confirms else schedule(limits.critical, proof)
        self._failed_at: list[int] = []  # numbers of the requests that failed, from 1
        self.requests = 0
        self.shown = Verdict.OK  # CRITICAL once beyond doubt

    @property
    def failures(self) -> int:
        return len(self._failed_at)

    def add(self, *, failed: bool) -> None:
        self.requests += 1
        if failed:  # evidence shrinks with every request that succeeds: only after a failure may it suffice
            self._failed_at.append(self.requests)
            if self._holds(self._critical, self._limits.critical):
                self.shown = Verdict.CRITICAL

    def _holds(self, proof: Proof, limit: float) -> bool:
        return self.failures >= proof.failures and evidence(self.failures, self.requests, limit) >= proof.evidence

    def needed(self, latency_ms: float | None) -> int:
        """Requests in all after which the question is settled, if no other fails."""
        if self.shown is Verdict.CRITICAL:
            return self.requests
        if self._is_unquestioned:
            return 0
        numbers = self._numbers(latency_ms)
        return self._accepted_at(numbers) or numbers[min(self.failures, len(numbers) - 1)]

    def is_settled(self, latency_ms: float | None) -> bool:
        return self.requests >= self.needed(latency_ms)

    def verdict(self, latency_ms: float | None) -> Verdict:
        """The verdict by now."""
        if self.shown is Verdict.CRITICAL:
            return Verdict.CRITICAL
        accepted = self._is_unquestioned or self._accepted_at(self._numbers(latency_ms))
        unproven = not accepted and self.is_settled(latency_ms)
        return Verdict.WARNING if unproven or self._holds(WARNING_PROOF, self._limits.warning) else Verdict.OK

    def excluded(self, latency_ms: float | None) -> float:
        """The failure rate over which any is excluded, with 95% confidence.

        Where the schedule has accepted the endpoint: what it excludes with all its numbers together. The exact binomial
        bound where it has not, and where there are more requests than it would take: failures did not choose them.
        """
        numbers = self._numbers(latency_ms)
        if self._accepted_at(numbers) and self.requests <= numbers[-1]:
            return excluded_by(numbers)
        return binomial_bound(self.failures, self.requests)

    @property
    def _is_unquestioned(self) -> bool:
        return self._limits.critical >= 1 or (self._is_quick and not self._failed_at)

    def _numbers(self, latency_ms: float | None) -> Schedule:
        if not latency_ms or not self._may_be_short:
            return self._schedule
        return shortened(self._schedule, max(LEAST_SAMPLES, math.ceil(_CLEAN_MS / latency_ms)))

    def _accepted_at(self, numbers: Schedule) -> int | None:
        """The number of requests at which the schedule has accepted the endpoint."""
        for allowed, requests in enumerate(numbers):
            if requests > self.requests:
                break
            if self.failures <= allowed or self._failed_at[allowed] > requests:
                return requests
        return None


# --- The service as a whole -----------------------------------------------------------------------------------------


def service_fails(failures: int, requests: int) -> bool:
    """Whether more than 1% of all requests of a run fail, beyond doubt."""
    return failures >= CRITICAL_PROOF.failures and (
        evidence_of_many(failures, requests, SERVICE_LIMIT) >= CRITICAL_PROOF.evidence
    )


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
