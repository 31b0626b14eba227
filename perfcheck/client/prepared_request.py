"""An endpoint as a request: built once, sent many times; its address as it may be shown; and where a redirect leads."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import httpcore
import httpx

from perfcheck import __version__
from perfcheck.client.response import accepted_codings
from perfcheck.errors import UsageError
from perfcheck.model import Endpoint, Secret, Service, displayed, sent
from perfcheck.text import MASK


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    endpoint: Endpoint
    request: httpx.Request
    wire_request: httpcore.Request
    secret_headers: frozenset[str]  # lower case; not sent cross-origin


def prepare(service: Service, endpoint: Endpoint) -> PreparedRequest:
    """Raises UsageError when the parts do not make a URL."""
    headers = httpx.Headers(
        {"User-Agent": f"perfcheck/{__version__}", "Accept": "*/*", "Accept-Encoding": accepted_codings()}
    )
    own = httpx.Headers([(name.encode(), sent(value).encode()) for name, value in endpoint.headers])
    headers = httpx.Headers([*((k, v) for k, v in headers.raw if k.decode() not in own), *own.raw])
    query = urlencode([(name, sent(value)) for name, value in endpoint.query], quote_via=quote)
    try:
        url = httpx.URL(_address(service.base_url, endpoint.path, query))
        content = None if endpoint.content is None else sent(endpoint.content).encode()
        if url.username or url.password:
            login = base64.b64encode(f"{url.username}:{url.password}".encode())
            headers.setdefault("Authorization", f"Basic {login.decode('ascii')}")
        request = httpx.Request(endpoint.method, url, headers=headers, content=content)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        shown = url_shown(service.base_url, endpoint)
        raise UsageError(f"not a URL: {shown}", "check service.base_url and the path of the endpoint") from None
    return PreparedRequest(
        endpoint=endpoint,
        request=request,
        wire_request=wire_request(request),
        secret_headers=frozenset(name.lower() for name, value in endpoint.headers if isinstance(value, Secret)),
    )


def wire_request(request: httpx.Request) -> httpcore.Request:
    """``request`` as the pool of connections takes it."""
    return httpcore.Request(
        method=request.method, url=wire_url(request.url), headers=request.headers.raw, content=request.read()
    )


def wire_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def url_shown(base_url: str, endpoint: Endpoint) -> str:
    """The URL without the secrets of the endpoint; the redactor masks all others."""
    query = urlencode([(name, displayed(value)) for name, value in endpoint.query], quote_via=quote, safe="*/")
    return _address(base_url_shown(base_url), endpoint.path, query)


def base_url_shown(base_url: str) -> str:
    """Without the password in it, if any."""
    scheme, slashes, rest = base_url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    if at:
        name, colon, _ = user.partition(":")
        authority = f"{name}:{MASK}@{host}" if colon else f"{MASK}@{host}"
    return f"{scheme}{slashes}{authority}{slash}{path}"


def _address(base_url: str, path: str, query: str) -> str:
    address = base_url.rstrip("/") + (path if path.startswith("/") or not path else f"/{path}")
    return address + ("&" if "?" in address else "?") + query if query else address


# --- Redirects -------------------------------------------------------------------------------------------------------

_REDIRECTS = {301, 302, 303, 307, 308}


class RedirectRules:
    """httpx knows the rules: methods that change, headers that are dropped, cookies.

    It replays responses that have been received already, and returns the request that it would send next.
    """

    _received: httpx.Response

    def __init__(self) -> None:
        self._http = httpx.Client(transport=httpx.MockTransport(lambda _: self._received), trust_env=False)

    def following(
        self, request: httpx.Request, status: int, headers: list[tuple[bytes, bytes]], secret_headers: frozenset[str]
    ) -> httpx.Request | None:
        """The request that the response to ``request`` redirects to, if any; secrets are not sent cross-origin.

        Raises httpx.RemoteProtocolError for a location that is not a URL.
        """
        if status not in _REDIRECTS:
            return None
        self._received = httpx.Response(status, headers=headers)
        following = self._http.send(request, follow_redirects=False).next_request
        if following is not None and not _same_origin(request.url, following.url):
            for name in secret_headers:
                following.headers.pop(name, None)
        return following

    def forget(self) -> None:
        """Drop the cookies: those set for one endpoint are not sent for the next."""
        self._http.cookies.clear()

    def close(self) -> None:
        self._http.close()


def _same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)
