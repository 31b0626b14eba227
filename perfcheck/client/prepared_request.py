"""An endpoint as a request: built once, sent many times; its address as it may be shown; and where a redirect leads."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, urlencode

import h11
import httpx

from perfcheck import __version__
from perfcheck.client.exchange import RequestFailedError, not_http
from perfcheck.client.response import ACCEPTED_CODINGS, REDIRECTS, Response
from perfcheck.errors import UsageError
from perfcheck.model import Endpoint, Failure, Secret, Service, displayed, sent
from perfcheck.text import MASK


class Origin(NamedTuple):
    scheme: str  # http or https
    host: str
    port: int

    @classmethod
    def of(cls, url: httpx.URL) -> Origin:
        return cls(url.scheme, url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80))

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as the protocols take it."""

    origin: Origin
    head: h11.Request
    content: bytes
    data: bytes  # both, as HTTP/1.1 sends them
    trace: tuple[tuple[bytes, bytes], ...] = ()  # one more header

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [*self.head.headers, *self.trace]

    def traced(self, trace_id: str) -> WireRequest:
        """As a new span of this trace, by W3C Trace Context (level 1); the bytes are copied, not made anew."""
        header = (b"traceparent", f"00-{trace_id}-{os.urandom(8).hex()}-01".encode())
        end = self.data.index(b"\r\n\r\n") + 2
        line = b"%b: %b\r\n" % header
        data = b"".join((self.data[:end], line, memoryview(self.data)[end:]))
        return WireRequest(self.origin, self.head, self.content, data, (header,))


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    endpoint: Endpoint
    request: httpx.Request
    wire_request: WireRequest


def prepare(
    service: Service, endpoint: Endpoint, proxy: httpx.Proxy | None, values: Mapping[str, str]
) -> PreparedRequest:
    """``values`` are those that it inserts; a header whose value is not known yet is left out.

    Raises UsageError when the parts do not make a URL, or a request; KeyError for a value that is missing elsewhere.
    """
    headers = httpx.Headers(
        {"User-Agent": f"perfcheck/{__version__}", "Accept": "*/*", "Accept-Encoding": ACCEPTED_CODINGS}
    )
    own = httpx.Headers(list(_headers(endpoint, values)))
    headers = httpx.Headers([*((k, v) for k, v in headers.raw if k.decode() not in own), *own.raw])
    try:
        query = urlencode([(name, sent(value, values)) for name, value in endpoint.query], quote_via=quote)
        path = sent(endpoint.path_template, values) if endpoint.path_template else endpoint.path
        url = httpx.URL(_address(service.base_url, path, query))
        content = None if endpoint.content is None else sent(endpoint.content, values).encode()
        if url.username or url.password:
            login = base64.b64encode(f"{url.username}:{url.password}".encode())
            headers.setdefault("Authorization", f"Basic {login.decode('ascii')}")
        request = httpx.Request(endpoint.method, url, headers=headers, content=content)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        shown = url_shown(service.base_url, endpoint)
        raise UsageError(f"not a URL: {shown}", "check service.base_url and the path of the endpoint") from None
    try:
        on_wire = wire_request(request, proxy)
    except RequestFailedError:
        remedy = "check its method and its headers: what is not visible, such as a line break, cannot be sent"
        raise UsageError(f"not an HTTP request: {endpoint.name}", remedy) from None
    return PreparedRequest(endpoint, request, on_wire)


def _headers(endpoint: Endpoint, values: Mapping[str, str]) -> Iterator[tuple[bytes, bytes]]:
    for name, text in endpoint.headers:
        with suppress(KeyError):
            yield name.encode(), sent(text, values).encode()


def wire_request(request: httpx.Request, proxy: httpx.Proxy | None) -> WireRequest:
    """``request`` as it is sent. Raises RequestFailedError for what HTTP does not allow."""
    url, target, headers = request.url, request.url.raw_path, request.headers.raw
    if proxy is not None and url.scheme == "http":
        target = b"http://" + url.netloc + target
        headers = [*proxy_headers(proxy), *headers]
    return serialise(Origin.of(url), request.method.encode(), target, headers, request.read())


def serialise(
    origin: Origin, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], content: bytes = b""
) -> WireRequest:
    """Raises RequestFailedError for what HTTP does not allow."""
    try:
        head = h11.Request(method=method, target=target, headers=headers)
        return WireRequest(origin, head, content, send_with(h11.Connection(h11.CLIENT), head, content))
    except h11.LocalProtocolError as error:
        raise not_http(error) from error


def send_with(parser: h11.Connection, head: h11.Request, content: bytes) -> bytes:
    """What ``parser`` sends, which then expects the response. Raises h11.LocalProtocolError."""
    events = (head, h11.Data(content), h11.EndOfMessage()) if content else (head, h11.EndOfMessage())
    return b"".join([parser.send(event) or b"" for event in events])


def proxy_headers(proxy: httpx.Proxy) -> list[tuple[bytes, bytes]]:
    if proxy.raw_auth is None:
        return []
    return [(b"Proxy-Authorization", b"Basic " + base64.b64encode(b":".join(proxy.raw_auth)))]


def url_shown(base_url: str, endpoint: Endpoint) -> str:
    """The URL without the secrets of the endpoint; the redactor masks all others."""
    query = urlencode(
        [(name, displayed(value)) for name, value in endpoint.query], quote_via=quote, safe="*/", errors="replace"
    )
    return _address(without_password(base_url), endpoint.path, query)


def without_password(url: str) -> str:
    """The URL with ``***`` for the password in it, if any."""
    scheme, slashes, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, at, host = authority.rpartition("@")
    name, colon, _ = user.partition(":")
    shown = f"{name}:{MASK}" if colon else MASK
    return f"{scheme}{slashes}{shown}{at}{host}{rest.removeprefix(authority)}" if at else url


def _address(base_url: str, path: str, query: str) -> str:
    address = base_url.rstrip("/") + (path if path.startswith("/") or not path else f"/{path}")
    return address + ("&" if "?" in address else "?") + query if query else address


# --- Redirects -------------------------------------------------------------------------------------------------------


class Redirects:
    """Where the responses of one sample lead.

    httpx knows the rules: methods that change, headers that are dropped, cookies. It replays responses that have been
    received already, and returns the request that it would send next.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._secret_headers = [name for name, value in endpoint.headers if isinstance(value, Secret)]
        self._http = httpx.Client(transport=httpx.MockTransport(lambda _: self._received), trust_env=False)

    def following(self, request: httpx.Request, response: Response) -> httpx.Request | None:
        """The request that the response to ``request`` redirects to, if any; secrets are not sent cross-origin.

        Raises RequestFailedError for a location that cannot be followed.
        """
        if response.status not in REDIRECTS:
            return None
        self._received = httpx.Response(response.status, headers=list(filter(_is_sendable, response.headers)))
        invalid = RequestFailedError(Failure.REDIRECTS, f"a redirect to {response.header(b'location')}")
        try:
            following = self._http.send(request, follow_redirects=False).next_request
        except Exception as error:  # of any kind: httpx and its parsers have many for an invalid address
            raise invalid from error
        if following is None:
            return None
        if following.url.scheme not in {"http", "https"}:
            raise invalid
        if Origin.of(request.url) != Origin.of(following.url):
            for name in self._secret_headers:
                following.headers.pop(name, None)
        return following


def _is_sendable(header: tuple[bytes, bytes]) -> bool:
    """A cookie would be sent with the next request, and httpx sends no other characters."""
    name, value = header
    return name != b"set-cookie" or value.isascii()
