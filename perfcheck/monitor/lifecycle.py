"""The life of one request: it begins, may be named, and is finished once. In a ContextVar while it runs.

A middleware begins it without a name; a decorator inside names it; the middleware finishes it when the last byte is
sent. A decorator alone does all three. Nothing here raises.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from time import perf_counter_ns

from perfcheck.monitor.registry import RequestOutcome, bounded, default
from perfcheck.monitor.request_trace import Trace
from perfcheck.monitor.settings import settings
from perfcheck.monitor.variants import name_of_variant

UNNAMED = "(unmatched)"
_SERVER_ERROR = 500
_current: ContextVar[Request | None] = ContextVar("perfcheck_request", default=None)


class Request:
    """One request that is running. ``begin`` makes it.

    Attributes that most requests never set are those of the class, so that making one costs next to nothing.
    """

    _name: str | None = None
    _decorated = False
    route: Callable[[], str] | None = None
    query = ""  # the raw query string, where a middleware has it
    broken = False  # its response broke off, even if something around the handler completes it
    _previous: Request | None = None
    trace: Trace | None = None
    started_ns: int
    response_ns = 0  # when the response began, by perf_counter_ns; 0 before

    @property
    def endpoint(self) -> str:
        """Its name: the decorator's, else the framework's, else the template of its route; with its variant."""
        try:
            name = self._name or (bounded(self.route()) if self.route is not None else UNNAMED)
            parameters = settings().variants if self.query else ()
            is_apart = parameters and not name.endswith(UNNAMED)
            return name_of_variant(name, self.query, parameters) if is_apart else name
        except Exception as error:  # noqa: BLE001 - a framework that changed: the request is counted all the same
            default.count_failure(error)
            return UNNAMED

    def name(self, name: str) -> None:
        """Name it, unless a decorator has."""
        if not self._decorated:
            self._name = bounded(str(name))

    def adopt(self, name: str) -> bool:
        """Name it for the decorator of its handler: True for the first one, which is the handler's."""
        if self._decorated:
            return False
        self._decorated, self._name = True, name
        return True

    def responding(self) -> None:
        """The response begins: what a client that leaves later has waited for."""
        if not self.response_ns:
            self.response_ns = perf_counter_ns()

    @property
    def elapsed_s(self) -> float:
        return (perf_counter_ns() - self.started_ns) / 1e9

    def server_timing(self) -> str:
        return (self.trace or Trace()).server_timing(self.elapsed_s)

    def enter(self) -> None:
        """Make it the current one of this context, until ``leave``."""
        previous = _current.get()
        self._previous = previous if previous in default.running and previous is not self else None
        _current.set(self)

    def leave(self) -> None:
        """Make current what was before, if that still runs. Nothing, in a context that this was never current in."""
        if _current.get() is self:
            _current.set(self._previous)
        self._previous = None

    def cancel(self) -> None:
        """It is not to be counted after all."""
        default.running.discard(self)
        self.leave()

    def finish(
        self,
        *,
        status: int | None = None,
        error: bool = False,
        disconnected: bool = False,
        response_bytes: int | None = None,
    ) -> None:
        """It ended, now. The first call counts; an error is also any status of 500 and above.

        A client that left, or a cancellation, is no error, and ends the time where the response began.
        """
        ended_ns = perf_counter_ns()
        try:
            if _current.get() is self:
                self.leave()
            outcome = RequestOutcome.OK
            failed = status is not None and status >= _SERVER_ERROR
            if disconnected and not failed:
                outcome, ended_ns = RequestOutcome.DISCONNECTED, self.response_ns or ended_ns
            elif error or failed or self.broken:
                outcome = RequestOutcome.ERROR
            default.record(self, ended_ns, status, outcome, response_bytes)
        except Exception as failure:  # noqa: BLE001 - never into the handler
            default.count_failure(failure)


def begin_call(kind: type[Request]) -> Request:
    """A call of a decorated handler begins, outside of any request. It is not the current one of this context yet."""
    request = kind()
    default.running.add(request)
    request.started_ns = perf_counter_ns()
    return request


def begin(name: str | None = None, *, route: Callable[[], str] | None = None, query: str = "") -> Request:
    """A request begins, the current one of this context. Without a name, ``route()`` gives one at its end."""
    request = Request()
    if name is not None:
        request.name(name)
    request.route, request.query = route, query
    request.started_ns = perf_counter_ns()
    request.enter()
    default.running.add(request)
    return request


def request_class(name: str) -> type[Request]:
    """The requests to one decorated handler: a class with the name in it."""
    return type("Request", (Request,), {"_name": name, "_decorated": True})


last_request, set_current = _current.get, _current.set  # without looking whether it still runs


def current() -> Request | None:
    """The request that this code serves, as long as it runs."""
    request = _current.get()
    return request if request in default.running else None
