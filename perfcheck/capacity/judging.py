"""What the generator counted in half a second, as the search needs it: how many requests were over their limits."""

from __future__ import annotations

import math
from collections.abc import Mapping

from perfcheck.capacity.engine.blocks import LoadBlock
from perfcheck.capacity.model import Block, Judged

_LARGEST_LAG = 0.5  # as a share of a limit


def judge_block(block: LoadBlock, limits_ms: Mapping[str, float]) -> Block:
    """With the limit of each endpoint; one without a limit is never over, unless it times out.

    Void is what the generator has a part in: a worker's part is missing, requests could not be sent, or its own
    scheduling was so late that a request may be over its limit for that alone.
    """
    counts = block.counts.items()
    smallest_ms = min((limits_ms.get(endpoint, math.inf) for endpoint, _ in counts), default=math.inf)
    judged = {
        endpoint: Judged(count.requests, count.over(limits_ms.get(endpoint, math.inf))) for endpoint, count in counts
    }
    return Block(
        requests=sum(endpoint.requests for endpoint in judged.values()),
        over=sum(endpoint.over for endpoint in judged.values()),
        failed=sum(count.failed for _, count in counts),
        is_void=bool(block.missing)
        or any(count.generator_errors for _, count in counts)
        or block.lag_ms > smallest_ms * _LARGEST_LAG,
        endpoints=judged if len(limits_ms) > 1 else {},
    )
