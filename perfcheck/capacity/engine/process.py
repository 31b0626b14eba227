"""The processes of the engine: ``python -P -m perfcheck.capacity.engine.process COMMANDS REPORTS``, file descriptors.

The process is Locust's master, and forks a worker for each share of the load. Commands and reports are lines of JSON:

    {"plan": {...}, "workers": 2}                       the first, before anything else
    {"step": 3, "shares": [20, 20]}                     from now on each worker has this load
    {"event": "ready"}                                  each worker has reported
    {"event": "report", "worker": 0, "step": 3, "in_flight": 7, "parts": [...]}     ten times a second
    {"event": "silent", "worker": 1}                    it did not report for 1.5 s; its next report ends that
    {"event": "lost", "worker": 1, "reason": "..."}     it has ended

When the commands end, all load ends, and every process. Locust patches the process that it is imported by.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from time import perf_counter
from typing import Any, NoReturn

import gevent
from gevent.fileobject import FileObject
from locust.env import Environment
from locust.rpc.protocol import Message
from locust.runners import MasterRunner

from perfcheck.capacity.engine.locustfile import Dispatcher, LoadUser, VirtualUser, WorkerLoad
from perfcheck.capacity.engine.plan import LoadPlan
from perfcheck.model import LoadModel

_LOOPBACK = "127.0.0.1"
_TICK_S = 0.01  # between two looks at the lag of a worker
_TIMER_S = 0.001  # gevent's timers may be late by this much, which delays no request
_TICKS_A_REPORT = 10
_WATCH_S = 0.1
_SILENT_S = 1.5
_LOST_S = 15.0
_LAST_MESSAGE_S = 0.1


def main(commands: int, reports: int) -> NoReturn:
    lines = FileObject(commands, "rb")
    order = json.loads(lines.readline())
    plan = LoadPlan.from_json(order["plan"])
    with suppress(ValueError, OSError):  # where the system has another limit of its own
        most_files = getrlimit(RLIMIT_NOFILE)[1]
        setrlimit(RLIMIT_NOFILE, (most_files, most_files))  # each user has a connection
    gc.collect()
    gc.freeze()  # what has been imported is not searched for garbage again: 50 ms, as lag of a worker
    workers = [_fork(index, plan, order["workers"]) for index in range(order["workers"])]
    _Master(workers, reports).run(lines)


# --- The master ------------------------------------------------------------------------------------------------------


class _Worker:
    """As the master knows it."""

    def __init__(self, pid: int, lifeline: int) -> None:
        self.pid = pid
        self.lifeline = lifeline  # whose end ends the worker
        self.has_reported = False
        self.silent_s = 0.0
        self.is_lost = False


class _Master:
    def __init__(self, workers: list[_Worker], reports: int) -> None:
        self._workers = workers
        self._reports = os.fdopen(reports, "wb")
        self._runner: MasterRunner = Environment(user_classes=[LoadUser]).create_master_runner(_LOOPBACK, 0)
        self._runner.register_message("report", self._on_report)

    def run(self, commands: FileObject) -> NoReturn:
        for worker in self._workers:
            os.write(worker.lifeline, b"%d\n" % self._runner.server.port)
        gevent.spawn(self._watch)
        for line in commands:
            self._runner.send_message("load", json.loads(line))
        self._runner.send_message("load", {"step": sys.maxsize, "shares": [0] * len(self._workers)})
        gevent.sleep(_LAST_MESSAGE_S)
        os._exit(0)

    def _on_report(self, msg: Message, **_: object) -> None:
        worker = self._workers[msg.data["worker"]]
        worker.silent_s = 0.0
        if not worker.is_lost:
            self._write({"event": "report", **msg.data})
        if not worker.has_reported:
            worker.has_reported = True
            if all(other.has_reported for other in self._workers):
                self._write({"event": "ready"})

    def _watch(self) -> NoReturn:
        """Counts only the time in which this process runs: on a busy machine the workers are not silent, but wait."""
        while True:
            gevent.sleep(_WATCH_S)
            for index, worker in enumerate(self._workers):
                if worker.is_lost:
                    continue
                ended, status = os.waitpid(worker.pid, os.WNOHANG)
                if ended:
                    self._lose(index, f"it ended with exit code {os.waitstatus_to_exitcode(status)}")
                elif worker.has_reported:
                    self._note_silence(index, worker)

    def _note_silence(self, index: int, worker: _Worker) -> None:
        was_silent = worker.silent_s >= _SILENT_S
        worker.silent_s += _WATCH_S
        if worker.silent_s >= _LOST_S:
            os.kill(worker.pid, signal.SIGKILL)  # it would go on with its share of the load
            self._lose(index, f"it did not report for {_LOST_S:g} s")
        elif worker.silent_s >= _SILENT_S and not was_silent:
            self._write({"event": "silent", "worker": index})

    def _lose(self, index: int, reason: str) -> None:
        self._workers[index].is_lost = True
        self._write({"event": "lost", "worker": index, "reason": reason})

    def _write(self, event: dict[str, Any]) -> None:
        self._reports.write(json.dumps(event).encode() + b"\n")
        self._reports.flush()


# --- A worker --------------------------------------------------------------------------------------------------------


def _fork(index: int, plan: LoadPlan, workers: int) -> _Worker:
    """A worker has its plan from the memory of this process: no other process sees it."""
    end, lifeline = os.pipe()
    pid = os.fork()
    if pid:
        os.close(end)
        return _Worker(pid, lifeline)
    os.close(lifeline)
    try:
        _work(index, plan, workers, FileObject(end, "rb"))
    except BaseException:  # noqa: BLE001 - of any kind: nothing of the parent's code may run in this process
        traceback.print_exc()
    os._exit(1)


def _work(index: int, plan: LoadPlan, workers: int, lifeline: FileObject) -> NoReturn:
    port = lifeline.readline()
    if not port:
        os._exit(0)
    user_class = VirtualUser if plan.model is LoadModel.USERS else Dispatcher
    environment = Environment(user_classes=[user_class])
    environment.events.user_error.add_listener(_end_with_error)  # type: ignore[no-untyped-call]
    runner = environment.create_worker_runner(_LOOPBACK, int(port))
    load = LoadUser.load = WorkerLoad(plan, runner, workers)
    runner.register_message("load", lambda msg, **_: load.begin(msg.data["step"], msg.data["shares"][index]))
    gevent.spawn(_report, index, load, runner.send_message)
    lifeline.read()
    os._exit(0)


def _report(index: int, load: WorkerLoad, send: Any) -> NoReturn:
    tick = 0
    while True:
        due_s = perf_counter() + _TICK_S + _TIMER_S
        gevent.sleep(_TICK_S)
        now_s = perf_counter()
        load.recorder.note_lag(due_s, now_s)
        tick += 1
        if tick % _TICKS_A_REPORT == 0:
            parts = [part.to_json() for part in load.recorder.take(now_s, load.planned_from(now_s))]
            report = {"worker": index, "step": load.step, "in_flight": load.recorder.in_flight, "parts": parts}
            send("report", report)


def _end_with_error(exception: BaseException, **_: object) -> None:
    """An exception in a user is a bug: the load would go on without it."""
    traceback.print_exception(exception)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
