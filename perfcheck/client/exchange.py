"""What the socket saw of one sample: the stamps, in nanoseconds of ``time.perf_counter_ns``, and the deadline."""

from __future__ import annotations

import time

from perfcheck.model import Failure, Phases

_NS_PER_MS = 1e6


class RequestFailedError(Exception):
    """A request that failed, in words. Data in the end: it leaves the client as a sample, never as an exception.

    It passes through httpcore as it is; httpcore closes the connection on any exception.
    """

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


class Exchange:
    """One sample: a request and its response, or a chain of them where redirects are followed.

    The latency runs from ``sent_ns``, just before the first byte of the first request was written, to ``last_ns``,
    just after the last byte of the last response was read, less ``excluded_ns``: connections that a redirect opened.
    """

    __slots__ = (
        "connect_ns",
        "deadline_ns",
        "dns_ns",
        "ended",
        "excluded_ns",
        "first_ns",
        "fresh",
        "last_ns",
        "overlong",
        "received",
        "sent_ns",
        "timeout_ns",
        "tls_ns",
    )

    def __init__(self, timeout_s: float) -> None:
        self.timeout_ns = int(timeout_s * 1e9)
        self.dns_ns: int | None = None
        self.connect_ns: int | None = None
        self.tls_ns: int | None = None
        self.excluded_ns = 0
        self.sent_ns = 0
        self.last_ns = 0
        self.begin_hop()
        # Setting up a connection has the whole timeout for itself; the first byte of the request sets it anew.
        self.deadline_ns = time.perf_counter_ns() + self.timeout_ns

    def begin_hop(self) -> None:
        """Another request of the same sample follows."""
        self.first_ns = 0
        self.received = 0  # bytes of this response, as they came from the socket
        self.fresh = False  # this request opened its connection
        self.ended = False  # the service closed the connection
        self.overlong = False  # it sent more bytes than it had announced

    def begin_again(self, since_ns: int) -> None:
        """The same request is sent anew on another connection: what passed since ``since_ns`` does not count."""
        if self.sent_ns >= since_ns:
            self.sent_ns = 0
        else:
            self.exclude(time.perf_counter_ns() - since_ns)
        self.begin_hop()

    def exclude(self, duration_ns: int) -> None:
        """Time that is not the service's answer: it counts neither as latency nor against the timeout."""
        if self.sent_ns:
            self.excluded_ns += duration_ns
            self.deadline_ns += duration_ns

    @property
    def timeout_s(self) -> float:
        return self.timeout_ns / 1e9

    def phases(self) -> Phases:
        """The phases that took place; those of the request itself add up to its latency."""
        answered = bool(self.first_ns and self.sent_ns)
        return Phases(
            dns_ms=_ms(self.dns_ns),
            connect_ms=_ms(self.connect_ns),
            tls_ms=_ms(self.tls_ns),
            wait_ms=_ms(self.first_ns - self.sent_ns - self.excluded_ns) if answered else None,
            download_ms=_ms(self.last_ns - self.first_ns) if answered else None,
        )


def _ms(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else duration_ns / _NS_PER_MS
