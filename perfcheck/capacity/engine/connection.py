"""A connection to the service, used again and again, and how a request over it fails."""

from __future__ import annotations

import errno
import ssl
from functools import cache
from socket import gaierror

import gevent
from geventhttpclient import HTTPClient
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError

from perfcheck.capacity.engine.counts import GeneratorError
from perfcheck.capacity.engine.plan import LoadPlan, PlannedRequest
from perfcheck.model import Failure, Tls

_OF_THE_GENERATOR = {
    errno.EADDRNOTAVAIL: GeneratorError.NO_PORTS,
    errno.EMFILE: GeneratorError.NO_FILES,
    errno.ENFILE: GeneratorError.NO_FILES,
    errno.ENOBUFS: GeneratorError.NO_MEMORY,
    errno.ENOMEM: GeneratorError.NO_MEMORY,
}


class Connection:
    """To the host of the plan alone, without a proxy. Opened by the first request, and again after a failure."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._client = self._new_client()

    def _new_client(self) -> HTTPClient:
        plan = self._plan
        longest_s = max(request.timeout_s for request in plan.requests)  # of one wait; that of the request is below
        return HTTPClient(
            plan.host,
            plan.port,
            connection_timeout=longest_s,
            network_timeout=longest_s,
            ssl=plan.scheme == "https",
            ssl_context_factory=lambda **_: _tls_context(plan.tls),
            insecure=not plan.tls.verify,
        )

    def send(self, request: PlannedRequest) -> Failure | GeneratorError | None:
        """What went wrong, until the last byte of the response; a redirect is a status like any other."""
        try:
            with gevent.Timeout(request.timeout_s):
                response = self._client.request(request.method, request.target, request.body, request.headers)
                response.read()
        except (gevent.Timeout, OSError, HTTPParseError) as error:
            self._client.close()
            self._client = self._new_client()
            return kind_of(error)
        is_expected = any(low <= response.status_code <= high for low, high in request.expect)
        return None if is_expected else Failure.STATUS

    def close(self) -> None:
        self._client.close()


def kind_of(error: BaseException) -> Failure | GeneratorError:
    """Of what went wrong: with the service, or for want of something on this machine."""
    match error:
        case gevent.Timeout() | TimeoutError():
            return Failure.TIMEOUT
        case gaierror():
            return Failure.NAME
        case ssl.SSLError():
            return Failure.TLS
        case HTTPConnectionClosed() | ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError():
            return Failure.RESET
        case ConnectionRefusedError():
            return Failure.REFUSED
        case OSError(errno=number) if number in _OF_THE_GENERATOR:
            return _OF_THE_GENERATOR[number]
        case OSError():
            return Failure.CONNECT
    return Failure.PROTOCOL


@cache
def _tls_context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca)
    if tls.cert:
        context.load_cert_chain(tls.cert, tls.key)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
