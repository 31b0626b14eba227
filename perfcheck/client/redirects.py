"""Where a redirect leads. httpx knows the rules: methods that change, headers that stay behind, cookies."""

from __future__ import annotations

import httpx

_REDIRECTS = {301, 302, 303, 307, 308}


class RedirectRules:
    """httpx is handed responses that have been received already, and asked what it would send next."""

    def __init__(self) -> None:
        self._replay = _Replay()
        self._http = httpx.Client(transport=self._replay, trust_env=False)

    def following(
        self, request: httpx.Request, status: int, headers: list[tuple[bytes, bytes]], secret_headers: frozenset[str]
    ) -> httpx.Request | None:
        """The request that the response to ``request`` asks for, if any; another origin is told no secrets.

        Raises httpx.RemoteProtocolError for a location that is no URL.
        """
        if status not in _REDIRECTS:
            return None
        self._replay.response = httpx.Response(status, headers=headers)
        following = self._http.send(request, follow_redirects=False).next_request
        if following is not None and not _same_origin(request.url, following.url):
            for name in secret_headers:
                following.headers.pop(name, None)
        return following

    def forget(self) -> None:
        """Drop the cookies: what one endpoint is given is not for the next."""
        self._http.cookies.clear()

    def close(self) -> None:
        self._http.close()


class _Replay(httpx.BaseTransport):
    response: httpx.Response

    def handle_request(self, request: httpx.Request) -> httpx.Response:  # noqa: ARG002
        return self.response


def _same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)
