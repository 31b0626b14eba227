"""Whether requests fail more often than before: what failed as often before is no news."""

from __future__ import annotations

from math import comb

SURE = 0.01  # error of saying that the rate rose, one-sided


def chance_of_as_many(failed_before: int, before: int, failed_after: int, after: int) -> float:
    """The probability of at least ``failed_after`` failures of ``after`` requests, were both rates the same.

    Given how many failed of both together (Fisher's exact test): hypergeometric. 1 where either side has no requests.
    """
    if not before or not after:
        return 1.0
    failed = failed_before + failed_after
    ways = sum(
        comb(after, count) * comb(before, failed - count) for count in range(failed_after, min(failed, after) + 1)
    )
    return ways / comb(before + after, failed)
