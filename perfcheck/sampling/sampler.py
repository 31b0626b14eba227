"""The requests of a check, from the first to the last verdict.

The sampler measures nothing itself and knows no clock but the one it is given: it can be run against a real service,
or through days of scripted time in a second.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from perfcheck.model import Endpoint, EndpointProgress, Failure, Measurement, Sample, Sampling, Stop
from perfcheck.sampling.endpoint_session import EndpointSession
from perfcheck.sampling.scheduler import Scheduler
from perfcheck.sampling.stage import WARM_UP


class Sampler:
    """Sends requests to all endpoints in turn until each has its verdict, or the time is up.

    ``send`` makes one request. ``now`` and ``sleep`` are the clock, in seconds. ``max_requests`` bounds the judged
    requests of an endpoint in each stage. ``observe`` is called with each sample after it was taken into account: the
    name of the endpoint, the stage (0 is warm-up) and the sample.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        send: Callable[[Endpoint], Sample],
        *,
        sampling: Sampling,
        rng: random.Random,
        now: Callable[[], float],
        sleep: Callable[[float], None],
        max_requests: int | None = None,
        observe: Callable[[str, int, Sample], None] | None = None,
    ) -> None:
        self._send = send
        self._now = now
        self._observe = observe
        self._cut_short = Stop.INTERRUPTED
        self._scheduler = Scheduler(budget_s=sampling.budget_s, rng=rng, now=now, sleep=sleep)
        self._sessions = [EndpointSession(endpoint, sampling, max_requests) for endpoint in endpoints]

    def run(self) -> None:
        """Measure until every endpoint has its verdict or the budget has ended.

        A request that is under way when the budget ends is abandoned within a second, and not judged.

        Whatever ``send``, ``sleep`` or ``observe`` raise passes through, KeyboardInterrupt included. What was measured
        is kept: see :meth:`measurements`.
        """
        if not self._scheduler.run(self._sessions, self._measure):
            self._cut_short = Stop.BUDGET

    def _measure(self, session: EndpointSession, left_s: float) -> bool:
        """One sample. False: the budget ended before the response came, which is no failure of the endpoint."""
        stage = session.stage
        endpoint = session.timeout.within(left_s)
        sample = self._send(endpoint)
        abandoned = sample.failure is Failure.TIMEOUT and endpoint.timeout_s < session.endpoint.timeout_s
        if abandoned and stage != WARM_UP:
            return False
        session.take(sample, self._now())
        if self._observe:
            self._observe(session.endpoint.name, stage, sample)
        return not abandoned

    def measurements(self) -> tuple[Measurement, ...]:
        """What was measured and decided so far, in the order of the endpoints. May be called at any time."""
        return tuple(session.measurement(self._cut_short) for session in self._sessions)

    def progress(self) -> tuple[EndpointProgress, ...]:
        """The progress of each endpoint, in their order."""
        now = self._now()
        return tuple(session.progress(now) for session in self._sessions)
