"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from support.command import stop_forks
from support.postgres import postgres_server

# The duration of an example depends on the machine more than on the code: no test is timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def _forks() -> Iterator[None]:
    yield
    stop_forks()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL, started for the first test that needs it."""
    with postgres_server() as url:
        yield url
