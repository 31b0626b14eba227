"""Figures of endpoints and their merging: sums, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from perfcheck.monitor.histogram import Histogram
from perfcheck.monitor.settings import configure, restore_defaults
from perfcheck.monitor.statistics import (
    OVERFLOW,
    REPETITIONS_KEPT,
    EndpointStatistics,
    Queries,
    RepeatedStatement,
    Sizes,
    Snapshot,
    StatementTime,
    merge_endpoints,
    merge_snapshots,
    merge_times,
)
from perfcheck.monitor.worker_directory import decode_snapshot, encode_snapshot


def endpoint(name: str, *durations_ns: int, at: int = 0, **figures: object) -> EndpointStatistics:
    histogram = Histogram()
    histogram.add(durations_ns)
    recent = tuple((at + i, ns) for i, ns in enumerate(durations_ns))
    return replace(
        EndpointStatistics(name, total=len(durations_ns), duration=histogram, recent=recent),
        **figures,  # type: ignore[arg-type]
    )


def merged(*snapshots: Snapshot, window: int = 100, max_endpoints: int = 1000) -> Snapshot:
    configure(window=window, max_endpoints=max_endpoints)
    try:
        return merge_snapshots(snapshots)
    finally:
        restore_defaults()


def test_everything_adds_up() -> None:
    one = endpoint(
        "a",
        1_000_000,
        errors=1,
        disconnects=2,
        in_flight=1,
        statuses={200: 1, 500: 2},
        sizes=Sizes(1, 10, 10),
        queries=Queries(5, 4, 0.5, 2),
        n_plus_one=(RepeatedStatement("SELECT ?", 12, None, 3),),
        slow_statements=(StatementTime("SELECT ?", 0.5, None, 2), StatementTime("UPDATE ?", 0.2, None, 1)),
        cache_hits=1,
    )
    other = endpoint(
        "a",
        3_000_000,
        errors=2,
        in_flight=2,
        statuses={200: 4},
        sizes=Sizes(2, 50, 30),
        queries=Queries(9, 9, 0.25, 1),
        n_plus_one=(RepeatedStatement("SELECT ?", 40, "app.py:7", 1), RepeatedStatement("UPDATE ?", 11, None, 1)),
        slow_statements=(StatementTime("UPDATE ?", 0.75, "app.py:8", 3),),
        cache_misses=4,
    )
    both = merge_endpoints(one, other, 100)
    assert (both.total, both.errors, both.disconnects, both.in_flight) == (2, 3, 2, 3)
    assert both.statuses == {200: 5, 500: 2}
    assert (both.sizes, both.sizes.mean) == (Sizes(3, 60, 30), 20)
    assert (both.queries, both.cache_hits, both.cache_misses) == (Queries(14, 9, 0.75, 3), 1, 4)
    assert both.n_plus_one == (
        RepeatedStatement("SELECT ?", 40, "app.py:7", 4),
        RepeatedStatement("UPDATE ?", 11, None, 1),
    )
    assert both.slow_statements == (
        StatementTime("UPDATE ?", 0.95, "app.py:8", 4),
        StatementTime("SELECT ?", 0.5, None, 2),
    )
    assert (both.mean_s, both.min_s, both.max_s) == (0.002, 0.001, 0.003)


def test_the_window_is_the_latest_of_all() -> None:
    both = merge_endpoints(endpoint("a", 1, 2, 3, at=10), endpoint("a", 4, 5, at=11), 3)
    assert [ns for _, ns in both.recent] == [5, 3] or [ns for _, ns in both.recent][-2:] == [3, 5]
    assert (len(both.recent), both.latest_s, both.recent[-1][0]) == (3, both.recent[-1][1] / 1e9, 12)


def test_names_stay_bounded_and_what_is_over_is_counted() -> None:
    snapshots = [Snapshot((endpoint(f"e{i}", 5, 6),)) for i in range(10)]
    found = merged(*snapshots, max_endpoints=4)
    assert [one.name for one in found.endpoints] == [OVERFLOW, "e0", "e1", "e2", "e3"]
    assert (found.total, found.overflow, found.workers) == (20, 12, 10)
    other = found.endpoint(OVERFLOW)
    assert other is not None
    assert other.total == 12


def test_statement_shapes_stay_bounded() -> None:
    many = [
        endpoint("a", 1, n_plus_one=(RepeatedStatement(f"SELECT {i}", 10 + i, None, 1),))
        for i in range(3 * REPETITIONS_KEPT)
    ]
    found = merged(*(Snapshot((one,)) for one in many)).endpoints[0].n_plus_one
    assert [one.most for one in found] == [39 - i for i in range(REPETITIONS_KEPT)]
    times = merge_times(StatementTime(f"SELECT {i}", float(i), None) for i in range(1000))
    assert [one.total_s for one in times] == [999.0 - i for i in range(len(times))]
    assert len(times) < 50


def test_no_data_is_an_answer() -> None:
    assert merged() == Snapshot(workers=0)
    empty = EndpointStatistics("a")
    assert (empty.error_rate, empty.mean_s, empty.p50_s, empty.latest_s, empty.recent_mean_s) == (0.0, *(None,) * 4)


@given(st.lists(st.integers(0, 10**12), max_size=30), st.integers(0, 2**70), st.text(max_size=30))
def test_what_is_written_is_what_is_read(durations: list[int], errors: int, name: str) -> None:
    one = endpoint(
        name,
        *durations,
        errors=errors,
        statuses={200: 3},
        n_plus_one=(RepeatedStatement("S", 3, "a.py:1", 2),),
        slow_statements=(StatementTime("S", 0.1, None, 7),),
    )
    given_snapshot = Snapshot((one,), started_at=1.5, taken_at=2.5, overflow=3, defects=1)
    read, folded = decode_snapshot(encode_snapshot(given_snapshot, ["1-a"]))
    assert folded == {"1-a"}
    (again,) = read.endpoints
    assert replace(again, duration=one.duration) == one
    assert again.duration.sparse() == one.duration.sparse()
    assert (again.duration.total_ns, again.duration.squares) == (one.duration.total_ns, one.duration.squares)
    assert (read.started_at, read.taken_at, read.overflow, read.defects, read.workers) == (1.5, 2.5, 3, 1, 0)
