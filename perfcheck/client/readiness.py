"""Waiting until a service is ready, before anything is timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from perfcheck.client.exchange import RequestFailedError
from perfcheck.errors import CouldNotMeasureError
from perfcheck.model import Endpoint, Failure, Fetched, Service
from perfcheck.units import format_ms

_SHORTEST_TRY_S, _LONGEST_TRY_S = 1.0, 10.0  # the last one gets time to fail for the reason that matters
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
_HANDSHAKE_S = 1.0
_MOST_OTHERS = 2
_SAFE = {"GET", "HEAD"}
_FINAL = {Failure.TLS, Failure.PROTOCOL}  # waiting would not change it
_COMPLETE = {None, Failure.STATUS, Failure.REDIRECTS, Failure.DECODING, Failure.BODY_TOO_LARGE}
_STARTING = {502, 503, 504}  # of a proxy before a service that is down, or of one that is still starting
_BAD_REQUEST = 400
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_REMEDIES = {  # where something answers
    Failure.STATUS: "service.ready must be a path that returns 2xx; raise service.ready_timeout to wait longer",
    Failure.PROTOCOL: "is service.base_url the address of an HTTP service?",
}
_UNREACHABLE = {Failure.NAME: "correct service.base_url, or give its address with --base-url"}
_START_IT = "start it, or give its address with --base-url"
_LET_START = "start it: --start runs service.start for it; or give its address with --base-url"
_SEE_LOG = "see the service's log: it accepts connections, and does not respond"
_SPEAKS_TLS = Fetched(
    failure=Failure.TLS, detail="the service speaks TLS on this port", remedy="write https:// in service.base_url"
)


@dataclass(frozen=True, slots=True)
class Probe:
    """``service.ready``, which has to return 2xx, or 429; without it the first of ``endpoints`` that changes nothing.

    The port of a container accepts connections before the service does, so it takes a response.
    """

    service: Service
    endpoints: Sequence[Endpoint]
    fetch: Callable[[Endpoint], Fetched]
    try_to_connect: Callable[[float], RequestFailedError | None]
    speaks_tls: Callable[[float], bool]

    @property
    def requests(self) -> list[Endpoint]:
        """The request that is sent until the service is ready, and those that may show it at the end."""
        safe = [e for e in self.endpoints if e.method in _SAFE and not e.is_incomplete and self.service.ready is None]
        path = self.service.ready or ""
        return safe or [Endpoint(name="service.ready", path=path, line=0, headers=self.service.headers)]

    def attempt(self, try_s: float) -> Fetched:
        first = self.requests[0]
        if self.service.ready is not None:
            response = self.fetch(replace(first, timeout_s=try_s))
        elif error := self.try_to_connect(try_s):
            failure = Failure.CONNECT if error.failure is Failure.TIMEOUT else error.failure
            return Fetched(failure=failure, detail=error.detail, remedy=error.remedy)
        else:
            response = self.fetch(first)  # in its own time, since it may be slow
        # HTTP sent to such a port gets a page, an alert of TLS, or nothing.
        may_be_tls = response.status == _BAD_REQUEST or response.failure in {Failure.RESET, Failure.PROTOCOL}
        return _SPEAKS_TLS if may_be_tls and self.speaks_tls(_HANDSHAKE_S) else response

    def is_ready(self, response: Fetched) -> bool:
        if response.failure is None or response.status == _TOO_MANY_REQUESTS:
            return True
        if self.service.ready is not None:
            return False
        return response.failure in _COMPLETE and response.status not in _STARTING

    def can_be_measured(self, last: Fetched) -> bool:
        """Whether the service responds, though not as it should: what an endpoint does is a failure of its own."""
        if self.service.ready is not None or last.failure is Failure.TLS:
            return False
        others = self.requests[1 : 1 + _MOST_OTHERS]
        return last.failure in _COMPLETE or any(self.fetch(other).failure in _COMPLETE for other in others)

    def hangs(self, last: Fetched) -> bool:
        """Whether it accepted the connection and did not respond; with ``service.ready`` it may not have accepted."""
        return last.failure is Failure.TIMEOUT and self.service.ready is None

    def is_down(self, last: Fetched) -> bool:
        is_error = last.status is not None and last.status < _SERVER_ERROR
        return last.failure not in _FINAL and not self.hangs(last) and not is_error


def wait_until_ready(
    probe: Probe,
    *,
    shown: Callable[[Endpoint], str],
    remedy: str | None,
    unreachable: str | None,
    ended: Callable[[], CouldNotMeasureError | None],
) -> None:
    """Send the request of ``probe`` until the service is ready, or until its time is up and it can be measured.

    Raises CouldNotMeasureError with the last failure, or with that of a process that has ``ended``. Its remedy is that
    of the failure if it has one, else ``remedy`` if that is given, else follows from the failure, and is
    ``unreachable`` where nothing answers.
    """
    started_s = time.monotonic()
    timeout_s, pause_s = probe.service.ready_timeout_s, _FIRST_PAUSE_S
    while True:
        left_s = timeout_s - (time.monotonic() - started_s)
        response = probe.attempt(min(max(left_s, _SHORTEST_TRY_S), _LONGEST_TRY_S))
        if error := ended():
            raise error
        if probe.is_ready(response):
            return
        failure, waited_s = response.failure or Failure.CONNECT, time.monotonic() - started_s
        is_last = failure in _FINAL or waited_s + pause_s > timeout_s
        if (is_last or failure is Failure.TIMEOUT) and probe.can_be_measured(response):
            return
        if is_last:
            after = "" if failure in _FINAL else f" after {format_ms(waited_s * 1000)}"
            observed = _SEE_LOG if probe.hangs(response) else _REMEDIES.get(failure)
            fitting = response.remedy or remedy or observed or unreachable
            raise CouldNotMeasureError(
                f"{shown(probe.requests[0])} is not ready{after}: {response.detail}",
                fitting or _UNREACHABLE.get(failure, _LET_START if probe.service.start else _START_IT),
                is_down=probe.is_down(response),
            )
        time.sleep(pause_s)
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)
