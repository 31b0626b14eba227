"""Regressions that are not in a query: waiting, failing, never answering."""

from __future__ import annotations

from http import HTTPStatus
from random import Random
from threading import Lock
from time import sleep

from perfcheck.demo.api import RefusedError
from perfcheck.demo.regressions import Regression

# Settings take about 13 ms by themselves. With this they lie between 1.5x and 2x of a target of 100 ms, far enough from
# both that the jitter of three queries crosses neither.
_CONFIGURATION_SERVICE_S = 0.160
_LOCK_S = 0.150
_SLOWER_BY = 0.15
_SHARE_WAITING_FOR_LOCK = 1 / 8
_FAILS_EVERY = 5  # counted, not drawn: exactly one in five, in every run

_SEARCH = "/api/videos/search"
_UNIVERSAL_SEARCH = "/api/videos/universal-search"
_SETTINGS = "/api/settings/"
_HEALTH = "/api/health"


class Faults:
    """What the injected regressions do to a request beside what its handler does."""

    def __init__(self, regressions: frozenset[Regression], seed: int) -> None:
        self._regressions = regressions
        self._random = Random(seed)  # noqa: S311 - jitter, not secrets
        self._searches = 0
        self._counting = Lock()

    def hangs(self, path: str) -> bool:
        """Whether a request for this path is never to be answered."""
        return path == _UNIVERSAL_SEARCH and Regression.HANG in self._regressions

    def before(self, path: str) -> None:
        """Wait, or raise RefusedError (500), as the regressions say."""
        if path == _SETTINGS and Regression.SLOW_SETTINGS in self._regressions:
            sleep(_CONFIGURATION_SERVICE_S)
        if path == _HEALTH and Regression.SLOW_TAIL in self._regressions:
            self._wait_for_lock()
        if path == _SEARCH and Regression.ERRORS in self._regressions:
            self._fail_at_times()

    def after(self, path: str, took_s: float) -> None:
        """Wait once more, after a handler that took so long."""
        if path == _SEARCH and Regression.SLOWER_SEARCH in self._regressions:
            sleep(_SLOWER_BY * took_s)

    def _wait_for_lock(self) -> None:
        if self._random.random() < _SHARE_WAITING_FOR_LOCK:
            sleep(_LOCK_S)

    def _fail_at_times(self) -> None:
        with self._counting:
            self._searches += 1
            fails = self._searches % _FAILS_EVERY == 0
        if fails:
            raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "the search index did not answer")
