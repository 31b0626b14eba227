"""What the counts of a step show by themselves: clearly over a limit, a growing backlog, a collapse."""

from __future__ import annotations

from collections.abc import Sequence

from perfcheck.capacity.model import Block, LoadStep
from perfcheck.stats.sequential import divergence

_CLEAR = 12.0  # nats of evidence; correlated requests have several times less than independent ones
_GROSS = (4.0, 0.6, 0.85)  # an overload in times the allowed share, and the least and largest share it can be
_COLLAPSED = 0.5  # of the requests fail


def clear_side(count: int, requests: int, share: float) -> int:
    """1 or -1 when a share is clearly more or less than allowed, by Chernoff's bound (1952); otherwise 0."""
    if not requests or requests * divergence(count / requests, share) < _CLEAR:
        return 0
    return 1 if count > share * requests else -1


def is_gross(blocks: Sequence[Block], share: float) -> bool:
    """Whether far more are over than allowed: a backlog grows, and nothing more is to be learnt at this load."""
    requests = sum(block.requests for block in blocks)
    over = sum(block.over for block in blocks)
    times, least, most = _GROSS
    return over > requests * max(least, min(times * share, most)) and clear_side(over, requests, share) > 0


def is_collapse(failed: int, requests: int) -> bool:
    return failed > _COLLAPSED * requests


def sum_of(load: float, blocks: Sequence[Block], void_blocks: int, *, is_overload: bool) -> LoadStep:
    return LoadStep(
        load,
        sum(block.requests for block in blocks),
        sum(block.over for block in blocks),
        sum(block.failed for block in blocks),
        len(blocks),
        void_blocks,
        is_overload,
    )
