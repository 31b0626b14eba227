"""What holds for every test."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings
from support.command import stop_forks
from support.forks import pauses_of_tests
from support.postgres import postgres_server

# The duration of an example depends on the machine more than on the code: no test is timed. Each run draws new
# examples: few before every commit find more than many now and then.
settings.register_profile("untimed", deadline=None, max_examples=25)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Where no bytecode may be written next to the sources, as in many containers, keep it in pytest's cache.

    Otherwise every process that a test starts compiles the package again.
    """
    heed_signals()
    cache = getattr(config, "cache", None)
    if sys.dont_write_bytecode and cache:
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(cache.mkdir("bytecode"))
        sys.dont_write_bytecode = False
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def heed_signals() -> None:
    """A shell ignores Ctrl-C in what it runs in the background; the tests of interruptions need the signals."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """More than there are processors, since half of the time is spent waiting; a part is run in one process."""
    return (os.cpu_count() or 1) * 3 // 2 if config.args == config.getini("testpaths") else 0


@pytest.fixture(scope="session", autouse=True)
def _forks() -> Iterator[None]:
    yield
    stop_forks()


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process pause as briefly as those of forked commands."""
    for module, name, pause_s in pauses_of_tests():
        monkeypatch.setattr(module, name, pause_s)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL, started for the first test that needs it."""
    with postgres_server() as url:
        yield url
