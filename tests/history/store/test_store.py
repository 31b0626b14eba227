"""What goes into a history comes out of it, from either database."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import pytest
from simulation.runs import HOSTILE_NAME, decision, endpoint, hostile_run, result, run, samples, spread

from perfcheck.errors import UsageError
from perfcheck.history.model import BranchRuns, PastMeasurement
from perfcheck.history.store import History, open_history
from perfcheck.history.store.reading import Filter
from perfcheck.history.store.rows import past_measurements
from perfcheck.model import EndpointResult, MetricOf, Run, Source, Verdict
from perfcheck.runfile import encode_run


def small(name: str, *, day: int = 1, label: str | None = None, branch: str = "main", value: float = 40.0) -> Run:
    """A run of one endpoint, on a day of October."""
    measured = result(endpoint("videos.list"), samples(1, spread(value)), decision(Verdict.OK, value))
    one = run([measured])
    environment = replace(one.environment, branch=branch, commit=f"{day:02}abcdef")
    return replace(one, id=name, label=label, started_at=f"2026-10-{day:02}T12:00:00.000Z", environment=environment)


def filled(store: History, *runs: Run) -> History:
    assert store.save_all(runs) == len(runs)
    return store


# --- Saving --------------------------------------------------------------------------------------------------------


def test_a_run_comes_back_as_it_was(store: History) -> None:
    assert store.save(run())
    assert store.run(run().id) == run()
    assert store.document(run().id) == encode_run(run())


def test_a_run_is_there_once_and_stays_as_it_is(store: History) -> None:
    assert store.save(small("one"))
    assert not store.save(small("one", value=80.0))
    assert store.save_all([small("one"), small("two"), small("two")]) == 1
    assert store.run("one") == small("one")
    assert sorted(past.id for past in store.runs()) == ["one", "two"]
    assert len(list(store.measurements())) == 2


def test_a_run_file_is_kept_byte_for_byte(store: History) -> None:
    """Whatever order, spaces and fields of a later version it has."""
    odd = json.dumps({"later": 1, **json.loads(encode_run(run()))}, indent=3, ensure_ascii=True).encode() + b"\n\n"
    assert store.save_document(odd)
    assert not store.save_document(encode_run(run()))
    assert store.document(run().id) == odd
    assert store.run(run().id) == run()


def test_what_is_no_run_is_refused_and_leaves_nothing(store: History) -> None:
    with pytest.raises(UsageError, match=r"notes\.txt is not a run file"):
        store.save_document(b"hello", "notes.txt")
    timeless = replace(run(), started_at="yesterday")
    with pytest.raises(UsageError, match="started_at is not a time: 'yesterday'"):
        store.save(timeless)
    assert list(store.runs()) == []


@pytest.mark.parametrize("written", ["2026-10-01T14:00:00+02:00", "2026-10-01T12:00:00Z", "2026-10-01T12:00:00.000000"])
def test_times_are_brought_to_one_form_that_sorts(store: History, written: str) -> None:
    store.save(replace(small("one"), started_at=written))
    assert next(store.runs()).started_at == "2026-10-01T12:00:00.000Z"
    assert json.loads(store.document("one"))["started_at"] == written


def test_hostile_names_do_no_harm(store: History) -> None:
    hostile = replace(hostile_run(), label="a\0b'; DROP TABLE perfcheck_runs; --", id="x'y\"z")
    assert store.save(hostile)
    assert store.document(hostile.id) == encode_run(hostile)
    assert store.past_run(hostile.id).label == "a\N{REPLACEMENT CHARACTER}b'; DROP TABLE perfcheck_runs; --"
    assert {one.endpoint for one in store.measurements()} == {one.name for one in hostile.endpoints}
    assert HOSTILE_NAME in store.endpoints()


# --- Runs ----------------------------------------------------------------------------------------------------------


def test_a_past_run_has_what_a_list_shows(store: History) -> None:
    store.save(run())
    (past,) = store.runs()
    one = run()
    assert (past.id, past.label, past.started_at, past.duration_ms) == (one.id, "v1.2.3", one.started_at, 12345.6)
    assert (past.verdict, past.exit_code, past.complete, past.counts) == (Verdict.CRITICAL, 1, False, one.counts)
    assert (past.commit, past.branch, past.dirty, past.ci) == ("0123abcdef" * 4, "main", False, "GitHub Actions")
    assert (past.source, past.machine) == (Source.MEASURED, "Linux 6.1 x86_64, 2 CPUs")
    assert (past.base_url, past.baseline_file, past.baseline_sha256) == (
        "http://localhost:5001",
        "baselines.yaml",
        "0" * 64,
    )


def test_runs_are_listed_by_time_and_chosen(store: History) -> None:
    filled(
        store,
        small("b", day=2, label="v1"),
        small("d", day=4, branch="feature"),
        small("a", day=1),
        replace(small("c", day=3), command=("perfcheck", "health")),
    )

    def ids(**choice: object) -> str:
        return "".join(past.id for past in store.runs(**choice))  # type: ignore[arg-type]

    assert ids() == "dcba"
    assert ids(newest_first=False) == "abcd"
    assert ids(limit=2) == "dc"
    assert ids(since="2026-10-02T12:00:00.000Z", until="2026-10-04T12:00:00.000Z") == "cb"
    assert ids(since="2026-10-03") == "dc"
    assert (ids(branch="feature"), ids(label="v1"), ids(machine="other")) == ("d", "b", "")
    assert (ids(source=Source.MONITORED), ids(source=Source.MEASURED)) == ("c", "dba")


def test_an_iterator_that_is_left_halfway_holds_nothing_up(store: History) -> None:
    filled(store, *(small(f"run-{i}") for i in range(30)))
    assert next(store.runs()).id
    assert store.save(small("another"))


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("5e0c0000-0000", "5e0c0000-0000"),
        ("5e0c0000", "5e0c0000-0000"),
        ("5e0d", "5e0d0000-0000"),
        ("v1", "5e0d0000-0000"),
        ("nightly", "ffff0000-0000"),
    ],
)
def test_a_run_is_found_by_id_label_and_first_digits(store: History, reference: str, found: str) -> None:
    filled(
        store,
        small("5e0c0000-0000", day=1, label="nightly"),
        small("5e0d0000-0000", day=2, label="v1"),
        small("ffff0000-0000", day=3, label="nightly"),
    )
    assert store.past_run(reference).id == found
    assert store.run(reference).id == found


@pytest.mark.parametrize(
    ("reference", "message", "remedy"),
    [
        ("v2", "no run 'v2' in the history", "did you mean 'v1'?"),
        ("5e0", "no run '5e0' in the history", "did you mean"),
        ("5e0c", "several run ids begin with '5e0c'", "use a longer prefix: 5e0c0000-0000, 5e0c1111-0000"),
        ("qqqq\x1b[31m", "no run 'qqqq[31m' in the history", "'perfcheck history list' lists the saved runs"),
    ],
)
def test_a_run_that_is_not_found_is_reported_with_the_nearest(
    store: History, reference: str, message: str, remedy: str
) -> None:
    filled(store, small("5e0c0000-0000"), small("5e0c1111-0000"), small("ffff0000-0000", label="v1"))
    with pytest.raises(UsageError) as caught:
        store.run(reference)
    assert caught.value.message == message
    assert (caught.value.remedy or "").startswith(remedy)


# --- Labels, notes, pruning ----------------------------------------------------------------------------------------


def test_a_label_changes_where_runs_are_looked_up_and_not_in_the_document(store: History) -> None:
    filled(store, small("one", label="rc1"))
    store.set_label("one", "v1")
    assert store.past_run("v1").id == "one"
    assert store.run("v1").label == "v1"
    assert store.document("one") == encode_run(small("one", label="rc1"))
    assert [one.label for one in store.measurements()] == ["v1"]
    store.set_label("one", None)
    assert store.past_run("one").label is None
    with pytest.raises(UsageError, match="no run 'two'"):
        store.set_label("two", "v2")


def test_notes_of_a_run_and_of_a_commit(store: History) -> None:
    filled(store, small("one", day=1), small("two", day=2))
    first = store.add_note(run_id="one", incident="slow", cause="index", fix="put back")
    second = store.add_note(commit="02abcde", incident="leak")
    assert store.notes() == (first, second)
    assert (first.run_id, first.commit, first.incident, first.cause, first.fix) == (
        "one",
        None,
        "slow",
        "index",
        "put back",
    )
    assert store.notes(run_id="one") == (first,)
    assert store.notes(commit="02abcdef") == (second,)
    assert store.notes(run_id="one", commit="02abcdef") == (first, second)
    assert store.notes(run_id="none", commit="03abcdef") == ()


def test_pruning_leaves_what_has_a_label_or_a_note(store: History) -> None:
    filled(store, *(small(f"run-{day}", day=day, label="v1" if day == 2 else None) for day in range(1, 10)))
    store.add_note(run_id="run-1", incident="slow")
    store.add_note(commit="03abc", incident="slow")
    assert store.prune(older_than=None, keep=None) == 0
    assert store.prune(older_than="2026-10-08", keep=3, dry_run=True) == 3
    assert len(list(store.runs())) == 9
    assert store.prune(older_than="2026-10-08", keep=3) == 3
    assert [past.id[-1] for past in store.runs()] == ["9", "8", "7", "3", "2", "1"]
    assert store.prune(older_than="2026-10-08", keep=None) == 1
    assert store.prune(older_than=None, keep=0) == 2
    assert {one.run_id for one in store.measurements()} == {"run-1", "run-2", "run-3"}
    with pytest.raises(UsageError):
        store.document("run-9")


# --- Measurements --------------------------------------------------------------------------------------------------


def test_measurements_are_converted_by_the_column(store: History) -> None:
    """No function of Python is called for each: a report reads hundreds of thousands."""
    store.save(small("one"))
    past = only(store)
    row: Any = (*past[:13], *past.interval_ms, *past[14:])
    calls: list[str] = []
    sys.setprofile(lambda frame, event, _: calls.append(frame.f_code.co_name) if event == "call" else None)
    try:
        found = past_measurements([row] * 1000)
    finally:
        sys.setprofile(None)
    assert found == [past] * 1000
    assert len(calls) < len(found)


def only(store: History) -> PastMeasurement:
    (one,) = store.measurements()
    return one


def test_a_past_measurement_has_what_a_trend_needs(store: History) -> None:
    one = replace(small("one", label="v1").endpoints[0], samples_ms=(10.0, 20.0, 30.0, 40.0, 50.0), critical_path=True)
    store.save(replace(small("one", label="v1"), endpoints=(one,)))
    past = only(store)
    assert (past.run_id, past.started_at, past.label, past.commit) == (
        "one",
        "2026-10-01T12:00:00.000Z",
        "v1",
        "01abcdef",
    )
    assert (past.endpoint, past.group, past.verdict, past.decided) == ("videos.list", "videos", Verdict.OK, True)
    assert (past.value_ms, past.interval_ms) == (one.value_ms, one.interval_ms)
    assert (past.median_ms, past.p95_ms) == (one.latency_ms.median, one.latency_ms.p95)
    assert past.spread == pytest.approx(20 / 30)
    assert (past.target_ms, past.ideal_ms, past.error_rate) == (one.target_ms, one.ideal_ms, one.error_rate)
    assert (past.requests, past.critical_path, past.source) == (one.requests.sent, True, Source.MEASURED)


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ((), None),
        ((1.0, 2.0, 3.0), None),
        ((1.0, None, None, None), None),
        ((1.0, 1.0, 2.0, 2.0, 3.0, None), 1.5 / 2),
    ],
)
def test_spread(store: History, taken: tuple[float | None, ...], expected: float | None) -> None:
    one = replace(small("one").endpoints[0], samples_ms=taken)
    store.save(replace(small("one"), endpoints=(one,)))
    assert only(store).spread == (None if expected is None else pytest.approx(expected))


def test_measurements_come_by_endpoint_series_and_time(store: History) -> None:
    def of_two(name: str, day: int) -> Run:
        one = small(name, day=day)
        return replace(one, endpoints=(one.endpoints[0], replace(one.endpoints[0], name="a")))

    other = replace(of_two("d", 3), baseline=replace(small("d").baseline, file="other.yaml"))
    filled(store, of_two("b", 2), of_two("c", 4), of_two("a", 1), other)
    found = list(store.measurements())
    assert [one.endpoint for one in found] == ["a"] * 4 + ["videos.list"] * 4
    assert found == sorted(found, key=lambda one: (one.endpoint, one.series, one.started_at))
    assert len({one.series for one in found}) == 2
    assert [one.run_id for one in store.measurements(endpoint="a", series=found[0].series)] in (["a", "b", "c"], ["d"])
    assert len(list(store.measurements(endpoint="a", since="2026-10-02", until="2026-10-04"))) == 2
    assert list(store.measurements(source=Source.MONITORED)) == []
    assert list(store.endpoints()) == ["a", "videos.list"]


def test_the_latest_of_each_series(store: History) -> None:
    other = [replace(small(f"o{day}", day=day), baseline=replace(small("o").baseline, file="b.yaml")) for day in (1, 2)]
    unmeasured = replace(small("x", day=9), endpoints=(result(endpoint("videos.list"), []),))
    filled(store, *(small(f"r{day}", day=day) for day in (3, 1, 2, 5, 4)), *other, unmeasured)

    def ids(most: int, **span: Unpack[Filter]) -> list[tuple[str, int]]:
        found = [
            (" ".join(one.run_id for one in some), earlier)
            for some, earlier in store.latest("videos.list", most=most, **span)
        ]
        return sorted(found)

    assert ids(9) == [("o1 o2", 0), ("r1 r2 r3 r4 r5", 0)]
    assert ids(2) == [("o1 o2", 0), ("r4 r5", 3)]  # none of which is the one without a value
    assert ids(9, since="2026-10-02", until="2026-10-05") == [("o2", 0), ("r2 r3 r4", 0)]
    assert list(store.latest("absent", most=2)) == []


def of(one: Run, **changes: object) -> EndpointResult:
    return replace(one.endpoints[0], **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("same", "change"),
    [
        (True, lambda one: replace(one, endpoints=(of(one, url="http://localhost:49152/api/videos.list"),))),
        (True, lambda one: replace(one, endpoints=(of(one, target_ms=100.0, line=99),))),
        (True, lambda one: replace(one, baseline=replace(one.baseline, sha256="1" * 64))),
        (True, lambda one: replace(one, environment=replace(one.environment, platform="Linux 6.2-rc1 x86_64"))),
        (True, lambda one: replace(one, service=replace(one.service, base_url="http://localhost:1"))),
        (False, lambda one: replace(one, endpoints=(of(one, url="http://localhost:5001/api/videos.list?page=2"),))),
        (False, lambda one: replace(one, endpoints=(of(one, url="http://staging:5001/api/videos.list"),))),
        (False, lambda one: replace(one, endpoints=(of(one, method="HEAD"),))),
        (False, lambda one: replace(one, endpoints=(of(one, metric="p95"),))),
        (False, lambda one: replace(one, endpoints=(of(one, metric_of=MetricOf.FIRST_BYTE),))),
        (False, lambda one: replace(one, endpoints=(of(one, source=Source.MONITORED),))),
        (False, lambda one: replace(one, baseline=replace(one.baseline, file="other.yaml"))),
        (False, lambda one: replace(one, environment=replace(one.environment, cpus=4))),
        (False, lambda one: replace(one, environment=replace(one.environment, platform="Linux 6.1 aarch64"))),
        (False, lambda one: replace(one, environment=replace(one.environment, ci=None))),
    ],
)
def test_what_makes_another_series(store: History, same: bool, change: object) -> None:  # noqa: FBT001
    before = small("one")
    filled(store, before, replace(change(before), id="two"))  # type: ignore[operator]
    assert (len({one.series for one in store.measurements()}) == 1) is same


def test_what_was_saved_is_there_when_the_store_is_opened_again(url: str, tmp_path: Path) -> None:
    with open_history(url, tmp_path) as store:
        store.save(run())
    with open_history(url, tmp_path, create=False) as store:
        assert store.run(run().id) == run()


def test_measurements_are_chosen_by_branch(store: History) -> None:
    runs = [small(f"main-{day}", day=day) for day in range(1, 6)]
    runs += [small("feature", day=6, branch="feature"), small("detached-1", day=7), small("detached-2", day=8)]
    runs[-2:] = [replace(one, environment=replace(one.environment, branch=None)) for one in runs[-2:]]
    filled(store, *runs)
    assert store.branches() == (BranchRuns("main", 5), BranchRuns(None, 2), BranchRuns("feature", 1))
    assert store.branches("absent") == ()
    since = "2026-10-05T00:00:00.000Z"
    assert store.branches("videos.list", since=since) == (
        BranchRuns(None, 2),
        BranchRuns("feature", 1),
        BranchRuns("main", 1),
    )
    for branch, names in {
        "feature": ["feature"],
        "": ["detached-1", "detached-2"],
        "main": ["main-4", "main-5"],
    }.items():
        ((points, earlier),) = store.latest("videos.list", branch=branch, most=2)
        assert ([point.run_id for point in points], earlier) == (names, 3 if branch == "main" else 0)
        (last,) = store.last_times("2026-10-01T00:00:00.000Z", branch).values()
        assert last == points[-1].started_at
    assert [point.run_id for point in store.measurements(branch="feature")] == ["feature"]
    assert [past.id for past in store.runs(branch="", newest_first=False)] == ["detached-1", "detached-2"]


def test_a_reading_of_the_monitor_without_a_branch_counts_to_every_branch(store: History) -> None:
    reading, of_main = (
        replace(small(name, day=day), command=("perfcheck", "health"))
        for name, day in (("from outside", 2), ("of a checkout", 3))
    )
    reading = replace(reading, environment=replace(reading.environment, branch=None))
    filled(store, small("main"), small("feature", branch="feature"), reading, of_main)
    assert store.branches() == (BranchRuns("main", 2), BranchRuns("feature", 1))
    assert {past.id for past in store.runs(branch="feature")} == {"feature", "from outside"}
    assert {point.run_id for point in store.measurements(branch="main")} == {"main", "from outside", "of a checkout"}


def test_a_screened_endpoint_has_no_latency_in_the_history(store: History) -> None:
    measured = result(endpoint("videos.list"), samples(1, spread(40)), decision(Verdict.OK, 40.0))
    store.save(run([replace(measured, concurrency=8)]))
    past = only(store)
    assert (past.verdict, past.requests) == (Verdict.OK, 5)
    assert (past.value_ms, past.interval_ms, past.median_ms, past.p95_ms, past.spread) == (None, (None, None)) + (
        None,
    ) * 3
    assert list(store.latest("videos.list", most=10)) == []
