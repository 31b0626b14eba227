"""Stores of every version open, and come out as if they had been made today."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from simulation.runs import example_results, run
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from support.postgres import postgres_database

from perfcheck.errors import UsageError
from perfcheck.history.store import open_history
from perfcheck.history.store.tables import STEPS, migrate, schema_version
from perfcheck.model import Run

# One store of each version that was ever released, written by that version. Never edit or delete one.
VERSIONS = Path(__file__).parent.parent / "versions"
OLD_STORES = sorted(VERSIONS.glob("history-*.sqlite"))
NEWEST = 1 + len(STEPS)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url)
    yield engine
    engine.dispose()


def tables(engine: Engine) -> dict[str, list[Any]]:
    """Every table with its columns and indexes."""
    found = inspect(engine)
    return {
        name: [
            sorted((column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(name)),
            sorted((index["name"], index["column_names"]) for index in found.get_indexes(name)),
        ]
        for name in found.get_table_names()
    }


def copied(store: Path, folder: Path) -> Path:
    return Path(shutil.copy(store, folder / store.name))


def test_there_is_a_store_of_each_version() -> None:
    assert [file.name for file in OLD_STORES] == [f"history-{version}.sqlite" for version in range(1, NEWEST + 1)]


def but_for_its_version(old: Run, today: Run) -> Run:
    """Which client measured, and what excludes a failure rate, changed from version to version."""
    bounds = [result.error_rate_bound for result in today.endpoints]
    results = (replace(o, error_rate_bound=bound) for o, bound in zip(old.endpoints, bounds, strict=True))
    return replace(old, tool=today.tool, endpoints=tuple(results))


@pytest.mark.parametrize("file", OLD_STORES, ids=lambda file: file.name)
def test_a_store_of_an_old_version_is_read_and_takes_more(file: Path, tmp_path: Path) -> None:
    with open_history(str(copied(file, tmp_path)), tmp_path) as store:
        (past,) = store.runs()
        today = run(example_results()[:3])
        today = replace(today, environment=replace(today.environment, commit="0123abc"))  # as runs had it then
        assert but_for_its_version(store.run(past.id), today) == today
        assert len(list(store.measurements())) == 3
        assert [note.incident for note in store.notes()] == ["an incident"]
        assert store.prune(older_than="2027-01-01", keep=None) == 0  # it has a note


@pytest.mark.parametrize("file", OLD_STORES, ids=lambda file: file.name)
def test_a_store_that_was_brought_forward_is_like_a_new_one(file: Path, tmp_path: Path) -> None:
    old, new = (create_engine(f"sqlite:///{name}") for name in (copied(file, tmp_path), tmp_path / "new.sqlite"))
    for engine in (old, new):
        migrate(engine, "it")
    assert tables(old) == tables(new)
    old.dispose()
    new.dispose()


def add_weather(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE perfcheck_runs ADD COLUMN weather TEXT"))
    connection.execute(text("UPDATE perfcheck_runs SET weather = 'fine'"))


def name_weather(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE perfcheck_runs RENAME COLUMN weather TO sky"))


def fail(_: Connection) -> None:
    raise RuntimeError("in the middle of it")


LATER = (*STEPS, add_weather, name_weather)  # versions that are yet to be made


def test_steps_are_taken_from_the_version_that_a_store_has(url: str, engine: Engine, tmp_path: Path) -> None:
    with open_history(url, tmp_path) as store:
        store.save(run())
    migrate(engine, "it", (*STEPS, add_weather))
    migrate(engine, "it", LATER)
    migrate(engine, "it", LATER)
    with engine.connect() as connection:
        assert schema_version(connection) == NEWEST + 2
        assert connection.execute(text("SELECT id, sky FROM perfcheck_runs")).all() == [(run().id, "fine")]


def test_a_step_that_fails_leaves_the_store_as_it_was(url: str, engine: Engine, tmp_path: Path) -> None:
    with open_history(url, tmp_path) as store:
        store.save(run())
        before = tables(engine)
        with pytest.raises(RuntimeError):
            migrate(store._engine, "it", (*STEPS, add_weather, fail))
        assert tables(engine) == before
        assert store.run(run().id) == run()


def test_a_store_of_a_newer_version_is_refused(url: str, engine: Engine, tmp_path: Path) -> None:
    open_history(url, tmp_path).close()
    migrate(engine, "it", LATER)
    with pytest.raises(
        UsageError, match=rf"has schema version {NEWEST + 2}, and this perfcheck supports up to {NEWEST}"
    ):
        open_history(url, tmp_path)


def test_what_else_is_in_the_database_is_left_alone(url: str, engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE runs (id INTEGER)"))
    open_history(url, tmp_path).close()
    assert "runs" in tables(engine)
    assert all(name == "runs" or name.startswith("perfcheck_") for name in tables(engine))


def test_both_databases_get_the_same_tables(postgres: str, tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    open_history(str(file), tmp_path).close()
    with closing(sqlite3.connect(file)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    with postgres_database(postgres) as url:
        open_history(url, tmp_path).close()
        engine = create_engine(url)
        assert set(inspect(engine).get_table_names()) == {name for name in names if not name.startswith("sqlite_")}
        engine.dispose()
