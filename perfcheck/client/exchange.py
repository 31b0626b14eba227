"""One sample: its stamps and its deadline, and how it failed.

Stamps are nanoseconds of ``time.perf_counter_ns``. How it failed is a kind and one line, from the errors of the socket
and of TLS. The lines are raw here, and may hold what the service sent; they are cleaned when they become part of a
sample.
"""

from __future__ import annotations

import ast
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from perfcheck.model import Failure, MetricOf, Phases
from perfcheck.units import format_ms, format_size

_NS_PER_MS = 1e6


@dataclass(eq=False)
class RequestFailedError(Exception):
    """A request that failed: its kind, one line, and perhaps a remedy. It leaves the client as a sample, as data."""

    failure: Failure
    detail: str
    remedy: str | None = None

    def __str__(self) -> str:
        return f"{self.detail}; {self.remedy}" if self.remedy else self.detail


class Exchange:
    """One sample: a request and its response, or a chain of them where redirects are followed.

    The latency is that of each request of the chain, from just before its first byte was written to when the last byte
    of its response arrived. What lies between two of them is not the service's: connections that a redirect opened,
    and the time until this process went on.
    """

    def __init__(
        self,
        timeout_s: float,
        metric_of: MetricOf = MetricOf.LATENCY,
        *,
        needs_body: bool = False,
        trace_id: str | None = None,
    ) -> None:
        self.timeout_ns = int(timeout_s * 1e9)
        self.metric_of = metric_of
        self.needs_body = needs_body  # to its end, whatever is judged; of a stream, its first event
        self.trace_id = trace_id
        self.ends_at_first_byte = False  # what arrives later is in no phase
        self.unfinished = "the response was not complete"
        self._setup_ns: dict[str, int] = {}  # by phase
        self._spent_ns = 0  # by the requests before, of a chain
        self.begin()

    def begin(self) -> None:
        """A request follows: the first, or the same once more on another connection."""
        if not self._spent_ns:
            self.first_sent_ns = 0
        self.sent_ns = 0
        self.wall_ns = 0  # time.time_ns() at sent_ns
        self.first_ns = 0
        self.last_ns = 0
        self.received = 0  # bytes of this response, as they came from the socket
        self.received_ns = 0  # when the last bytes arrived, of this response or not
        self.by_kernel = False  # that is the kernel's stamp
        self.came_before = False  # by that stamp they had arrived before the request was sent
        self.stamps_next = False  # what is written next is the request
        # Setting up a connection may take as long; the first byte of the request starts it anew.
        self.deadline_ns = time.perf_counter_ns() + self.timeout_ns - self._spent_ns

    def begin_next(self) -> None:
        """The next request of the chain follows."""
        self._spent_ns += self.last_ns - self.sent_ns
        self.begin()

    @contextmanager
    def setting_up(self, phase: str) -> Iterator[None]:
        """Count what takes place meanwhile as time of ``phase``, unless it fails."""
        started_ns = time.perf_counter_ns()
        yield
        self._setup_ns[phase] = self._setup_ns.get(phase, 0) + time.perf_counter_ns() - started_ns

    def wrote(self, at_ns: int, wall_ns: int) -> None:
        """A first byte was written just after ``at_ns``."""
        if self.stamps_next:
            self.stamps_next = False
            self.sent_ns, self.wall_ns = at_ns, wall_ns
            self.first_sent_ns = self.first_sent_ns or at_ns
            self.deadline_ns = at_ns + self.timeout_ns - self._spent_ns

    def arrived(self, size: int) -> None:
        """So many bytes of the response were the last that arrived."""
        self.first_ns = self.first_ns or self.received_ns
        self.last_ns = max(self.received_ns, self.first_ns)
        self.received += size

    def remaining_ns(self) -> int:
        """The time until the deadline. Raises RequestFailedError at the deadline."""
        remaining_ns = self.deadline_ns - time.perf_counter_ns()
        if remaining_ns <= 0:
            raise timed_out(self)
        return remaining_ns

    def phases(self) -> Phases:
        """The phases that took place; those of the request itself add up to its latency."""
        answered = bool(self.first_ns and self.sent_ns)
        has_download = answered and not self.ends_at_first_byte
        return Phases(
            wait_ms=(self._spent_ns + self.first_ns - self.sent_ns) / _NS_PER_MS if answered else None,
            download_ms=(self.last_ns - self.first_ns) / _NS_PER_MS if has_download else None,
            **{f"{phase}_ms": spent_ns / _NS_PER_MS for phase, spent_ns in self._setup_ns.items()},
        )


# --- How it failed ---------------------------------------------------------------------------------------------------

# Codes of OpenSSL's X509_verify_cert_error_string(3).
_UNTRUSTED = "set service.tls.ca to its CA, or use --insecure for a test system"
_CERTIFICATE_PROBLEMS = {
    9: ("is not valid yet", "set the clock of this machine, or renew the certificate"),
    10: ("has expired", "renew it"),
    18: ("is self-signed", _UNTRUSTED),
    **dict.fromkeys((19, 20, 21), ("is signed by an untrusted CA", _UNTRUSTED)),
}
_WRONG_HOST = {62, 64}
_PLAIN = ("the service does not speak TLS on this port", "write http:// in service.base_url")
_NO_SUCH_NAME = "the service has no TLS for the host name {host}"
_REJECTED = ("the service rejected the client certificate", "correct service.tls.cert")
_TLS_PROBLEMS = {
    **dict.fromkeys(("WRONG_VERSION_NUMBER", "HTTP_REQUEST"), _PLAIN),
    **dict.fromkeys(
        ("TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_UNRECOGNIZED_NAME"),
        (_NO_SUCH_NAME, "use a host name that the service knows in service.base_url"),
    ),
    "TLSV1_ALERT_INTERNAL_ERROR": (
        "the service failed in the TLS handshake",
        "see its log; it may have no certificate for the host name in service.base_url",
    ),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": ("the service requires a client certificate", "set service.tls.cert"),
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        "the service refused the TLS handshake",
        "it may require a client certificate (service.tls.cert), another host name, or other TLS parameters",
    ),
    **dict.fromkeys(("SSLV3_ALERT_BAD_CERTIFICATE", "TLSV1_ALERT_UNKNOWN_CA"), _REJECTED),
}
_CORRECT_TLS = "correct service.base_url or service.tls"
IS_IT_TLS = "does the service speak TLS on this port?"


def connection_lost(error: OSError | None, exchange: Exchange) -> RequestFailedError:
    """The connection broke, or ended (``error`` is None), before the response was complete."""
    if isinstance(error, ssl.SSLError):
        return tls_failed(error, None)
    how = "closed" if error is None else "reset"
    if isinstance(error, OSError) and not isinstance(error, (ConnectionResetError, BrokenPipeError)):
        how = f"lost ({error.strerror or error})"
    when = _in_the_middle(exchange) if exchange.received else "without a response"
    return RequestFailedError(Failure.RESET, f"the connection was {how} {when}")


def truncated(exchange: Exchange) -> RequestFailedError:
    """The service closed the connection before the response was complete."""
    if not exchange.received:
        return connection_lost(None, exchange)
    return RequestFailedError(Failure.TRUNCATED, f"the connection was closed {_in_the_middle(exchange)}")


def _in_the_middle(exchange: Exchange) -> str:
    return f"in the middle of the response, after {format_size(exchange.received)}"


CHANGED_PROTOCOL = "the service changed the protocol, which was not requested"
_REWORDED = {  # by a part of h11's message
    "_SWITCH_UPGRADE": CHANGED_PROTOCOL,
    "illegal request line": "the response does not begin with a status line",
    "Receive buffer too long": "the head of the response is too long",
    "status_code": "the response has an illegal status",
}
_BYTES = re.compile(r"""(?:bytearray\()?(b'(?:[^'\\]|\\.)*'|b"(?:[^"\\]|\\.)*")\)?""")
_IDENTIFIER = re.compile(r"\w_\w|\w\.\w|[a-z][A-Z]")


def not_http(error: Exception) -> RequestFailedError:
    """What a parser raises, whatever it is, is about what the service sent: in a sentence, with that as it came."""
    template = str(error)
    for part, sentence in _REWORDED.items():
        if part in template:
            return RequestFailedError(Failure.PROTOCOL, sentence)
    own = _BYTES.sub("", template)  # of the parser
    if " " not in own or _IDENTIFIER.search(own):
        return RequestFailedError(Failure.PROTOCOL, "the response is not valid HTTP")
    text = _BYTES.sub(lambda quoted: ast.literal_eval(quoted[1]).decode("utf-8", "replace"), template)
    return RequestFailedError(Failure.PROTOCOL, text)


def tls_failed(error: OSError, host: str | None) -> RequestFailedError:
    """The TLS handshake failed, or TLS itself afterwards."""
    host = host or "the service"
    if isinstance(error, ssl.SSLCertVerificationError):
        return RequestFailedError(Failure.TLS, *_certificate_problem(error, host))
    if isinstance(error, ssl.SSLEOFError) or not isinstance(error, ssl.SSLError):  # as where it is still starting
        closed = "the connection was closed during the TLS handshake"
        return RequestFailedError(Failure.RESET, closed, IS_IT_TLS)
    reason = error.reason or str(error)
    problem, remedy = _TLS_PROBLEMS.get(reason, (reason.replace("_", " ").lower(), _CORRECT_TLS))
    return RequestFailedError(Failure.TLS, problem.format(host=host), remedy)


def _certificate_problem(error: ssl.SSLCertVerificationError, host: str) -> tuple[str, str]:
    if error.verify_code in _WRONG_HOST:
        return f"the certificate is not for {host}", "use a host name that it was issued for in service.base_url"
    problem, remedy = _CERTIFICATE_PROBLEMS.get(
        error.verify_code, (f"was rejected: {error.verify_message}", _UNTRUSTED)
    )
    return f"the certificate of {host} {problem}", remedy


def timed_out(exchange: Exchange) -> RequestFailedError:
    within = "within " + format_ms(exchange.timeout_ns / _NS_PER_MS)
    if not exchange.first_sent_ns:
        return RequestFailedError(Failure.TIMEOUT, f"no connection {within}")
    problem = exchange.unfinished if exchange.received else "no response"
    return RequestFailedError(Failure.TIMEOUT, f"{problem} {within}")
