"""The statistics API of the monitor inside a service, read from outside.

Tolerant of what a service says (``monitor_fields``), and not of one that says something else: a page of HTML, a
refusal, an error, silence. Each of these has its own message and remedy, and the reading is then not alive.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from perfcheck.client import monitor_fields as fields
from perfcheck.model import (
    Endpoint,
    Failure,
    Fetched,
    MonitorReading,
    MonitorStatus,
    Secret,
    Service,
)
from perfcheck.text import Redactor
from perfcheck.units import format_size

DEFAULT_PATH = "/api/performance"
_TIMEOUT_S = 10.0  # for each of three answers
_LARGEST_ANSWER = 16_000_000  # bytes; ten thousand endpoints of our own monitor are 12 MB
_HOW_TO_GIVE_IT = (
    "give the token as a header in the baseline: "
    "service: {headers: {Authorization: 'Bearer ${PERFCHECK_MONITOR_TOKEN}'}}"
)
_STATUS_REMEDIES = {
    401: _HOW_TO_GIVE_IT,
    403: f"it is for the machine of the service only, unless a token is configured there; then {_HOW_TO_GIVE_IT}",
    404: "is the path right? 'monitor' under 'service' in the baseline, or --monitor, names it",
    405: "is the path right? 'monitor' under 'service' in the baseline, or --monitor, names it",
    407: "the proxy asks for a password; NO_PROXY leaves the service out of it",
    429: "the service limits how often it may be asked; let it know the address of the check",
}
_REMEDIES = {
    Failure.REFUSED: "is the service running? --base-url gives another address",
    Failure.NAME: "correct 'base_url', or give the address with --base-url",
    Failure.CONNECT: "is the service running? --base-url gives another address",
    Failure.TIMEOUT: "is the service overloaded, or hanging? Its monitor answers in milliseconds",
    Failure.RESET: "look for a crash in the log of the service",
    Failure.TLS: "name the CA with 'tls: {ca: FILE}' under 'service', or use --insecure for a test system",
    Failure.BODY_TOO_LARGE: "is the path right? No monitor says that much",
}
_LOG = "look into the log of the service"
_OTHER_PATH = "is the path right? A login page, or the page of a front end, often answers for any path"
_ABSENT = {404, 405, 501}

_KNOWN_FIELDS = {"status", "issues", "monitored_endpoints", "summary", "all_endpoints"}  # one of them at least

Ask = Callable[[Endpoint], Fetched]


class _NoAnswerError(Exception):
    """No answer of use: why, the remedy, and whether this address alone is missing."""

    def __init__(self, message: str, remedy: str | None, *, absent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.absent = absent


def read_monitor(
    service: Service, ask: Ask, *, threshold_ms: float, redact: Redactor, shown: Callable[[Endpoint], str]
) -> MonitorReading:
    """Ask for ``/health``, ``/stats`` and ``/slow`` below ``service.monitor``.

    ``ask`` sends a request, ``shown`` tells its address without secrets. Whatever the service does, there is a
    reading: one that is not ``alive`` says why. ``/slow`` may be missing, and one of the other two.
    """
    reader = _Reader(service, ask, redact, shown)
    missing: list[_NoAnswerError] = []
    health: object = None
    stats: object = None
    try:
        health = reader.get("health", missing)
        stats = reader.get("stats", missing)
    except _NoAnswerError as error:
        return MonitorReading(alive=False, message=error.message, remedy=error.remedy)
    if len(missing) > 1:
        return MonitorReading(alive=False, message=missing[0].message, remedy=missing[0].remedy)
    return _reading(health, stats, reader.slow(threshold_ms), missing, redact)


def stats_of(service: Service) -> Endpoint:
    """Where the figures of a monitor are read."""
    return _address(service, "stats", (), service.headers)


def _address(
    service: Service, name: str, query: tuple[tuple[str, str], ...], headers: tuple[tuple[str, str | Secret], ...]
) -> Endpoint:
    base = (service.monitor or DEFAULT_PATH).rstrip("/")
    path = f"{base}/{name}"
    return Endpoint(name=path, path=path, line=0, query=query, headers=headers, timeout_s=_TIMEOUT_S)


class _Reader:
    def __init__(self, service: Service, ask: Ask, redact: Redactor, shown: Callable[[Endpoint], str]) -> None:
        self._service = service
        self._headers = service.headers
        if not any(name.lower() == "accept" for name, _ in service.headers):
            self._headers = (*service.headers, ("Accept", "application/json"))
        self._ask = ask
        self._redact = redact
        self._shown = shown

    def get(self, name: str, missing: list[_NoAnswerError]) -> object:
        """The JSON at an address, or None when that is not there, which ``missing`` is told. Raises _NoAnswerError."""
        try:
            return self._json(name, ())
        except _NoAnswerError as error:
            if not error.absent:
                raise
            missing.append(error)
            return None

    def slow(self, threshold_ms: float) -> object:
        """The slow endpoints, or None: this one is asked for what it may have beside the others."""
        try:
            return self._json("slow", (("threshold", f"{threshold_ms:.12g}"),))
        except _NoAnswerError:
            return None

    def _json(self, name: str, query: tuple[tuple[str, str], ...]) -> object:
        endpoint = _address(self._service, name, query, self._headers)
        answer = self._ask(endpoint)
        where = self._shown(endpoint)
        if answer.failure is not None:
            raise self._failed(answer, where)
        if len(answer.body) > _LARGEST_ANSWER:
            size = f"{where} answered with {format_size(len(answer.body))}"
            raise _NoAnswerError(f"the monitor cannot be read: {size}", _REMEDIES[Failure.BODY_TOO_LARGE])
        if "html" in answer.content_type.lower() or answer.body.lstrip()[:1] == b"<":
            raise _NoAnswerError(f"no monitor there: {where} answered with a web page, not JSON", _OTHER_PATH)
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            what = "nothing" if not answer.body.strip() else "something that is not JSON"
            raise _NoAnswerError(f"no monitor there: {where} answered with {what}", _OTHER_PATH) from None

    def _failed(self, answer: Fetched, where: str) -> _NoAnswerError:
        if answer.failure is not Failure.STATUS:
            remedy = _REMEDIES.get(answer.failure or Failure.CONNECT, "ask for it with 'curl -v'")
            return _NoAnswerError(f"the monitor does not answer at {where}: {answer.detail}", remedy)
        status = answer.status or 0
        said = self._said(answer)
        message = f"the monitor cannot be read: {where} answered {answer.detail}{f' ({said})' if said else ''}"
        if 300 <= status <= 399:  # noqa: PLR2004
            message = message.replace("; follow_redirects: true would follow it", "")
        remedy = _STATUS_REMEDIES.get(status, _OTHER_PATH if status < 500 else _LOG)  # noqa: PLR2004
        return _NoAnswerError(message, remedy, absent=status in _ABSENT)

    def _said(self, answer: Fetched) -> str:
        """What a refusal says of itself, where that is a sentence in JSON."""
        if len(answer.body) > _LARGEST_ANSWER:
            return ""
        try:
            told = fields.as_object(json.loads(answer.body))
        except (ValueError, RecursionError):
            return ""
        return fields.text(told.get("error"), self._redact)


def _reading(
    health: object, stats: object, slow: object, missing: list[_NoAnswerError], redact: Redactor
) -> MonitorReading:
    told, figures = fields.as_object(health), _figures(stats)
    about = fields.as_object(figures.get("monitor"))
    slow_ones = fields.as_object(slow).get("slow_endpoints", slow if isinstance(slow, list) else None)
    listed = fields.endpoints(slow_ones, redact, listed_as_slow=True)
    endpoints = fields.merged(fields.endpoints(figures.get("all_endpoints"), redact), listed)
    status = fields.status(told.get("status"))
    if not endpoints and not _KNOWN_FIELDS & {*told, *figures}:
        return MonitorReading(
            alive=False, message="no monitor there: the answer has none of the fields of a monitor", remedy=_OTHER_PATH
        )
    message = fields.text(told.get("message"), redact)
    if status is MonitorStatus.ERROR:
        said = message or "; ".join(fields.texts(told.get("issues"), redact)) or "without a word why"
        return MonitorReading(
            alive=False, status=status, message=f"the monitor says that it failed: {said}", remedy=_LOG
        )
    return MonitorReading(
        alive=True,
        status=status,
        message=message,
        issues=fields.texts(told.get("issues"), redact),
        endpoints=endpoints,
        since=_time(about.get("counting_since"), redact),
        generated_at=_time(figures.get("generated_at"), redact),
        workers=fields.count(about.get("workers")),
        problems=(*fields.texts(about.get("problems"), redact), *(one.message for one in missing), *_lost(about)),
    )


def _figures(stats: object) -> dict[str, Any]:
    """``/stats`` as an object, also where it is nothing but the list of endpoints."""
    if isinstance(stats, list) and not (len(stats) == 1 and "all_endpoints" in fields.as_object(stats)):
        return {"all_endpoints": stats}
    return fields.as_object(stats)


def _lost(about: dict[str, Any]) -> list[str]:
    overflow = fields.count(about.get("requests_without_a_name_of_their_own"))
    defects = fields.count(about.get("defects"))
    lost = [f"{overflow} requests are counted under one name, since there are too many endpoints"] if overflow else []
    return lost + ([f"the monitor failed {defects} times and let the request pass"] if defects else [])


def _time(value: object, redact: Redactor) -> str | None:
    return fields.text(value, redact) or None
