"""Waiting until a service is ready, before anything is timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from perfcheck.client.exchange import RequestFailedError
from perfcheck.errors import CouldNotMeasureError
from perfcheck.model import Endpoint, Failure, Sample, Service
from perfcheck.units import format_ms

_SHORTEST_TRY_S, _LONGEST_TRY_S = 1.0, 10.0  # the last one gets time to fail for the reason that matters
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
_FINAL = {Failure.TLS}  # waiting would not change it
_SERVER_ERROR = 500  # from here on: a proxy before a service that is down, or one that is still starting
_REMEDIES = {  # where something answers
    Failure.STATUS: "service.ready must be a path that returns 2xx; raise service.ready_timeout to wait longer",
    Failure.TLS: "correct service.base_url or service.tls",
}
_UNREACHABLE = {Failure.NAME: "correct service.base_url, or give its address with --base-url"}
_START_IT = "start it, or give its address with --base-url"


def wait_until_ready(
    service: Service,
    send: Callable[[Endpoint], Sample],
    try_to_connect: Callable[[float], RequestFailedError | None],
    *,
    shown: Callable[[Endpoint], str],
    remedy: str | None,
    unreachable: str | None,
) -> None:
    """Request ``service.ready``, or connect without one, until it works.

    Raises CouldNotMeasureError with the last failure. Its remedy is ``remedy`` if that is given, else follows from the
    failure, and is ``unreachable`` where nothing answers.
    """
    endpoint = Endpoint(name="service.ready", path=service.ready or "", line=0, headers=service.headers)
    started_s = time.monotonic()
    pause_s = _FIRST_PAUSE_S
    while True:
        left_s = service.ready_timeout_s - (time.monotonic() - started_s)
        try_s = min(max(left_s, _SHORTEST_TRY_S), _LONGEST_TRY_S)
        status: int | None = None
        if service.ready is None:
            error = try_to_connect(try_s)
            failure, detail = (error.failure, error.detail) if error else (None, None)
        else:
            sample = send(replace(endpoint, timeout_s=try_s))
            failure, detail, status = sample.failure, sample.detail, sample.status
        waited_s = time.monotonic() - started_s
        if failure is None:
            return
        if failure in _FINAL or waited_s + pause_s > service.ready_timeout_s:
            after = "" if failure in _FINAL else f" after {format_ms(waited_s * 1000)}"
            raise CouldNotMeasureError(
                f"{shown(endpoint)} is not ready{after}: {detail}",
                remedy or _REMEDIES.get(failure) or unreachable or _UNREACHABLE.get(failure, _START_IT),
                is_down=failure not in _FINAL and (status is None or status >= _SERVER_ERROR),
            )
        time.sleep(pause_s)
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)
