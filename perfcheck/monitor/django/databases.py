"""Django's databases: every statement of every connection is counted for the request that is running.

A connection belongs to one thread, and Django opens it there when it is first used, in an asynchronous request also in
a thread other than the middleware's. So the wrapper is put on a connection when it is opened, and stays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter
from typing import Any

from django.db import connections
from django.db.backends.signals import connection_created

from perfcheck.monitor.log import tell
from perfcheck.monitor.trace import current


def watch_databases() -> None:
    """From now on. Watching twice changes nothing."""
    connection_created.connect(_opened, dispatch_uid="perfcheck.monitor")
    watch_open_connections()


def watch_open_connections() -> None:
    """Those of this thread that were opened before."""
    for connection in connections.all(initialized_only=True):
        _watch(connection)


def _opened(connection: Any, **_: Any) -> None:
    _watch(connection)


def _watch(connection: Any) -> None:
    """The first of all wrappers: ``connection.execute_wrapper`` takes the last one off at its end, which is its own."""
    if _count not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _count)


def _count(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
    started = perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        _record(sql, perf_counter() - started)


def _record(sql: Any, seconds: float) -> None:
    try:
        trace = current()
        if trace is not None:
            trace.add_query(sql if isinstance(sql, str) else f"({type(sql).__name__})", seconds)
    except Exception:  # noqa: BLE001 - the application's statement must not fail for its monitor
        tell(logging.ERROR, "a statement could not be recorded", exc_info=True)
