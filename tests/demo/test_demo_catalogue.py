from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from perfcheck.demo import catalogue


def dump(seed: int) -> list[str]:
    with closing(catalogue.build(seed)) as database:
        return list(database.iterdump())


def count(database: sqlite3.Connection, table: str) -> int:
    number: int = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return number


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    assert dump(7) == dump(7)
    assert dump(7) != dump(8)


@pytest.mark.parametrize("seed", [0, 1, -5, 2**40])
def test_any_seed_gives_a_whole_catalogue(seed: int) -> None:
    with closing(catalogue.build(seed)) as database:
        assert count(database, "videos") == 3000
        assert count(database, "artists") == 400
        assert 8000 < count(database, "video_tags") < 10_000
        assert count(database, "settings") == 21
        found = {status for (status,) in database.execute("SELECT DISTINCT status FROM videos")}
        assert found == set(catalogue.STATUSES)
        orphans = """SELECT count(*) FROM videos v
        LEFT JOIN artists a ON a.id = v.artist_id LEFT JOIN labels l ON l.id = v.label_id
        WHERE a.id IS NULL OR l.id IS NULL"""
        assert database.execute(orphans).fetchone() == (0,)


def test_dates_are_real_dates() -> None:
    with closing(catalogue.build(1)) as database:
        wrong = "SELECT count(*) FROM videos WHERE strftime('%Y-%m-%dT%H:%M:%SZ', created_at) IS NOT created_at"
        assert database.execute(wrong).fetchone() == (0,)
