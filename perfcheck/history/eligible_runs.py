"""Which past runs say what an endpoint can promise. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from perfcheck.history.model import PastMeasurement
from perfcheck.model import Endpoint, Source, Verdict

FEWEST_RUNS = 5
_FEWEST_REQUESTS = 5


def is_good(one: PastMeasurement, endpoint: Endpoint, *, loosen: bool) -> bool:
    """Whether the run measured the endpoint by requests of its own, and found it OK or WARNING.

    With ``loosen`` also when it was CRITICAL, but not by its errors.
    """
    verdicts = {Verdict.OK, Verdict.WARNING} | ({Verdict.CRITICAL} if loosen else set())
    return (
        one.source is Source.MEASURED
        and one.verdict in verdicts
        and one.metric is endpoint.metric
        and one.requests >= _FEWEST_REQUESTS
        and one.value_ms is not None
        and 0 < one.value_ms < math.inf
        and (one.error_rate or 0.0) <= endpoint.error_limits.critical
    )


def why_none(
    endpoint: Endpoint,
    level: Sequence[PastMeasurement],
    good: Sequence[PastMeasurement],
    *,
    loosen: bool,
    changed: bool,
) -> str | None:
    """Why these runs allow no proposal; None where they do. ``level`` are all at the level of today."""
    if not level:
        return "there are no runs of it in the history"
    if level[-1].metric is not endpoint.metric:
        return f"its runs measured the {level[-1].metric}, and the baseline now says {endpoint.metric}"
    if level[-1].verdict is Verdict.CRITICAL and not loosen:
        return "the last run was CRITICAL: mend that first, or accept it with --loosen REASON"
    if len(good) >= FEWEST_RUNS:
        return None
    others = len(level) - len(good)
    left_out = f"; {others} more {'was' if others == 1 else 'were'} not good" if others else ""
    return f"{runs_in_words(len(good), changed=changed)}, {FEWEST_RUNS} are needed{left_out}"


def runs_in_words(count: int, *, changed: bool = False) -> str:
    """``5 good runs``, ``5 good runs since it changed``."""
    return f"{count} good run{'s' * (count != 1)}{' since it changed' * changed}"
