"""A worker, which sends its share of the load: forked by the master, or a process of its own on any machine,

    python -P -m perfcheck.capacity.engine.worker HOST PORT OWNS_HOST QUIET

What the two exchange are messages of Locust, over TCP:

    -> join {"version": "0.1.0"}                            or {"index": 0}, of a worker that the master has forked
    <- plan {"index": 0, "workers": 2, "plan": {...}}       only where it was not forked with it
    <- load {"step": 3, "shares": [20, 20]}                 again and again; where none arrives, the load pauses
    -> report {"worker": 0, "step": 3, "in_flight": 7, "parts": [...]}     ten times a second
    -> leave {"worker": 0, "reason": "..."}                 it ends
    <- end {"reason": "..."}                                it has to end; without a reason, since the search is over

Locust patches the process that it is imported by.
"""

from __future__ import annotations

import gc
import logging
import math
import os
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from time import perf_counter
from typing import Any, NoReturn

import gevent
from gevent.event import AsyncResult
from gevent.fileobject import FileObject
from locust import runners
from locust.env import Environment

from perfcheck import __version__
from perfcheck.capacity.engine.connection import check_tls
from perfcheck.capacity.engine.encryption import encrypt
from perfcheck.capacity.engine.locustfile import Dispatcher, LoadUser, VirtualUser, WorkerLoad
from perfcheck.capacity.engine.plan import LoadPlan
from perfcheck.capacity.engine.remote import KEY_VARIABLE
from perfcheck.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_NOT_MEASURED, EXIT_OK, EXIT_USAGE, UsageError

LOST_S = 15.0  # after so long without a message, the other side is taken to have ended
LAST_MESSAGE_S = 0.1  # that a message has to be sent before the process exits
_CONNECT_TIMEOUT_S = 30.0
_SILENT_S = 2.0
_TICK_S = 0.01  # between two looks at the lag of a worker
_TIMER_S = 0.001  # gevent's timers may be late by this much, which delays no request
_TICKS_A_REPORT = 10
_LONGEST_TICK_S = 0.1  # that counts as silence of the master: it is not silent while this process waits for a CPU

runners.MASTER_HEARTBEAT_TIMEOUT = sys.maxsize  # of Locust's own, which would leave a process that sends nothing


@dataclass(frozen=True, slots=True)
class _Ending:
    exit_code: int = EXIT_OK
    reason: str = ""
    remedy: str | None = None


_LOST = _Ending(EXIT_NOT_MEASURED, f"the master did not send anything for {LOST_S:g} s")


def prepare_process() -> None:
    """Before the load: every file descriptor that the system allows, and no pauses for garbage of the imports."""
    with suppress(ValueError, OSError):  # where the system has another limit of its own
        most_files = getrlimit(RLIMIT_NOFILE)[1]
        setrlimit(RLIMIT_NOFILE, (most_files, most_files))  # each user has a connection
    gc.collect()
    gc.freeze()  # what has been imported is not searched for garbage again: 50 ms, as lag of a worker


def work_for_parent(host: str, index: int, workers: int, plan: LoadPlan, lifeline: FileObject) -> NoReturn:
    """In a process that the master forked: until ``lifeline`` ends, on which the master writes its port."""
    port = lifeline.readline()
    if not port:
        os._exit(0)
    ending: AsyncResult = AsyncResult()
    runner = _runner(host, int(port))
    _begin(runner, index, workers, plan, ending)
    runner.send_message("join", {"index": index})
    gevent.spawn(lifeline.read).link(lambda _: ending.set(_Ending()))
    os._exit(ending.get().exit_code)


def main(host: str, port: int, *, owns_host: bool, quiet: bool) -> NoReturn:
    """Sends the load that a master requests, until it ends the search, or is silent for too long."""
    logging.basicConfig(level=logging.CRITICAL)  # what happens is shown below
    prepare_process()
    if key := os.environ.get(KEY_VARIABLE):
        encrypt(key)
    ending: AsyncResult = AsyncResult()
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, ending.set, _Ending(EXIT_INTERRUPTED, "it was interrupted"))
    message = f"no master of a capacity search answered at {host}:{port}"
    no_master = _Ending(EXIT_NOT_MEASURED, message, f"set {KEY_VARIABLE} to the master's, and check --master")
    connecting = gevent.spawn(_runner, host, port)
    gevent.wait([connecting, ending], timeout=_CONNECT_TIMEOUT_S, count=1)
    if ending.ready():
        _exit(ending.get())
    if not connecting.ready():
        _exit(no_master)
    runner = connecting.get()
    index: list[int] = []  # once the master has sent it

    def begin(data: dict[str, Any]) -> None:
        index.append(data["index"])
        try:
            plan = LoadPlan.from_json(data["plan"])
            _check(plan, host, owns_host=owns_host)
        except UsageError as error:
            ending.set(_Ending(error.exit_code, error.message, error.remedy))
        else:
            _begin(runner, data["index"], data["workers"], plan, ending, lost_s=LOST_S)
            if not quiet:
                _show(f"joined as worker {data['index'] + 1} of {data['workers']}")

    runner.register_message("plan", lambda msg, **_: begin(msg.data))
    runner.register_message("end", lambda msg, **_: ending.set(_ended(msg.data["reason"])))
    runner.send_message("join", {"version": __version__})
    gevent.spawn_later(_CONNECT_TIMEOUT_S, lambda: index or ending.set(no_master))
    end = ending.get()
    if end.reason and index:
        reason = f"{end.reason} ({end.remedy})" if end.remedy else end.reason
        runner.send_message("leave", {"worker": index[0], "reason": reason})
        gevent.sleep(LAST_MESSAGE_S)
    _exit(end)


def _check(plan: LoadPlan, master: str, *, owns_host: bool) -> None:
    """Raises UsageError for a service that this worker must not, or cannot, send requests to."""
    plan.check_target(master, owns_host=owns_host)
    try:
        check_tls(plan)
    except OSError as error:
        message = f"a file of service.tls cannot be used by this worker: {error.strerror or error}"
        raise UsageError(message, "copy it to the same path on this machine") from error


def _ended(reason: str) -> _Ending:
    return _Ending(EXIT_USAGE, f"the master refused it: {reason}") if reason else _Ending()


def _exit(ending: _Ending) -> NoReturn:
    if ending.reason:
        _show(f"error: {ending.reason}")
        if ending.remedy:
            _show(f"help: {ending.remedy}")
    os._exit(ending.exit_code)


def _show(line: str) -> None:
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


# --- Both kinds ------------------------------------------------------------------------------------------------------


def _runner(host: str, port: int) -> runners.WorkerRunner:
    return Environment(user_classes=[VirtualUser, Dispatcher]).create_worker_runner(host, port)


def _begin(
    runner: runners.WorkerRunner,
    index: int,
    workers: int,
    plan: LoadPlan,
    ending: AsyncResult,
    lost_s: float = math.inf,
) -> None:
    """``lost_s``: after so long without a message of the master, this process ends."""

    def fail(exception: BaseException, **_: object) -> None:
        """An exception in a user is a bug: the load would go on without it."""
        traceback.print_exception(exception)
        ending.set(_Ending(EXIT_BUG, f"{type(exception).__name__}: {exception}"))

    runner.environment.events.user_error.add_listener(fail)  # type: ignore[no-untyped-call]
    load = LoadUser.load = WorkerLoad(plan, runner, index, workers)
    runner.register_message("load", lambda msg, **_: load.receive(msg.data["step"], msg.data["shares"][index]))
    gevent.spawn(_report, index, load, runner, lost_s).link(lambda _: ending.set(_LOST))


def _report(index: int, load: WorkerLoad, runner: runners.WorkerRunner, lost_s: float) -> None:
    """Ten times a second, but for pauses, until the master is lost."""
    tick, last_s = 0, perf_counter()
    while load.silent_s < lost_s:
        due_s = perf_counter() + _TICK_S + _TIMER_S
        gevent.sleep(_TICK_S)
        now_s = perf_counter()
        load.silent_s += min(now_s - last_s, _LONGEST_TICK_S)
        last_s = now_s
        if load.silent_s > _SILENT_S:
            load.pause(now_s)
        if load.is_paused:
            continue
        load.recorder.note_lag(due_s, now_s)
        tick += 1
        if tick % _TICKS_A_REPORT == 0:
            parts = [part.to_json() for part in load.recorder.take(now_s, load.planned_from(now_s))]
            report = {"worker": index, "step": load.step, "in_flight": load.recorder.in_flight, "parts": parts}
            runner.send_message("report", report)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), owns_host=sys.argv[3] == "True", quiet=sys.argv[4] == "True")
