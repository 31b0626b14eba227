"""Several workers: what they counted is added up exactly, whatever becomes of a worker or of the directory."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import math
import os
import signal
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from apps.serving import gunicorn
from support.disks import full_disk
from support.waiting import eventually

import perfcheck.monitor
from perfcheck.monitor import configure, lifecycle, statistics, workers
from perfcheck.monitor.histogram import RELATIVE_ERROR
from perfcheck.monitor.registry import default
from perfcheck.monitor.statistics import Snapshot
from perfcheck.monitor.worker_directory import Membership, decode_snapshot, encode_snapshot

CLIENTS, REQUESTS = 4, 400  # of each
API = "/api/performance"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    perfcheck.monitor.reset()
    yield
    perfcheck.monitor.reset()


def count(name: str, times: int, status: int = 200) -> None:
    for _ in range(times):
        lifecycle.begin(name).finish(status=status)


def totals(snapshot: Snapshot) -> dict[str, int]:
    return {one.name: one.total for one in snapshot.endpoints}


def in_child(work: str, *names: str) -> None:
    """Fork, and have the child count; ``work`` says how it ends."""
    child = os.fork()
    if child == 0:
        try:
            for name in names:
                count(name, 5)
            if work != "unwritten":
                workers.this.write()
            if work == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def test_counts_of_workers_that_ended_are_kept_and_put_together(tmp_path: Path) -> None:
    configure(directory=str(tmp_path))
    count("api.a", 2)
    for ending in ("left", "killed", "left"):
        in_child(ending, "api.a", "api.b")
    for _ in range(3):
        snapshot = statistics()
        assert (totals(snapshot), snapshot.workers, snapshot.problems) == ({"api.a": 17, "api.b": 15}, 1, ())
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", ".alive", ".jsonl", ".jsonl"]
    in_child("left", "api.b")
    assert totals(statistics()) == {"api.a": 17, "api.b": 20}


def test_a_worker_that_lives_is_read_and_left_alone(tmp_path: Path) -> None:
    configure(directory=str(tmp_path))
    count("api.a", 1)
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            count("api.a", 5)
            running = lifecycle.begin("api.a")
            workers.this.write()
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            running.finish(status=500)
            workers.this.write()
        finally:
            os._exit(0)
    os.read(ready[0], 1)
    for _ in range(3):
        snapshot = statistics()
        assert (totals(snapshot), snapshot.workers) == ({"api.a": 6}, 2)
        assert snapshot.endpoints[0].in_flight == 1
    os.write(go[1], b"x")
    os.waitpid(child, 0)
    (one,) = statistics().endpoints
    assert (one.total, one.errors, one.in_flight, one.statuses) == (7, 1, 0, {200: 6, 500: 1})
    for end in (*ready, *go):
        os.close(end)


def test_a_crash_while_putting_together_neither_loses_nor_doubles(tmp_path: Path) -> None:
    """The counts of the dead are in ``gone`` already, and their files are still there."""
    configure(directory=str(tmp_path))
    in_child("left", "api.a")
    (left,) = tmp_path.glob("*-*.jsonl")
    snapshot, _ = decode_snapshot(left.read_text())
    (tmp_path / "gone.jsonl").write_text(encode_snapshot(snapshot, [left.stem]))
    count("api.a", 1)
    for _ in range(2):
        assert totals(statistics()) == {"api.a": 6}
    assert not left.exists()
    assert decode_snapshot((tmp_path / "gone.jsonl").read_text())[1] == frozenset()


def test_at_exit_the_last_counts_are_written_and_nothing_after_them(tmp_path: Path) -> None:
    configure(directory=str(tmp_path))
    count("api.a", 3)
    workers.this.leave()
    count("api.a", 1)
    workers.this.write()
    (file,) = tmp_path.glob("*-*.jsonl")
    assert decode_snapshot(file.read_text())[0].total == 3
    other = Membership(str(tmp_path))
    assert [snapshot.total for snapshot in other.others()[0]] == [3]
    other.close()


def test_moving_to_another_directory_takes_the_counts_along(tmp_path: Path) -> None:
    configure(directory=str(tmp_path / "a"))
    count("api.a", 3)
    assert statistics().total == 3
    configure(directory=str(tmp_path / "b"))
    assert statistics().total == 3
    configure(directory=str(tmp_path / "a"))
    assert statistics().total == 3


def test_a_directory_that_cannot_be_written_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("no directory")
    configure(directory=str(tmp_path / "file" / "below"))
    with caplog.at_level(logging.WARNING, "perfcheck.monitor"):
        count("api.a", 5)
        for _ in range(3):
            snapshot = statistics()
            assert totals(snapshot) == {"api.a": 5}
            assert len(snapshot.problems) == 1
            assert "the other workers do not see the counts of this one" in snapshot.problems[0]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert snapshot.defects == 0


def test_a_full_disk_harms_nobody_and_is_over_when_it_is_over(tmp_path: Path) -> None:
    configure(directory=str(tmp_path))
    in_child("left", "api.a")
    count("api.a", 1)
    with full_disk(100):
        full = statistics()
    assert totals(full) == {"api.a": 6}
    assert any("File too large" in problem for problem in full.problems)
    assert not list(tmp_path.glob("*.tmp"))
    after = statistics()
    assert (totals(after), after.problems) == ({"api.a": 6}, ())


def test_a_directory_that_is_cleared_in_the_middle_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    configure(directory=str(folder))
    count("api.a", 2)
    assert statistics().total == 2
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    count("api.a", 1)
    assert (statistics().total, statistics().problems) == (3, ())
    assert len(list(folder.glob("*-*.jsonl"))) == 1


@pytest.mark.parametrize(
    "content", ["", "nonsense", '{"format": "other/9"}', '{"format": "perfcheck.monitor/1"}', "[]"]
)
@pytest.mark.parametrize("name", ["1-ab.jsonl", "gone.jsonl"])
def test_a_file_that_is_broken_is_reported_and_kept(name: str, content: str, tmp_path: Path) -> None:
    configure(directory=str(tmp_path))
    (tmp_path / name).write_text(content)
    in_child("left", "api.a")
    count("api.a", 1)
    for _ in range(2):
        snapshot = statistics()
        assert totals(snapshot) == {"api.a": 6}
        assert len(snapshot.problems) == 1
    assert (tmp_path / name).read_text() == content


def test_a_thread_writes_by_itself(tmp_path: Path) -> None:
    configure(directory=str(tmp_path))
    count("api.a", 3)

    def written() -> bool:
        return any(decode_snapshot(path.read_text())[0].total == 3 for path in tmp_path.glob("*-*.jsonl"))

    eventually(written)


def test_without_a_directory_there_is_no_thread() -> None:
    count("api.a", 3)
    statistics()
    assert not [thread for thread in threading.enumerate() if thread.name == "perfcheck-monitor"]


def ask(url: str, client: int, requests: int, seen: Counter[tuple[str, int]]) -> None:
    """One client with paths of its own, some with an error of the application among them."""
    at = urlsplit(url)
    paths = [
        ("/random", "GET /random"),
        (f"/ok/{client}", "GET /ok"),
        ("/named", "api.named"),
        ("/x", "GET (unmatched)"),
    ]
    with contextlib.closing(http.client.HTTPConnection(at.hostname or "", at.port, timeout=30)) as connection:
        for number in range(requests):
            # Few of these: the server logs each with a traceback.
            path, name = paths[number % len(paths)] if number % 200 else ("/raises", "GET /raises")
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            seen[name, response.status] += 1


def exact_quantile(sample: list[int], p: float) -> float:
    return sorted(sample)[max(1, math.ceil(p * len(sample) - 1e-9)) - 1] / 1e9


@pytest.mark.parametrize("options", [["-k", "sync"], ["-k", "gthread", "--threads", "4"]], ids=["sync", "gthread"])
def test_four_workers_of_gunicorn_count_exactly(options: list[str], tmp_path: Path) -> None:
    records, folder = tmp_path / "records", tmp_path / "shared"
    records.mkdir()
    env = {"PERFCHECK_MONITOR_DIR": str(folder), "TEST_RECORDS": str(records)}
    seen: list[Counter[tuple[str, int]]] = [Counter() for _ in range(CLIENTS)]
    # Workers are replaced in the middle, as production does it.
    with gunicorn("apps.bare_apps:wsgi", "-w", "4", "--max-requests", "150", *options, env=env) as url:
        threads = [threading.Thread(target=ask, args=(url, i, REQUESTS, seen[i])) for i in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asked = sum(seen, Counter())

        def all_there() -> dict[str, int] | None:
            summary = httpx.get(f"{url}{API}/stats").json()
            found = {one["endpoint"]: one["total_requests"] for one in summary["all_endpoints"]}
            assert sum(found.values()) <= CLIENTS * REQUESTS
            return found if sum(found.values()) == CLIENTS * REQUESTS else None

        by_name: Counter[str] = Counter()
        for (name, _), times in asked.items():
            by_name[name] += times
        assert eventually(all_there) == dict(by_name)
    held_against_the_truth(folder, records, asked)


def held_against_the_truth(folder: Path, records: Path, asked: Counter[tuple[str, int]]) -> None:
    """After the last worker has gone, from the directory alone."""
    reader = Membership(str(folder))
    (gone,), problems = reader.others()
    reader.close()
    assert problems == []
    truth: defaultdict[str, list[int]] = defaultdict(list)
    for file in records.iterdir():
        for line in file.read_text().splitlines():
            name, duration = line.split("\t")
            truth[name].append(int(duration))
    assert len(list(records.iterdir())) >= 4
    for one in gone.endpoints:
        durations = truth.pop(one.name)
        assert (one.total, one.duration.total_ns, one.in_flight) == (len(durations), sum(durations), 0)
        assert (one.duration.least_ns, one.duration.most_ns) == (min(durations), max(durations))
        assert one.duration.squares == sum(ns * ns for ns in durations)
        for p in (0.5, 0.9, 0.95, 0.99):
            assert one.duration.quantile_s(p) == pytest.approx(exact_quantile(durations, p), rel=RELATIVE_ERROR)
        statuses = {status: times for (name, status), times in asked.items() if name == one.name}
        if one.name == "GET /raises":  # the server answers 500; the application had no status
            assert (one.errors, one.statuses) == (sum(statuses.values()), {})
        else:
            assert (one.statuses, one.errors) == (dict(sorted(statuses.items())), statuses.get(500, 0))
    assert not truth


def test_a_handler_that_forks_under_gunicorn(tmp_path: Path) -> None:
    env = {"PERFCHECK_MONITOR_DIR": str(tmp_path)}
    with gunicorn("apps.bare_apps:wsgi", "-w", "2", env=env) as url:
        answers = [httpx.get(f"{url}/fork").text for _ in range(10)]
    assert answers == ["child left with 0"] * 10
    reader = Membership(str(tmp_path))
    (gone,), _ = reader.others()
    reader.close()
    # The children ended without writing, as those that are killed: theirs is lost, and the parents' is not.
    assert totals(gone) == {"GET /fork": 10}


def test_a_server_whose_directory_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    env = {"PERFCHECK_MONITOR_DIR": str(tmp_path / "file" / "below")}
    with gunicorn("apps.bare_apps:wsgi", "-w", "1", env=env) as url:
        assert [httpx.get(f"{url}/ok").text for _ in range(20)] == ["hello"] * 20
        told = httpx.get(f"{url}{API}/stats").json()
    assert told["summary"]["total_requests_processed"] == 20
    assert "do not see the counts" in json.dumps(told)


def test_forgetting_is_complete(tmp_path: Path) -> None:
    configure(directory=str(tmp_path))
    count("api.a", 3)
    perfcheck.monitor.reset()
    assert default.snapshot().endpoints == ()
    assert statistics().endpoints == ()
