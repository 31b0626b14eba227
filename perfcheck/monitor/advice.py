"""What to do about it: recommendations that the statistics bear out, the heaviest first. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from perfcheck.monitor.figures import served, slowest
from perfcheck.monitor.statistics import EndpointStatistics, Snapshot
from perfcheck.units import format_ms, format_percentage, format_size

_MOST = 20
_ERROR_RATE = 0.01
_ERRORS_THAT_TELL = 2
_LARGE_BODY = 1_000_000  # bytes: what a baseline warns of by default
_PART_IN_QUERIES = 0.5


def recommendations(snapshot: Snapshot, slow_ms: float) -> list[str]:
    """Sentences, each with an endpoint, its figure and what would help; none where nothing stands out."""
    known = served(snapshot)
    advice = [*_failing(known), *_repeating(known), *_slow(known, slow_ms), *_large(known)]
    return advice[:_MOST]


def _failing(known: list[EndpointStatistics]) -> Iterator[str]:
    failing = [one for one in known if one.errors >= _ERRORS_THAT_TELL and one.error_rate > _ERROR_RATE]
    for one in sorted(failing, key=lambda one: -one.error_rate):
        share = format_percentage(one.error_rate)
        yield f"{one.name}: {one.errors} of {one.total} requests failed ({share}); the service's log has the reasons"


def _repeating(known: list[EndpointStatistics]) -> Iterator[str]:
    repeating = [one for one in known if one.n_plus_one]
    for one in sorted(repeating, key=lambda one: -one.n_plus_one[0].most):
        worst = one.n_plus_one[0]
        yield (
            f"{one.name}: N+1, the same statement up to {worst.most} times in one request, "
            f"from {worst.caller or 'an unknown line'}; load these rows with one query: {worst.shape}"
        )


def _slow(known: list[EndpointStatistics], slow_ms: float) -> Iterator[str]:
    for one in slowest(known, slow_ms):
        mean = format_ms(1000 * (one.recent_mean_s or 0.0))
        yield f"{one.name}: {mean} on average; {_where_to_look(one)}"


def _where_to_look(one: EndpointStatistics) -> str:
    if one.queries.total and one.queries.total_s > _PART_IN_QUERIES * one.duration.total_s:
        each = format_ms(1000 * one.queries.total_s / one.queries.total)
        return f"most of it in {one.queries.mean or 0:.3g} queries a request, {each} each: look at their plans"
    if one.queries.total:
        return "less than half of it in the database: measure parts of the handler with 'span(name)'"
    return "instrument its database, or measure parts of the handler with 'span(name)'"


def _large(known: list[EndpointStatistics]) -> Iterator[str]:
    large = [(one.sizes.mean or 0.0, one) for one in known if (one.sizes.mean or 0.0) > _LARGE_BODY]
    for size, one in sorted(large, key=lambda pair: -pair[0]):
        yield f"{one.name}: {format_size(round(size))} a response on average; send pages, or fewer fields"
