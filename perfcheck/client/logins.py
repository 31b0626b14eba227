"""Who sends the requests of one service: what the setup captured, cookies and digests; and what status 401 leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

import httpx

from perfcheck.client.cookies import CookieStore
from perfcheck.client.digest import DigestLogin
from perfcheck.client.loop import Steps
from perfcheck.client.prepared_request import PreparedRequest
from perfcheck.client.response import Response
from perfcheck.client.setup import Send, Setup
from perfcheck.model import RENEWAL_FAILED, Digest, Endpoint, Failure, Fetched, Sample, Service
from perfcheck.text import Redactor

_UNAUTHORIZED = 401
_Outcome = TypeVar("_Outcome", Sample, Fetched)


class Logins:
    def __init__(self, service: Service, send: Send, redact: Redactor, changed: Callable[[], None]) -> None:
        """``changed`` is called when requests that were prepared are no longer right."""
        self.setup = Setup(send, changed)
        self._cookies = CookieStore(redact, changed) if service.cookies else None
        self._of_service = service.digest
        self._digests: dict[Digest, DigestLogin] = {}
        # The version of its logins that did not help; by the id of the endpoint, which is kept, or by 0.
        self._rejected: dict[int, tuple[Endpoint, int]] = {}

    def refresh(self) -> None:
        """Before a request: what expires by itself is forgotten."""
        if self._cookies is not None:
            self._cookies.forget_expired()

    def with_cookies(self, prepared: PreparedRequest) -> PreparedRequest:
        cookies = self.cookies(prepared.endpoint, prepared.whole_url, prepared.headers)
        return prepared.with_header(b"Cookie", cookies) if cookies else prepared

    def cookies(self, endpoint: Endpoint, url: httpx.URL, headers: Iterable[tuple[bytes, object]]) -> bytes | None:
        """Those that its request is to have; None where ``headers`` has them already."""
        if self._cookies is None or endpoint.is_anonymous or any(name.lower() == b"cookie" for name, _ in headers):
            return None
        return self._cookies.header(httpx.Request(endpoint.method, url))

    def signed(self, prepared: PreparedRequest) -> PreparedRequest:
        """By digest authentication: each request anew."""
        digest = self._digest(prepared.endpoint)
        signature = digest.sign(prepared.endpoint.method, prepared.whole_url) if digest else None
        return prepared.with_header(b"Authorization", signature) if signature else prepared

    def renew_headers(self, endpoint: Endpoint, following: httpx.Request) -> None:
        """Of the request that a redirect leads to: cookies by its address, a signature unless it is cross-origin."""
        own = [(name.encode(), value) for name, value in endpoint.headers]
        if cookies := self.cookies(endpoint, following.url, own):
            following.headers["Cookie"] = cookies.decode("latin-1")
        digest = self._digest(endpoint)
        if digest is not None and "authorization" in following.headers:
            signature = digest.sign(following.method, following.url)
            following.headers["Authorization"] = (signature or b"").decode("latin-1")

    def receive(self, prepared: PreparedRequest, redirected: httpx.Request | None, response: Response) -> None:
        """Keep the cookies of ``response`` and its challenge; it may be that to a redirect of ``prepared``."""
        if response.status == _UNAUTHORIZED and (digest := self._digest(prepared.endpoint)):
            digest.receive(redirected or prepared.request, response)
        if self._cookies is not None and any(name == b"set-cookie" for name, _ in response.headers):
            self._cookies.receive(redirected or prepared.request, response)
            self.setup.sets_cookies(prepared.endpoint)

    def logged_in(
        self, endpoint: Endpoint, send: Callable[[], Steps[_Outcome]], *, key: int | None = None
    ) -> Steps[_Outcome]:
        """What ``send`` returns; where that is an unexpected 401, the login is renewed, and it is sent once more.

        Not where that did not help the last time: of ``endpoint``, or of any with the same ``key``.
        """
        digest = self._digest(endpoint)
        if digest is None and not self.setup.has_requests:
            return send()  # with nothing to renew, and no more to be done for each request
        return self._renewing(endpoint, send, digest, id(endpoint) if key is None else key)

    def _renewing(
        self, endpoint: Endpoint, send: Callable[[], Steps[_Outcome]], digest: DigestLogin | None, key: int
    ) -> Steps[_Outcome]:
        yield from self.setup.renew_due(endpoint)
        version = self.setup.version(endpoint)
        challenges = digest.challenges if digest else 0
        outcome = yield from send()
        if not _is_rejected(outcome):
            return outcome
        is_challenged = digest is not None and digest.challenges > challenges
        is_stale = digest is not None and is_challenged and (digest.is_stale or not challenges)
        if key in self._rejected and self._rejected[key][1] == version and not is_stale:
            return outcome
        if not version and not is_challenged:
            return outcome
        if not is_challenged and (failed := (yield from self.setup.renew(endpoint, version))):
            return replace(outcome, detail=f"{outcome.detail}; {RENEWAL_FAILED}: {failed.detail}")
        outcome = yield from send()
        if _is_rejected(outcome):
            self._rejected[key] = endpoint, self.setup.version(endpoint)
        else:
            self._rejected.pop(key, None)
        return outcome

    def _digest(self, endpoint: Endpoint) -> DigestLogin | None:
        login = endpoint.digest if endpoint.line else self._of_service
        if login is None:
            return None
        if login not in self._digests:
            self._digests[login] = DigestLogin(login)
        return self._digests[login]


def _is_rejected(outcome: Sample | Fetched) -> bool:
    return outcome.status == _UNAUTHORIZED and outcome.failure is Failure.STATUS
