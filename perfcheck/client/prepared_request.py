"""An endpoint as a request: built once, sent many times; its address as it may be shown; and where a redirect leads."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import quote, urlencode

import h11
import httpx

from perfcheck import __version__
from perfcheck.client.exchange import RequestFailedError, not_http
from perfcheck.client.request_template import Inserted, Pieces, RequestTemplate, as_http1
from perfcheck.client.response import ACCEPTED_CODINGS, REDIRECTS, Response
from perfcheck.errors import UsageError
from perfcheck.model import (
    Encoding,
    Endpoint,
    Failure,
    Marks,
    Multipart,
    Placeholder,
    RequestText,
    Service,
    displayed,
    sent,
)
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


class RequestHead(NamedTuple):
    method: bytes
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]  # names in lower case


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as the protocols take it."""

    origin: Origin
    head: RequestHead
    content: bytes
    data: bytes  # both, as HTTP/1.1 sends them

    def traced(self, trace_id: str) -> WireRequest:
        """As a new span of this trace, by W3C Trace Context (level 1)."""
        return self.with_header(b"traceparent", f"00-{trace_id}-{os.urandom(8).hex()}-01".encode())

    def with_header(self, name: bytes, value: bytes) -> WireRequest:
        """With one more header; the bytes are copied, not made anew."""
        end = self.data.index(b"\r\n\r\n") + 2
        line = b"%b: %b\r\n" % (name, value)
        data = b"".join((self.data[:end], line, memoryview(self.data)[end:]))
        head = self.head._replace(headers=[*self.head.headers, (name.lower(), value)])
        return WireRequest(self.origin, head, self.content, data)


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    endpoint: Endpoint
    url: httpx.URL
    target: bytes  # the path and the query of its URL
    headers: Sequence[tuple[bytes, bytes]]
    wire_request: WireRequest

    @property
    def request(self) -> httpx.Request:
        return httpx.Request(
            self.endpoint.method, self.whole_url, headers=self.headers, content=self.wire_request.content
        )

    @property
    def whole_url(self) -> httpx.URL:
        return self.url if self.url.raw_path == self.target else self.url.copy_with(raw_path=self.target)

    def with_header(self, name: bytes, value: bytes) -> PreparedRequest:
        return replace(
            self, headers=[*self.headers, (name, value)], wire_request=self.wire_request.with_header(name, value)
        )


class RequestPlan:
    """An endpoint as a request: what is the same each time is made here, so that ``prepared`` inserts the rest only.

    Both httpx and h11 see the request once, with marks for its values.
    """

    def __init__(self, service: Service, endpoint: Endpoint, proxy: httpx.Proxy | None) -> None:
        """Raises UsageError when the parts do not make a URL, or a request."""
        marks = Marks()
        try:
            request = _request(service, endpoint, marks)
            content = request.read()
        except (httpx.InvalidURL, UnicodeError, ValueError):
            shown = url_shown(service.base_url, endpoint)
            raise UsageError(f"not a URL: {shown}", "check service.base_url and the path of the endpoint") from None
        try:
            self._wire = wire_request(request, proxy)
        except RequestFailedError:
            remedy = "check its method and its headers: what is not visible, such as a line break, cannot be sent"
            raise UsageError(f"not an HTTP request: {endpoint.name}", remedy) from None
        self.endpoint = endpoint
        self.url = request.url
        headers = sorted(request.headers.raw, key=lambda header: header[0].lower() != b"host")  # as h11 has them
        self._headers = headers
        self._proxied = b"http://" + request.url.netloc if proxy and request.url.scheme == "http" else b""
        self._proxy_headers = proxy_headers(proxy) if proxy and self._proxied else []
        self.template = RequestTemplate(
            self._wire.head.method,
            _pieces(marks, request.url.raw_path),
            tuple((name, _pieces(marks, value)) for name, value in headers),
            _pieces(marks, content),
        )
        self._is_static = not endpoint.values
        inserted = list(endpoint.inserted())
        self.captured = frozenset(value.name for value in inserted if value.is_captured)
        # Nothing that depends on when it is made.
        self.may_be_ahead = bool(inserted) and not any(value.name.startswith("now:") for value in inserted)

    def prepared(self, values: Mapping[str, str]) -> PreparedRequest:
        """With these values. Raises as RequestTemplate does."""
        if self._is_static:
            return PreparedRequest(self.endpoint, self.url, self.url.raw_path, self._headers, self._wire)
        target, headers, content = self.template.filled(values)
        on_wire = [(name.lower(), value) for name, value in (*self._proxy_headers, *headers)]
        head = RequestHead(self.template.method, self._proxied + target, on_wire)
        data = as_http1(head.method, head.target, [*self._proxy_headers, *headers], content)
        return PreparedRequest(
            self.endpoint, self.url, target, headers, WireRequest(self._wire.origin, head, content, data)
        )


def _request(service: Service, endpoint: Endpoint, marks: Marks) -> httpx.Request:
    """Raises UnicodeError, ValueError, httpx.InvalidURL."""
    headers = httpx.Headers(
        {"User-Agent": f"perfcheck/{__version__}", "Accept": "*/*", "Accept-Encoding": ACCEPTED_CODINGS}
    )
    own = httpx.Headers([(name.encode(), marks.text_of(text).encode()) for name, text in endpoint.headers])
    headers = httpx.Headers([*((k, v) for k, v in headers.raw if k.decode() not in own), *own.raw])
    pairs = [(name, marks.text_of(value, encoding=Encoding.QUERY)) for name, value in endpoint.query]
    path = marks.text_of(endpoint.path_template) if endpoint.path_template else endpoint.path
    url = httpx.URL(_address(service.base_url, path, urlencode(pairs, quote_via=quote)))
    has_login = endpoint.is_anonymous or endpoint.digest or service.digest
    if (url.username or url.password) and not has_login:
        login = base64.b64encode(f"{url.username}:{url.password}".encode())
        headers.setdefault("Authorization", f"Basic {login.decode('ascii')}")
    match endpoint.content:
        case Multipart(parts) as multipart:
            headers["Content-Type"] = f"multipart/form-data; boundary={multipart.boundary}"
            files = [(part.name, (part.filename, _bytes(part.content, marks), part.content_type)) for part in parts]
            return httpx.Request(endpoint.method, url, headers=headers, files=files)
        case None:
            return httpx.Request(endpoint.method, url, headers=headers)
        case content:
            return httpx.Request(endpoint.method, url, headers=headers, content=_bytes(content, marks))


def _bytes(content: RequestText | bytes, marks: Marks) -> bytes:
    return content if isinstance(content, bytes) else marks.text_of(content, encoding=None).encode()


def _pieces(marks: Marks, marked: bytes) -> Pieces:
    if marks.token not in marked:
        return marked
    return tuple(
        Inserted(*piece) if isinstance(piece, Placeholder) else sent(piece).encode("latin-1")
        for piece in marks.split(marked.decode("latin-1"))
    )


def prepare(
    service: Service, endpoint: Endpoint, proxy: httpx.Proxy | None, values: Mapping[str, str]
) -> PreparedRequest:
    """One request of ``endpoint``. Raises as RequestPlan does."""
    return RequestPlan(service, endpoint, proxy).prepared(values)


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
    head = RequestHead(method, target, [(name.lower(), value) for name, value in headers])
    try:
        event = h11.Request(method=method, target=target, headers=headers)
        return WireRequest(origin, head, content, _send(h11.Connection(h11.CLIENT), event, content))
    except h11.LocalProtocolError as error:
        raise not_http(error) from error


def expect_response(parser: h11.Connection, head: RequestHead, content: bytes) -> None:
    """As if ``parser`` had sent the request: it then expects the response. Raises h11.LocalProtocolError."""
    _send(parser, h11.Request(method=head.method, target=head.target, headers=list(head.headers)), content)


def _send(parser: h11.Connection, head: h11.Request, content: bytes) -> bytes:
    events = (head, h11.Data(content), h11.EndOfMessage()) if content else (head, h11.EndOfMessage())
    return b"".join([parser.send(event) or b"" for event in events])


def proxy_headers(proxy: httpx.Proxy) -> list[tuple[bytes, bytes]]:
    if proxy.raw_auth is None:
        return []
    return [(b"Proxy-Authorization", b"Basic " + base64.b64encode(b":".join(proxy.raw_auth)))]


def url_shown(base_url: str, endpoint: Endpoint) -> str:
    """The URL without the secrets of the endpoint; the redactor masks all others."""
    query = urlencode(
        [(name, displayed(value)) for name, value in endpoint.query], quote_via=quote, safe="*/${}", errors="replace"
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
    """``path`` may be a URL of its own, of a login elsewhere."""
    if path.startswith(("http://", "https://")):
        return path
    address = base_url.rstrip("/") + (path if path.startswith("/") or not path else f"/{path}")
    return address + ("&" if "?" in address else "?") + query if query else address


# --- Redirects -------------------------------------------------------------------------------------------------------


class Redirects:
    """Where the responses of one sample lead.

    httpx knows the rules: methods that change, headers that are dropped, cookies. It replays responses that have been
    received already, and returns the request that it would send next.
    """

    def __init__(self, prepared: PreparedRequest) -> None:
        headers = prepared.endpoint.headers
        self._secret_headers = [name for name, value in headers if not isinstance(value, str)]
        self._origin = prepared.wire_request.origin
        has_cookies = any(name.lower() == "cookie" for name, _ in headers)  # not only those that responses set
        self._cookies = _cookies(prepared.headers) if has_cookies else b""
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
        if self._cookies and Origin.of(following.url) == self._origin:
            following.headers = _with_cookies(self._cookies, following.headers)
        return following


def _cookies(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"; ".join(value for name, value in headers if name.lower() == b"cookie")


def _with_cookies(own: bytes, headers: httpx.Headers) -> httpx.Headers:
    """``headers`` has only the cookies that the redirects set, which replace those of the same name."""
    newer = _cookies(headers.raw)
    names = {pair.partition(b"=")[0].strip() for pair in newer.split(b";")}
    older = [pair.strip() for pair in own.split(b";") if pair.partition(b"=")[0].strip() not in names]
    others = [header for header in headers.raw if header[0].lower() != b"cookie"]
    return httpx.Headers([*others, (b"Cookie", b"; ".join(filter(None, [*older, newer])))])


def _is_sendable(header: tuple[bytes, bytes]) -> bool:
    """A cookie would be sent with the next request, and httpx sends no other characters."""
    name, value = header
    return name != b"set-cookie" or value.isascii()
