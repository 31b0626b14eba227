"""Errors of Chromium, by the names that the client of requests has for them."""

from __future__ import annotations

from perfcheck.model import Failure

# By the beginning of what Chromium calls them (net/base/net_error_list.h).
_FAILURES = {
    "ERR_ABORTED": Failure.WRONG_ANSWER,  # a download, or a response without a body
    "ERR_CONNECTION_REFUSED": Failure.REFUSED,
    "ERR_CONNECTION_RESET": Failure.RESET,
    "ERR_CONNECTION_CLOSED": Failure.RESET,
    "ERR_EMPTY_RESPONSE": Failure.RESET,
    "ERR_SOCKET_NOT_CONNECTED": Failure.RESET,
    "ERR_NAME_NOT_RESOLVED": Failure.NAME,
    "ERR_CERT": Failure.TLS,
    "ERR_SSL": Failure.TLS,
    "ERR_TOO_MANY_REDIRECTS": Failure.REDIRECTS,
    "ERR_CONTENT_LENGTH_MISMATCH": Failure.TRUNCATED,
    "ERR_INCOMPLETE_CHUNKED_ENCODING": Failure.TRUNCATED,
    "ERR_CONTENT_DECODING_FAILED": Failure.DECODING,
    "ERR_CONNECTION_TIMED_OUT": Failure.TIMEOUT,
    "ERR_TIMED_OUT": Failure.TIMEOUT,
    "ERR_ADDRESS_UNREACHABLE": Failure.CONNECT,
    "ERR_": Failure.PROTOCOL,
}
_DOWNLOAD = "Download is starting"


class StepFailedError(Exception):
    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


def failure_of(message: str) -> StepFailedError:
    """What an error of Playwright says: of the network, or of the browser itself."""
    line = message.partition("\n")[0].removeprefix("Page.goto: ").strip()
    if line == _DOWNLOAD:
        line = "net::ERR_ABORTED"
    if "net::ERR_" not in line:
        return StepFailedError(Failure.BROWSER, f"the browser failed: {line}")
    code = line[line.index("ERR_") :].split(" ")[0]
    failure = next(kind for start, kind in _FAILURES.items() if code.startswith(start))
    return StepFailedError(
        failure, "no document came: it is a download, or empty" if failure is Failure.WRONG_ANSWER else f"net::{code}"
    )
