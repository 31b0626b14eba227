"""What a service compared with itself tells of the place where it is measured: its noise floor."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from perfcheck.model import Changed, EndpointResult, Finding, Rule
from perfcheck.stats.quantiles import quantile
from perfcheck.units import format_percentage

_NINE_OF_TEN = 0.9


def noise_findings(results: Sequence[EndpointResult], pairs: Iterable[tuple[float, float]]) -> tuple[Finding, ...]:
    """One sentence on the whole, for a run that compared a service with itself; ``pairs`` are its latencies."""
    differences = sorted(max(pair) / min(pair) - 1 for pair in pairs if min(pair) > 0 and math.isfinite(max(pair)))
    if not differences:
        return ()
    typical, most = quantile(differences, 0.5), quantile(differences, _NINE_OF_TEN)
    resolved = [share for share in map(resolution, results) if share is not None]
    usual, widest = format_percentage(typical), format_percentage(most)
    told = [f"noise floor: the two requests of a pair differ by {usual} typically, by {widest} in one pair of ten"]
    if resolved:
        told.append(f"the ratios are known to within {format_percentage(max(resolved))}")
    wrong = sum(1 for one in results if one.comparison and one.comparison.changed is Changed.SLOWER)
    if wrong:
        told.append(f"{wrong} called slower than itself, which is wrong")
    return (Finding.note(Rule.NOISE, "; ".join(told), value=most, unit="ratio"),)


def resolution(result: EndpointResult) -> float | None:
    """Half the width of the interval of the ratio: what a comparison of this many pairs can tell apart."""
    if result.comparison is None:
        return None
    low, high = result.comparison.ratio_interval
    return None if low is None or high is None or not low else math.sqrt(high / low) - 1
