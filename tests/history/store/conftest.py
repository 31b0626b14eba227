"""Every test of the store is one of SQLite and one of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.postgres import postgres_database

from perfcheck.history.store import History, open_history


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of an empty place for a history."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'history.sqlite'}"
    else:
        with postgres_database(request.getfixturevalue("postgres")) as database:
            yield database


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[History]:
    with open_history(url, tmp_path) as history:
        yield history
