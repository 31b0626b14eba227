"""The cookies of a service: what its responses set is sent with later requests."""

from __future__ import annotations

import math
import re
import time
import warnings
from collections.abc import Callable

import httpx

from perfcheck.client.response import Response
from perfcheck.text import Redactor

_LONGEST = 4096  # bytes, of a cookie; browsers ignore longer ones (RFC 6265, section 6.1)
_MOST = 180  # browsers forget the oldest beyond this


class CookieStore:
    """Domains, paths, ``Secure`` and expiry are as in http.cookiejar. The values are secrets from when they arrive."""

    def __init__(self, redact: Redactor, changed: Callable[[], None]) -> None:
        """``changed`` is called when requests may have other cookies than before."""
        self._cookies = httpx.Cookies()
        self._redact = redact
        self._changed = changed
        self._known: set[tuple[str, str, str, str | None, bool]] = set()
        self._expires_s = math.inf  # by time.time(): the first of them

    def receive(self, request: httpx.Request, response: Response) -> None:
        """Keep the cookies of ``response`` to ``request``."""
        host = request.url.raw_host
        usable = [value for name, value in response.headers if name == b"set-cookie" and _is_usable(value)]
        headers = [(b"set-cookie", _without_own_domain(value, host)) for value in usable]
        if headers:
            with warnings.catch_warnings(action="ignore"):  # http.cookiejar's of what it cannot read
                self._cookies.extract_cookies(httpx.Response(response.status, headers=headers, request=request))
            for cookie in list(self._cookies.jar)[:-_MOST]:
                self._cookies.jar.clear(cookie.domain, cookie.path, cookie.name)
            self._compare()

    def header(self, request: httpx.Request) -> bytes | None:
        """The cookies that belong to ``request``, which has no header for them yet."""
        self._cookies.set_cookie_header(request)
        cookies = request.headers.get("Cookie")
        return cookies.encode("latin-1") if cookies else None

    def forget_expired(self) -> None:
        if time.time() >= self._expires_s:
            self._cookies.jar.clear_expired_cookies()
            self._compare()

    def _compare(self) -> None:
        cookies = list(self._cookies.jar)
        self._expires_s = min((each.expires for each in cookies if each.expires is not None), default=math.inf)
        known = {(each.domain, each.path, each.name, each.value, each.secure) for each in cookies}
        if known != self._known:
            self._known = known
            for each in cookies:
                self._redact.add(each.value or "", source=f"cookie {each.name}")
            self._changed()


def _is_usable(header: bytes) -> bool:
    """Whether it can be sent back."""
    return len(header) <= _LONGEST and header.isascii() and header.decode("ascii").isprintable()


def _without_own_domain(header: bytes, host: bytes) -> bytes:
    """http.cookiejar ignores cookies with ``Domain=localhost``; browsers keep them, for that host alone."""
    if b"." in host:
        return header
    return re.sub(rb";\s*domain\s*=\s*\.?%b\s*(?=;|$)" % re.escape(host), b"", header, flags=re.IGNORECASE)
