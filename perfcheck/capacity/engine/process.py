"""The master of the engine: ``python -P -m perfcheck.capacity.engine.process COMMANDS REPORTS``, file descriptors.

Commands and reports are lines of JSON:

    {"plan": {...}, "workers": 2}                       the first, before anything else. With "bind", a host and a port,
                                                        remote workers join there, by "key"; else they are forked
    {"step": 3, "shares": [20, 20]}                     from now on each worker has this load; sent again and again
    {"event": "listening", "port": 5557}                workers may join
    {"event": "ready"}                                  each worker has reported
    {"event": "report", "worker": 0, "step": 3, "in_flight": 7, "parts": [...]}     ten times a second
    {"event": "silent", "worker": 1}                    it did not report for 1.5 s; its next report ends that
    {"event": "lost", "worker": 1, "reason": "..."}     it has ended

When the commands end, all load ends, and every process. When they pause, the workers pause.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from dataclasses import dataclass
from typing import Any, NoReturn

import gevent
from gevent.fileobject import FileObject
from locust.env import Environment
from locust.rpc.protocol import Message
from locust.runners import MasterRunner

from perfcheck import __version__
from perfcheck.capacity.engine.encryption import encrypt
from perfcheck.capacity.engine.locustfile import LoadUser
from perfcheck.capacity.engine.plan import LoadPlan
from perfcheck.capacity.engine.worker import LAST_MESSAGE_S, LOST_S, prepare_process, work_for_parent

_LOOPBACK = "127.0.0.1"
_WATCH_S = 0.1
_SILENT_S = 1.5


def main(commands: int, reports: int) -> NoReturn:
    lines = FileObject(commands, "rb")
    order = json.loads(lines.readline())
    workers = [_Worker() for _ in range(order["workers"])]
    if "bind" not in order:
        prepare_process()
        plan = LoadPlan.from_json(order["plan"])
        workers = [_fork(index, plan, order["workers"]) for index in range(order["workers"])]
    elif order["key"]:
        encrypt(order["key"])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end of the commands ends it, with a last message to the workers
    _Master(workers, order, reports).run(lines)


@dataclass(slots=True)
class _Worker:
    """As the master knows it."""

    pid: int | None = None  # of one that was forked here
    lifeline: int | None = None  # whose end ends it
    node: str | None = None  # Locust's name of it, once it has joined
    has_reported: bool = False
    silent_s: float = 0.0
    is_lost: bool = False


class _Master:
    def __init__(self, workers: list[_Worker], order: dict[str, Any], reports: int) -> None:
        self._workers = workers
        self._plan = order["plan"]
        self._silent_s = 0.0  # since the last command
        self._reports = os.fdopen(reports, "wb")
        host, port = order.get("bind", (_LOOPBACK, 0))
        self._runner: MasterRunner = Environment(user_classes=[LoadUser]).create_master_runner(host, port)
        self._runner.register_message("join", self._on_join)
        self._runner.register_message("report", self._on_report)
        self._runner.register_message("leave", self._on_leave)

    def run(self, commands: FileObject) -> NoReturn:
        port = self._runner.server.port
        self._write({"event": "listening", "port": port})
        for worker in self._workers:
            if worker.lifeline is not None:
                os.write(worker.lifeline, b"%d\n" % port)
        gevent.spawn(self._watch)
        for line in commands:
            self._silent_s = 0.0
            self._send("load", json.loads(line))
        self._send("load", {"step": sys.maxsize, "shares": [0] * len(self._workers)})
        self._send("end", {"reason": ""})
        gevent.sleep(LAST_MESSAGE_S)
        os._exit(0)

    def _send(self, kind: str, data: dict[str, Any]) -> None:
        """To all workers that have joined."""
        for worker in self._workers:
            if worker.node is not None:
                self._runner.send_message(kind, data, client_id=worker.node)

    def _on_join(self, msg: Message, **_: object) -> None:
        index = msg.data.get("index", self._vacant)
        version = msg.data.get("version", __version__)
        reason = None
        if index is None:
            reason = f"it has its {len(self._workers)} workers"
        elif version != __version__:
            reason = f"it is perfcheck {__version__}, and the worker {version}"
        if reason or index is None:
            self._runner.send_message("end", {"reason": reason}, client_id=msg.node_id)
            return
        worker = self._workers[index]
        worker.node = msg.node_id
        if worker.pid is None:
            order = {"index": index, "workers": len(self._workers), "plan": self._plan}
            self._runner.send_message("plan", order, client_id=msg.node_id)

    @property
    def _vacant(self) -> int | None:
        """The first place that a worker may take; of one that has left, none: its share of the steps went to others."""
        places = (index for index, worker in enumerate(self._workers) if worker.pid is None and worker.node is None)
        return next(places, None)

    def _on_report(self, msg: Message, **_: object) -> None:
        worker = self._workers[msg.data["worker"]]
        if worker.is_lost:
            reason = f"it did not hear of the worker for {LOST_S:g} s, and has gone on without it"
            self._runner.send_message("end", {"reason": reason}, client_id=msg.node_id)
            return
        worker.silent_s = 0.0
        self._write({"event": "report", **msg.data})
        if not worker.has_reported:
            worker.has_reported = True
            if all(other.has_reported for other in self._workers):
                self._write({"event": "ready"})

    def _on_leave(self, msg: Message, **_: object) -> None:
        if not self._workers[msg.data["worker"]].is_lost:
            self._lose(msg.data["worker"], msg.data["reason"])

    def _watch(self) -> NoReturn:
        """Counts only the time in which this process runs: on a busy machine the workers are not silent, but wait."""
        while True:
            gevent.sleep(_WATCH_S)
            self._silent_s += _WATCH_S
            for index, worker in enumerate(self._workers):
                if worker.is_lost:
                    continue
                ended, status = os.waitpid(worker.pid, os.WNOHANG) if worker.pid is not None else (0, 0)
                if ended:
                    self._lose(index, f"it ended with exit code {os.waitstatus_to_exitcode(status)}")
                elif worker.has_reported:
                    self._note_silence(index, worker)

    def _note_silence(self, index: int, worker: _Worker) -> None:
        if self._silent_s >= _SILENT_S:  # without commands the workers pause, and report nothing
            worker.silent_s = 0.0
            return
        was_silent = worker.silent_s >= _SILENT_S
        worker.silent_s += _WATCH_S
        if worker.silent_s >= LOST_S:
            if worker.pid is not None:
                os.kill(worker.pid, signal.SIGKILL)  # it would go on with its share of the load
            self._lose(index, f"it did not report for {LOST_S:g} s")
        elif worker.silent_s >= _SILENT_S and not was_silent:
            self._write({"event": "silent", "worker": index})

    def _lose(self, index: int, reason: str) -> None:
        self._workers[index].is_lost = True
        self._write({"event": "lost", "worker": index, "reason": reason})

    def _write(self, event: dict[str, Any]) -> None:
        self._reports.write(json.dumps(event).encode() + b"\n")
        self._reports.flush()


def _fork(index: int, plan: LoadPlan, workers: int) -> _Worker:
    """A worker has its plan from the memory of this process: no other process sees it."""
    end, lifeline = os.pipe()
    pid = os.fork()
    if pid:
        os.close(end)
        return _Worker(pid, lifeline)
    os.close(lifeline)
    try:
        work_for_parent(_LOOPBACK, index, workers, plan, FileObject(end, "rb"))
    except BaseException:  # noqa: BLE001 - of any kind: nothing of the parent's code may run in this process
        traceback.print_exc()
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
