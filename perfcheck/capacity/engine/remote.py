"""Workers on other machines: where they join, and how this process becomes one."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_hex
from time import monotonic, sleep
from typing import NoReturn

from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.hosts import is_loopback
from perfcheck.service_process import accepts_connections
from perfcheck.units import format_about

KEY_VARIABLE = "PERFCHECK_WORKERS_KEY"
JOIN_TIMEOUT_S = 300.0  # for workers, and for their master: machines may have to be started
ENVIRONMENT = {"LOCUST_SKIP_MONKEY_PATCH": ""}  # set, it would make all requests wait for each other
_WORKER = "perfcheck.capacity.engine.worker"
_POLL_S = 0.2
_SHORTEST_KEY = 16


@dataclass(frozen=True, slots=True)
class RemoteWorkers:
    """So many, which are not started here, but join at a host and port of this machine."""

    count: int
    host: str
    port: int  # 0: one that is free
    waiting: Callable[[int, int], None] = lambda _port, _joined: None  # called with the port, and how many have joined
    key: str | None = None  # that the workers have in their environment; without it anybody may join


def worker_count(workers: int | RemoteWorkers) -> int:
    return workers.count if isinstance(workers, RemoteWorkers) else workers


def check_bind(host: str, port: int) -> str:
    """The address of the host. Raises UsageError where this machine cannot listen there."""
    try:
        address = socket.gethostbyname(host)
        socket.create_server((address, port)).close()
    except OSError as error:
        message = f"workers cannot join at {host}:{port}: {error.strerror or error}"
        raise UsageError(message, "give --bind an address of this machine, and a port that is free") from error
    return address


def key_for(host: str, environment: Mapping[str, str]) -> str | None:
    """The key that workers joining at this host need. Raises UsageError without one that nobody guesses."""
    key = environment.get(KEY_VARIABLE, "")
    if (key or not is_loopback(host)) and len(key) < _SHORTEST_KEY:
        message = f"workers get the secrets of the baseline, so they need a key: {_SHORTEST_KEY} characters or more"
        raise UsageError(message, f"set {KEY_VARIABLE} here and for each worker, for example to: {token_hex(16)}")
    return key or None


def await_master(host: str, port: int, timeout_s: float = JOIN_TIMEOUT_S) -> None:
    """Raises CouldNotMeasureError where none listens in time; that its name is not known yet is no error."""
    deadline_s = monotonic() + timeout_s
    while not accepts_connections((host, port)):
        if monotonic() > deadline_s:
            message = f"no master listened at {host}:{port} within {format_about(timeout_s)}"
            remedy = "start it there: perfcheck capacity --expect-workers N --bind HOST:PORT; or correct --master"
            raise CouldNotMeasureError(message, remedy)
        sleep(_POLL_S)


def become_worker(host: str, port: int, *, owns_host: bool, quiet: bool) -> NoReturn:
    """In place of this process, which Locust would patch."""
    arguments = [sys.executable, "-P", "-m", _WORKER, host, str(port), str(owns_host), str(quiet)]
    os.execve(sys.executable, arguments, {**os.environ, **ENVIRONMENT})  # noqa: S606 - ourselves
