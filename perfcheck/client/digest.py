"""HTTP digest authentication (RFC 7616): httpx has the arithmetic, which is used without its client."""

from __future__ import annotations

import httpx

from perfcheck.client.response import Response
from perfcheck.model import Digest

_STATUS = 401


class DigestLogin:
    """The challenge of a service that came last; requests are signed by it before they are sent."""

    def __init__(self, login: Digest) -> None:
        self._login = login
        self._auth = httpx.DigestAuth(login.username, login.password)
        self._first: tuple[str, httpx.URL, bytes] | None = None  # the request that was challenged, and its header
        self.challenges = 0
        self.is_stale = False  # the last challenge was for a nonce that is too old, not for a wrong password

    def sign(self, method: str, url: httpx.URL) -> bytes | None:
        """The header, with the next nonce count; None without a challenge."""
        first, self._first = self._first, None
        if first is not None and first[:2] == (method, url):
            return first[2]
        if not self.challenges:
            return None
        return _authorization(next(self._auth.auth_flow(httpx.Request(method, url))))

    def receive(self, request: httpx.Request, response: Response) -> None:
        """Keep the challenge of ``response``, whose status is 401, if it has one that httpx can answer."""
        flow = self._auth.auth_flow(httpx.Request(request.method, request.url))
        next(flow)
        headers = [(name, value) for name, value in response.headers if name == b"www-authenticate"]
        try:
            answered = flow.send(httpx.Response(_STATUS, headers=headers, request=request))
        except StopIteration:
            return
        except (httpx.HTTPError, NotImplementedError, KeyError, ValueError):
            # httpx has kept it all the same, and would raise again with each request.
            self._auth, self.challenges = httpx.DigestAuth(self._login.username, self._login.password), 0
            return
        self._first = request.method, request.url, _authorization(answered)
        self.challenges += 1
        self.is_stale = "stale=true" in response.header(b"www-authenticate").lower().replace('"', "")


def _authorization(request: httpx.Request) -> bytes:
    return request.headers["Authorization"].encode()
