"""Several workers of one service: each leaves its counts in a directory, and the one that answers adds them all up.

A thread writes once a second while something changes, and less often where that takes more than 2% of its time; the
last counts are written at exit. Errors of the directory never reach a request.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import time
from dataclasses import replace
from threading import Event, Lock, Thread

from perfcheck.monitor import registry
from perfcheck.monitor.log import log_safely
from perfcheck.monitor.settings import Settings, settings
from perfcheck.monitor.statistics import Snapshot, merge_snapshots
from perfcheck.monitor.worker_directory import Membership

WRITE_EVERY_S = 1.0
_MOST_OF_TIME = 0.02  # of the time may go into writing
_TIMEOUT_S = 2.0


class Worker:
    def __init__(self) -> None:
        self._exit_registered = False
        self._membership: Membership | None = None
        self.forget()

    def forget(self) -> None:
        """Begin as if the process had just started; a forked child does, whose parent keeps the lock."""
        self._lock = Lock()
        if self._membership is not None:
            self._membership.close()
            self._membership = None
        self._thread: Thread | None = None
        self._stop = Event()
        self._written: object = None
        self._problem: str | None = None
        self._logged: set[str] = set()
        self._left = False

    def follow(self, now: Settings) -> None:
        """Take part in the directory that is set, from the first request on."""
        if now.directory is None or (self._thread is not None and self._thread.is_alive()):
            return
        if not self._exit_registered:
            self._exit_registered = True
            atexit.register(self.leave)
        self._stop = Event()
        thread = Thread(target=self._write_regularly, args=(self._stop,), name="perfcheck-monitor", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads allowed
            self._report(f"the counts of this worker reach the others late: {error}")
            return
        self._thread = thread

    def snapshot(self) -> Snapshot:
        """All workers' figures; this one's alone without a directory, or where it cannot be read."""
        own = registry.default.snapshot()
        now = settings()
        if now.directory is None:
            return own
        self.follow(now)
        others: list[Snapshot] = []
        problems = ["the counts of the other workers are missing: timeout while reading the directory"]
        if self._lock.acquire(timeout=_TIMEOUT_S):
            try:
                self._publish(own, now.directory)
                others, problems = self._others()
            finally:
                self._lock.release()
        if self._problem is not None:
            problems = [self._problem, *problems]
        return replace(merge_snapshots([own, *others]), problems=tuple(dict.fromkeys(problems)))

    def write(self) -> None:
        """Leave the current counts in the directory, if there is one."""
        path = settings().directory
        if path is not None and self._lock.acquire(timeout=_TIMEOUT_S):
            try:
                self._publish(registry.default.snapshot(), path)
            finally:
                self._lock.release()

    def leave(self) -> None:
        """At exit: the last counts, which stay."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_TIMEOUT_S)
        if settings().directory is not None:
            self.write()
        self._left = True
        if self._membership is not None:
            self._membership.close()
            self._membership = None

    def _publish(self, own: Snapshot, path: str) -> None:
        if self._left:  # its file is complete; a new one would count it twice
            return
        state = [(endpoint.name, endpoint.total, endpoint.in_flight) for endpoint in own.endpoints]
        try:
            if self._membership is not None and self._membership.path != path:
                moving, self._membership = self._membership, None
                moving.withdraw()
            if self._membership is None:
                self._membership, self._written = Membership(path), None
                self._membership.others()  # merges the counts of dead workers, also where no other worker reads them
            if state != self._written or self._problem is not None:
                self._membership.publish(own)
            self._written, self._problem = state, None
        except (OSError, ValueError) as error:
            self._written = None
            self._report(f"the other workers do not see the counts of this one: {error}")

    def _others(self) -> tuple[list[Snapshot], list[str]]:
        if self._membership is None:
            return [], []
        try:
            return self._membership.others()
        except (OSError, ValueError) as error:
            problem = f"the counts of the other workers are missing: {error}"
            self._log_once(problem)
            self._written = None  # the directory may be gone: it is created again
            return [], [problem]

    def _report(self, problem: str) -> None:
        self._problem = problem
        self._log_once(problem)

    def _log_once(self, problem: str) -> None:
        if len(self._logged) < 10 and problem not in self._logged:  # noqa: PLR2004 - a few, once each
            self._logged.add(problem)
            log_safely(logging.WARNING, "%s", problem)

    def _write_regularly(self, stop: Event) -> None:
        pause = WRITE_EVERY_S
        while not stop.wait(pause):
            began = time.thread_time()
            try:
                self.write()
            except Exception as error:  # noqa: BLE001 - tried again at the next turn
                registry.default.count_failure(error)
            pause = max(WRITE_EVERY_S, (time.thread_time() - began) / _MOST_OF_TIME)


this = Worker()
registry.default.on_settings = this.follow
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=this.forget)


def restart() -> None:
    """Leave the directory and forget it. For tests."""
    with contextlib.suppress(OSError):
        this.leave()
    this.forget()
