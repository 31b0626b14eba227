"""What the socket and the kernel saw of one sample: stamps, deadline, what went wrong, and the wait for a CPU.

Stamps are nanoseconds of ``time.perf_counter_ns``. What went wrong is a kind and one line, from the socket's errors,
TLS's, and the HTTP library's. The lines are raw here, and may hold what the service sent; they are cleaned when they
become part of a sample.
"""

from __future__ import annotations

import os
import ssl
import time
from dataclasses import dataclass

import httpcore
import httpx

from perfcheck.model import Failure, Phases
from perfcheck.units import format_ms, format_size

_NS_PER_MS = 1e6


@dataclass(eq=False)
class RequestFailedError(Exception):
    """A request that failed: its kind, one line, and perhaps a remedy. It leaves the client as a sample, as data.

    It passes through httpcore as it is; httpcore closes the connection on any exception.
    """

    failure: Failure
    detail: str
    remedy: str | None = None

    def __str__(self) -> str:
        return f"{self.detail}; {self.remedy}" if self.remedy else self.detail


class Exchange:
    """One sample: a request and its response, or a chain of them where redirects are followed.

    The latency runs from ``sent_ns``, just before the first byte of the first request was written, to ``last_ns``,
    just after the last byte of the last response was read, less ``excluded_ns``: connections that a redirect opened.
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_ns = int(timeout_s * 1e9)
        self.dns_ns: int | None = None
        self.connect_ns: int | None = None
        self.tls_ns: int | None = None
        self.excluded_ns = 0
        self.sent_ns = 0
        self.last_ns = 0
        self.begin_hop()
        # Setting up a connection may take the full timeout; the first byte of the request starts it anew.
        self.deadline_ns = time.perf_counter_ns() + self.timeout_ns

    def begin_hop(self) -> None:
        """Another request of the same sample follows."""
        self.first_ns = 0
        self.received = 0  # bytes of this response, as they came from the socket
        self.fresh = False  # this request opened its connection
        self.ended = False  # the service closed the connection
        self.overlong = False  # it sent more bytes than announced

    def begin_again(self, since_ns: int) -> None:
        """The same request is sent again on another connection: the time since ``since_ns`` does not count."""
        if self.sent_ns >= since_ns:
            self.sent_ns = 0
        else:
            self.exclude(time.perf_counter_ns() - since_ns)
        self.begin_hop()

    def exclude(self, duration_ns: int) -> None:
        """Time that is not the service's: it counts neither as latency nor towards the timeout."""
        if self.sent_ns:
            self.excluded_ns += duration_ns
            self.deadline_ns += duration_ns

    def remaining_ns(self) -> int:
        """The time until the deadline. Raises RequestFailedError at the deadline."""
        remaining_ns = self.deadline_ns - time.perf_counter_ns()
        if remaining_ns <= 0:
            raise timed_out(self)
        return remaining_ns

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


# --- What went wrong -------------------------------------------------------------------------------------------------

# Codes of OpenSSL's X509_verify_cert_error_string(3).
_UNTRUSTED = "set service.tls.ca to its CA, or use --insecure for a test system"
_CERTIFICATE_PROBLEMS = {
    9: ("is not valid yet", "set the clock of this machine, or renew the certificate"),
    10: ("has expired", "renew it"),
    18: ("is self-signed", _UNTRUSTED),
    **dict.fromkeys((19, 20, 21), ("is signed by an untrusted CA", _UNTRUSTED)),
}
_WRONG_HOST = {62, 64}
_TLS_PROBLEMS = {
    "WRONG_VERSION_NUMBER": "the service does not speak TLS on this port; is its URL http://?",
    "HTTP_REQUEST": "the service does not speak TLS on this port; is its URL http://?",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the service requires a client certificate: set service.tls.cert",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "no common TLS parameters, or the service requires a client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the service rejected the client certificate (service.tls.cert)",
    "TLSV1_ALERT_UNKNOWN_CA": "the service rejected the client certificate (service.tls.cert)",
}


def connection_lost(error: OSError | None, exchange: Exchange) -> RequestFailedError:
    """The connection broke, or ended (``error`` is None), before the response was complete."""
    if isinstance(error, ssl.SSLError):
        return tls_failed(error, None)
    how = "closed" if error is None else "reset"
    if isinstance(error, OSError) and not isinstance(error, (ConnectionResetError, BrokenPipeError)):
        how = f"lost ({error.strerror or error})"
    when = _in_the_middle(exchange) if exchange.received else "without a response"
    return RequestFailedError(Failure.RESET, f"the connection was {how} {when}")


def _in_the_middle(exchange: Exchange) -> str:
    return f"in the middle of the response, after {format_size(exchange.received)}"


def tls_failed(error: OSError, host: str | None) -> RequestFailedError:
    """The TLS handshake failed, or TLS itself afterwards."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return RequestFailedError(Failure.TLS, _certificate_problem(error, host or "the service"))
    if isinstance(error, ssl.SSLEOFError) or not isinstance(error, ssl.SSLError):
        return RequestFailedError(Failure.TLS, "the connection was closed during the TLS handshake")
    reason = error.reason or str(error)
    return RequestFailedError(Failure.TLS, _TLS_PROBLEMS.get(reason, reason.replace("_", " ").lower()))


def _certificate_problem(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code in _WRONG_HOST:
        return f"the certificate is not for {host}; use a host name that it was issued for in service.base_url"
    problem, remedy = _CERTIFICATE_PROBLEMS.get(
        error.verify_code, (f"was rejected: {error.verify_message}", _UNTRUSTED)
    )
    return f"the certificate of {host} {problem}; {remedy}"


def from_library(error: Exception, exchange: Exchange) -> RequestFailedError:
    """An error of httpcore or httpx as a kind and one line."""
    text = str(error) or type(error).__name__
    if isinstance(error, (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol)):
        return RequestFailedError(Failure.REDIRECTS, text)
    if isinstance(error, httpcore.ProxyError):
        return RequestFailedError(Failure.CONNECT, f"the proxy refused the connection: {text}")
    if isinstance(error, httpcore.RemoteProtocolError) and exchange.ended:
        return RequestFailedError(Failure.TRUNCATED, f"the connection was closed {_in_the_middle(exchange)}")
    return RequestFailedError(Failure.PROTOCOL, text)


def timed_out(exchange: Exchange) -> RequestFailedError:
    within = "within " + format_ms(exchange.timeout_ns / _NS_PER_MS)
    if not exchange.sent_ns:
        return RequestFailedError(Failure.TIMEOUT, f"no connection {within}")
    problem = "the response was not complete" if exchange.received else "no response"
    return RequestFailedError(Failure.TIMEOUT, f"{problem} {within}")


# --- The wait for a CPU ----------------------------------------------------------------------------------------------


class RunQueue:
    """The scheduler's account of the thread that opens it (Linux, Documentation/scheduler/sched-stats)."""

    def __init__(self, path: str = "/proc/thread-self/schedstat") -> None:
        try:
            self._file: int | None = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (OSError, AttributeError):
            self._file = None
        if self.waited_ns() is None:
            self.close()

    def waited_ns(self) -> int | None:
        """Total so far, in nanoseconds; None where the system does not report it."""
        if self._file is None:
            return None
        try:
            return int(os.pread(self._file, 100, 0).split()[1])
        except (OSError, ValueError, IndexError):
            return None

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
