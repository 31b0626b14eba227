"""What the verdicts of a run are worth: what it may claim, and how many endpoints are excepted."""

from __future__ import annotations

import math
from collections.abc import Iterator

from perfcheck.model import CapacityResult, ComparedHow, Run
from perfcheck.units import format_percentage


def certainty(run: Run) -> str:
    """What the verdicts are worth: their error probability, and how many do not have it."""
    if run.capacity is not None:
        return _of_a_capacity(run.capacity)
    if run.counts.not_measured == len(run.endpoints):
        return "No endpoint was measured, so there is no verdict."
    if run.is_of_monitor:
        return (
            "Judged by the figures of the monitor inside the service, which cover all of its requests, not a sample: "
            "no error probability applies."
        )
    if run.is_comparison:
        stored = run.against is not None and run.against.how is ComparedHow.STORED
        bound = "0.5%, provided the machine was equally fast in both runs" if stored else "1.6%, whenever it stops"
        return f"The probability that an unchanged endpoint is reported as slower is at most {bound}."
    has_latency = any(result.value_ms is not None for result in run.endpoints)
    claims = [
        f"Latency verdicts are {1 - run.alpha:.0%} confident" if has_latency else "No latency was judged",
        *_excluded_failures(run),
        *_without_confidence(run),
    ]
    return f"{'; '.join(claims)}."


def _of_a_capacity(result: CapacityResult) -> str:
    shares = " to ".join(format_percentage(share) for share in sorted({*result.within.values()}))
    held = f"{shares} of the requests to each endpoint keep its limit"
    failures = f"at most {format_percentage(result.error_rate)} of all fail"
    return f"A load holds if {held} and {failures}. The interval is 95% confident."


def _excluded_failures(run: Run) -> Iterator[str]:
    """``failure rates over 9% are excluded, over 0.6% for the service``: of each endpoint, and of all together."""
    if run.excluded_failure_rate is not None:
        claim = f"failure rates over {_rounded_up(run.excluded_failure_rate)} are excluded"
        of_service = run.excluded_failure_rate_of_service
        yield claim if of_service is None else f"{claim}, over {_rounded_up(of_service)} for the service"


def _rounded_up(rate: float) -> str:
    """``9%`` of 8.94%, ``0.6%`` of 0.58%: a rate that is excluded must not be stated too low."""
    digits = 0 if rate >= 0.01 else 1  # noqa: PLR2004 - a percent
    return f"{math.ceil(round(rate * 100 * 10**digits, 6)) / 10**digits:g}%"


def _without_confidence(run: Run) -> Iterator[str]:
    """The endpoints whose verdicts do not have it, or whose figures are not their own."""
    results = run.endpoints
    unconfirmed = sum(result.unconfirmed is not None for result in results)
    undecided = sum(result.is_undecided for result in results)
    monitored = sum(result.is_monitored for result in results)
    screened = [result.concurrency for result in results if result.is_screened]
    if unconfirmed:
        yield f"{unconfirmed} unconfirmed, seen once and not measured again in time"
    if undecided:
        yield f"{undecided} undecided, judged by estimate"
    if screened:
        yield f"{len(screened)} screened over up to {max(screened)} connections, their latencies upper bounds"
    if monitored:
        yield f"{monitored} judged by the figures of the monitor inside the service"
