"""SQLAlchemy: every statement that an engine sends is counted for the request that is running.

``instrument(engine)`` once, where the engine is made; ``instrument()`` for all engines of the process. What is timed is
the execution of the statement, without fetching its rows. Outside of a request nothing is recorded.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine, ExceptionContext

from perfcheck.monitor.trace import record_query

_STARTED = "_perfcheck_started"


def instrument(engine: Any = Engine) -> None:
    """Watch an Engine, an AsyncEngine, or by default every engine. Watching one twice changes nothing.

    Raises sqlalchemy.exc.InvalidRequestError for anything that is not an engine.
    """
    target = getattr(engine, "sync_engine", engine)
    listeners = ("before_cursor_execute", _before), ("after_cursor_execute", _after), ("handle_error", _failed)
    for name, listener in listeners:
        if not event.contains(target, name, listener):
            event.listen(target, name, listener)


def _before(_conn: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:  # noqa: FBT001
    if context is not None:
        setattr(context, _STARTED, perf_counter())


def _after(_conn: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:  # noqa: FBT001
    _record(statement, context)


def _failed(failure: ExceptionContext) -> None:
    """A statement that failed took its time too. Failures to connect have no statement, and none began."""
    if failure.statement is not None and hasattr(failure.execution_context, _STARTED):
        _record(failure.statement, failure.execution_context)


def _record(statement: str, context: Any) -> None:
    started = getattr(context, _STARTED, None)
    record_query(statement, perf_counter() - started if started is not None else 0.0)
    if started is not None:
        delattr(context, _STARTED)
