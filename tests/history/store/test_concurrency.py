"""Many writers at once, and writers that are killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from simulation.runs import run
from support.savers import SHARED, killed, saved_run, together

from perfcheck.history.store import History, open_history
from perfcheck.runfile import encode_run

PROCESSES, RUNS, KILLS = 16, 10, 10


def whole(store: History) -> set[str]:
    """The ids of all runs, each of which has all its rows and its document."""
    one_run = saved_run()
    ids = [past.id for past in store.runs()]
    rows: dict[str, int] = {}
    for one in store.measurements():
        rows[one.run_id] = rows.get(one.run_id, 0) + 1
    assert len(ids) == len(set(ids))
    assert rows == dict.fromkeys(ids, len(one_run.endpoints))
    assert all(store.document(name) == encode_run(replace(one_run, id=name)) for name in ids)
    return set(ids)


def test_sixteen_processes_at_once_lose_nothing_and_save_nothing_twice(url: str, tmp_path: Path) -> None:
    """They begin with a store that is not there yet, and each saves the same run first."""
    saved = together(url, PROCESSES, RUNS)
    assert len(saved) == PROCESSES * RUNS + 1
    assert saved.count(SHARED) == 1
    with open_history(url, tmp_path, create=False) as store:
        assert whole(store) == set(saved)


def test_a_kill_in_the_middle_leaves_whole_runs_and_a_store_that_takes_more(url: str, tmp_path: Path) -> None:
    saved = killed(url, KILLS)
    with open_history(url, tmp_path, create=False) as store:
        there = whole(store)
        assert set(saved) <= there
        assert len(there - set(saved)) <= KILLS  # saved, and killed before it could say so
        assert store.save(run())
        assert store.run(run().id) == run()
