"""What a user does at a time: one request, or the steps of a workflow, with values of their own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from time import perf_counter

import gevent

from perfcheck.answers.answer_check import AnswerCheck
from perfcheck.capacity.engine.connection import LoadConnection
from perfcheck.capacity.engine.counts import GeneratorError
from perfcheck.capacity.engine.plan import LoadPlan, PlannedRequest
from perfcheck.client.capture import captured
from perfcheck.client.exchange import RequestFailedError
from perfcheck.client.response import Response
from perfcheck.client.values import Generator, RequestValues
from perfcheck.model import Failure
from perfcheck.text import Redactor


class UserTurns:
    """Of the users of one worker. Requests of one endpoint are numbered throughout all workers."""

    def __init__(self, plan: LoadPlan, worker: int = 0, workers: int = 1) -> None:
        """``worker`` of ``workers``, from 0."""
        redact = Redactor()  # nothing is shown of what is sent here
        self._plan = plan
        self._numbers = {id(each): count(worker + 1, workers) for each in plan.requests}
        self._generators = {
            id(each): Generator(plan.seed, each.endpoint, each.rows, redact, kind="load") for each in plan.requests
        }
        self._checks = {
            id(step): AnswerCheck(step.answer, redact, has_body=step.method != "HEAD")
            for each in plan.requests
            for step in each.steps or (each,)
            if step.answer is not None
        }

    def take(
        self, request: PlannedRequest, connections: list[LoadConnection]
    ) -> tuple[float, Failure | GeneratorError | None]:
        """One turn, over the ``connections`` that are free: the seconds that responses took, and what went wrong.

        A step that fails is the last. Between two steps the user thinks, which counts as no time.
        """
        cookies: dict[bytes, bytes] = {}
        values = RequestValues(self._generators[id(request)].value, next(self._numbers[id(request)]), {})
        spent_s = 0.0
        for step in request.steps or (request,):
            connection = connections.pop() if connections else LoadConnection(self._plan)
            took_s, error = self._send(step, connection, values, cookies)
            connections.append(connection)
            spent_s += took_s
            if error is not None:
                return spent_s, error
            if step.think_s:
                gevent.sleep(step.think_s)
        return spent_s, None

    def _send(
        self, step: PlannedRequest, connection: LoadConnection, values: RequestValues, cookies: dict[bytes, bytes]
    ) -> tuple[float, Failure | GeneratorError | None]:
        took_s = 0.0
        try:
            data = _data(step, values, cookies)
            start_s = perf_counter()
            outcome = connection.send(step, data)
            took_s = perf_counter() - start_s
            if not isinstance(outcome, Response):
                return took_s, outcome
            cookies.update(_cookies_of(outcome))
            self._read(step, outcome, values)
        except RequestFailedError as error:
            return took_s, error.failure
        return took_s, None

    def _read(self, step: PlannedRequest, response: Response, values: RequestValues) -> None:
        """Raises RequestFailedError for a wrong answer."""
        body = b"".join(response.decoded())
        check = self._checks.get(id(step))
        if check is not None and (problem := check.problem(response.header, body)):
            raise RequestFailedError(Failure.WRONG_ANSWER, problem)
        for capture in step.captures:
            values.capture(capture.name, captured(capture, response, body))


def _data(step: PlannedRequest, values: RequestValues, cookies: dict[bytes, bytes]) -> bytes:
    """Raises RequestFailedError for a value that cannot be inserted."""
    template = step.data
    if isinstance(template, bytes):
        return template
    if step.cookies is not None and (header := _cookie_header(step.cookies, cookies)):
        template = template.with_header(b"Cookie", header)
    return template.data(values)


def _cookies_of(response: Response) -> Iterator[tuple[bytes, bytes]]:
    """As the turn sends them until its end, to all paths of the service; a removed one has no value."""
    for header, text in response.headers:
        if header == b"set-cookie":
            pair, _, attributes = text.partition(b";")
            name, equals, value = pair.partition(b"=")
            if equals:
                is_removed = b"max-age=0" in attributes.lower().replace(b" ", b"").split(b";")
                yield name.strip(), b"" if is_removed else value.strip()


def _cookie_header(from_setup: bytes, cookies: dict[bytes, bytes]) -> bytes:
    """What the setup left, and what the responses of the turn have set since."""
    before = (pair.partition(b"=") for pair in from_setup.split(b"; ") if pair)
    pairs = {**{name: value for name, _, value in before}, **cookies}
    return b"; ".join(b"%b=%b" % (name, value) for name, value in pairs.items() if value)
