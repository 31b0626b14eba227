"""What went wrong, as a kind and one line: from the socket's errors, TLS's, and the HTTP library's.

The lines are raw here, and may hold what the service sent; whoever makes a sample of them cleans them.
"""

from __future__ import annotations

import ssl

import httpcore
import httpx

from perfcheck.client.exchange import Exchange, RequestFailedError
from perfcheck.model import Failure
from perfcheck.units import format_size

# Codes of OpenSSL's X509_verify_cert_error_string(3).
_UNTRUSTED = "service.tls.ca can name the CA to trust; --insecure accepts any certificate"
_CERTIFICATE_PROBLEMS = {
    9: ("is not valid yet", "set the clock of this machine, or renew the certificate"),
    10: ("has expired", "renew it"),
    18: ("is self-signed", _UNTRUSTED),
    19: ("is signed by a CA that is not trusted here", _UNTRUSTED),
    20: ("is signed by a CA that is not trusted here", _UNTRUSTED),
    21: ("is signed by a CA that is not trusted here", _UNTRUSTED),
}
_WRONG_HOST = {62, 64}
_TLS_PROBLEMS = {
    "WRONG_VERSION_NUMBER": "the service does not speak TLS here; is its address http:// ?",
    "HTTP_REQUEST": "the service does not speak TLS here; is its address http:// ?",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the service wants a client certificate; service.tls.cert names one",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "no common TLS parameters, or the service wants a client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the service does not accept the client certificate (service.tls.cert)",
    "TLSV1_ALERT_UNKNOWN_CA": "the service does not accept the client certificate (service.tls.cert)",
}


def connection_lost(error: OSError | None, exchange: Exchange) -> RequestFailedError:
    """The connection broke, or ended (``error`` is None), before the response was complete."""
    if isinstance(error, ssl.SSLError):
        return tls_failed(error, None)
    how = "closed" if error is None else "reset"
    if isinstance(error, OSError) and not isinstance(error, (ConnectionResetError, BrokenPipeError)):
        how = f"lost ({error.strerror or error})"
    if exchange.received:
        when = f"in the middle of the answer, after {format_size(exchange.received)}"
    else:
        when = "without an answer"
    return RequestFailedError(Failure.RESET, f"the connection was {how} {when}")


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
        return f"the certificate is not for {host}; use the name it was made for in service.base_url"
    problem, remedy = _CERTIFICATE_PROBLEMS.get(error.verify_code, (f"is refused: {error.verify_message}", _UNTRUSTED))
    return f"the certificate of {host} {problem}; {remedy}"


def from_library(error: Exception, exchange: Exchange) -> RequestFailedError:
    """An error of httpcore or httpx as a kind and one line."""
    text = str(error) or type(error).__name__
    if isinstance(error, (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol)):
        return RequestFailedError(Failure.REDIRECTS, text)
    if isinstance(error, httpcore.ProxyError):
        return RequestFailedError(Failure.CONNECT, f"the proxy refuses the connection: {text}")
    if isinstance(error, httpcore.RemoteProtocolError) and exchange.ended:
        got = format_size(exchange.received)
        return RequestFailedError(
            Failure.TRUNCATED, f"the connection was closed in the middle of the answer, after {got}"
        )
    return RequestFailedError(Failure.PROTOCOL, text)
