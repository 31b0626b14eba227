"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from support.command import stop_forks
from support.postgres import postgres_server

# How long an example takes says more of the machine than of the code: no test is timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def _forks() -> Iterator[None]:
    yield
    stop_forks()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL, which is started when the first test asks for it."""
    with postgres_server() as url:
        yield url
