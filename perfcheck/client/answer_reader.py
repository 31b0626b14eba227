"""The body of a response: checked by what the baseline expects, and its values captured."""

from __future__ import annotations

from contextlib import nullcontext, suppress

from perfcheck.answers.answer_check import AnswerCheck
from perfcheck.client.capture import captured
from perfcheck.client.excerpt import beginning
from perfcheck.client.exchange import RequestFailedError
from perfcheck.client.response import BODY_CAP, Response
from perfcheck.client.values import RequestValues
from perfcheck.errors import UsageError
from perfcheck.model import Capture, Endpoint, Failure
from perfcheck.text import Redactor
from perfcheck.units import WrongValueError


class AnswerReader:
    """What it captures is known to ``redact`` from then on."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact
        self._checks: dict[int, tuple[Endpoint, AnswerCheck]] = {}  # by the id of the endpoint, which is kept

    def check_of(self, endpoint: Endpoint) -> AnswerCheck | None:
        """Raises UsageError, for a schema that is no longer what it was when the baseline was read."""
        if endpoint.answer is None:
            return None
        if id(endpoint) not in self._checks:
            has_body, is_secret = endpoint.method != "HEAD", bool(endpoint.captures)
            try:
                check = AnswerCheck(endpoint.answer, self._redact, has_body=has_body, is_secret=is_secret)
            except WrongValueError as error:
                raise UsageError(f"{endpoint.name}: expect: {error.message}", error.remedy) from None
            self._checks[id(endpoint)] = endpoint, check
        return self._checks[id(endpoint)][1]

    def read(
        self, endpoint: Endpoint, response: Response, check: AnswerCheck | None, values: RequestValues
    ) -> int | None:
        """The size of the body, decoded, once it was checked and its values were captured; None of one that is cut off.

        Raises RequestFailedError, also for a wrong answer.
        """
        if check is None and not endpoint.captures:
            return None if response.is_enough else sum(map(len, response.decoded()))
        # Where it is enough: a first event, or what is not looked into.
        body = beginning(response, BODY_CAP) if response.is_enough else b"".join(response.decoded())
        if check is not None and (problem := check.problem(response.header, body)):
            raise RequestFailedError(Failure.WRONG_ANSWER, f"{Failure.WRONG_ANSWER}: {problem}")
        for capture in endpoint.captures:
            with suppress(RequestFailedError) if capture.is_lifetime else nullcontext():
                values.capture(capture.name, captured(capture, response, body))
                self._hide(capture, values[capture.name])
        return None if response.is_enough else len(body)

    def hide_captured(self, endpoint: Endpoint, response: Response) -> None:
        """A response that failed may have what it was sent for all the same, and show it."""
        for capture in endpoint.captures:
            with suppress(RequestFailedError):
                self._hide(capture, captured(capture, response, b"".join(response.decoded())))

    def _hide(self, capture: Capture, value: str) -> None:
        if not capture.is_lifetime:
            self._redact.add(value, source=f"capture {capture.name}")
