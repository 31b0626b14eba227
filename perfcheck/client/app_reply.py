"""What an application in this process returns for one request, with its stamps."""

from __future__ import annotations

import time
from collections.abc import Iterable

from perfcheck.client.exchange import Exchange, RequestFailedError, timed_out
from perfcheck.client.response import Response
from perfcheck.model import Failure, MetricOf

_ERROR = 500


class AppReply:
    """Filled by the application while it runs: ``call``, ``begin``, ``add``, ``end``; or ``fail``."""

    def __init__(self, exchange: Exchange, *, has_body: bool) -> None:
        self._exchange = exchange
        self._has_body = has_body  # the response to HEAD has none, whatever the application returns
        self.response: Response | None = None
        self.error: RequestFailedError | None = None
        self.raised: BaseException | None = None
        self.is_complete = False

    def call(self) -> None:
        """The application is called next."""
        self._exchange.stamps_next = True
        self._exchange.wrote(time.perf_counter_ns(), time.time_ns())

    def begin(self, status: int, reason: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.response = Response(
            status, reason.encode(), [(bytes(name).lower(), bytes(value)) for name, value in headers], "HTTP/1.1"
        )
        if self._exchange.metric_of is MetricOf.FIRST_BYTE:
            self.response.stop_early(self._exchange, has_body=self._has_body)

    def add(self, piece: bytes) -> None:
        """Raises RequestFailedError when the body is over the cap by now, or the time is up: it is not to go on."""
        self._stamp(len(piece))
        if not self.is_complete and self._exchange.last_ns > self._exchange.deadline_ns:
            self.error = timed_out(self._exchange)
            raise self.error
        if self.response is not None and self._has_body:
            try:
                self.response.add(piece)
            except RequestFailedError as error:
                self.error = error
                raise
            self.is_complete = self.is_complete or self.has_enough

    @property
    def has_enough(self) -> bool:
        """The rest of the response is of no interest: the client hangs up."""
        return self.response is not None and self.response.is_enough

    def end(self) -> None:
        """The response is complete."""
        self._stamp(0)
        self.is_complete = True

    def fail(self, error: BaseException) -> None:
        """The application raised: a server responds with status 500, unless the application has responded itself."""
        if error is self.error or self.has_enough:
            return
        self.raised = error
        if self.response is None:
            self.begin(_ERROR, "", [(b"content-type", b"text/plain")])
            self.add(describe(error).encode())
            self.end()

    def expire(self) -> None:
        """The time is up; what the application does after its response has no limit of its own."""
        if not self.is_complete:
            self.error = timed_out(self._exchange)

    def result(self) -> tuple[Response, RequestFailedError | None]:
        """The response as far as it came, and what went wrong. Raises RequestFailedError when nothing came."""
        if self._exchange.last_ns > self._exchange.deadline_ns:
            self.error = timed_out(self._exchange)
        elif self.error is None and not self.is_complete:
            how = f"raised {describe(self.raised)}" if self.raised else "returned"
            kind = Failure.PROTOCOL if self.response is None else Failure.TRUNCATED
            self.error = RequestFailedError(kind, f"the application {how} before its response was complete")
        if self.response is not None:
            return self.response, self.error
        raise self.error or timed_out(self._exchange)

    def _stamp(self, size: int) -> None:
        if not self.is_complete:
            self._exchange.received_ns = time.perf_counter_ns()
            self._exchange.arrived(size)


def describe(error: BaseException) -> str:
    """``ZeroDivisionError: division by zero``."""
    message = str(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
