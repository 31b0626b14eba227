"""What a request was answered, and whether that is what was expected."""

from __future__ import annotations

import http.client

import httpcore

from perfcheck.client.exchange import RequestFailedError
from perfcheck.model import Failure

_MOST_DIGITS = 20


class Answer:
    """The last response of a sample, as far as it came."""

    __slots__ = ("pieces", "response")

    def __init__(self) -> None:
        self.response: httpcore.Response | None = None
        self.pieces: list[bytes] = []

    @property
    def status(self) -> int | None:
        return None if self.response is None else self.response.status

    def header(self, name: bytes) -> str:
        """The value of a header by its lower-case name; of repeated ones, all. Empty when there is none."""
        return "" if self.response is None else _header(self.response, name)

    def problem(
        self, expect: tuple[tuple[int, int], ...], failed: RequestFailedError | None
    ) -> RequestFailedError | None:
        """A status that is not expected says more than what befell its body, save that it timed out."""
        status = self.status
        if status is None or (failed is not None and failed.failure is Failure.TIMEOUT):
            return failed
        if any(low <= status <= high for low, high in expect):
            return failed
        return RequestFailedError(Failure.STATUS, self._status_line(status))

    def _status_line(self, status: int) -> str:
        line = f"{status} {self._reason(status)}".strip()
        if (retry := self.header(b"retry-after")) and status in {429, 503}:
            return f"{line}, Retry-After: {retry}"
        if (location := self.header(b"location")) and 300 <= status <= 399:  # noqa: PLR2004
            return f"{line}, to {location}; follow_redirects: true would follow it"
        return line

    def _reason(self, status: int) -> str:
        reason: bytes = b"" if self.response is None else self.response.extensions.get("reason_phrase", b"")
        if reason:
            return reason.decode("utf-8", "replace")
        return http.client.responses.get(status, "")


def content_length(request: httpcore.Request, response: httpcore.Response) -> int:
    """The length of the body as it is announced; 0 when it is not, or when no body follows."""
    value = _header(response, b"content-length")
    return int(value[:_MOST_DIGITS]) if request.method != b"HEAD" and value.isascii() and value.isdigit() else 0


def _header(response: httpcore.Response, name: bytes) -> str:
    found = [value for key, value in response.headers if key.lower() == name]
    return b", ".join(found).decode("utf-8", "replace") if found else ""
