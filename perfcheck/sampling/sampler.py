"""The requests of a check, from the first to the last verdict.

The sampler measures nothing itself and knows no clock but the one it is given: it can be run against a real service,
or through days of scripted time in a second.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence

from perfcheck.model import (
    Endpoint,
    EndpointProgress,
    ErrorProof,
    Forecast,
    Measurement,
    RateLimit,
    Sample,
    Sampling,
    Stop,
)
from perfcheck.sampling.endpoint_session import EndpointSession
from perfcheck.sampling.protocols import Transport
from perfcheck.sampling.scheduler import MOST_PROOF_S, Scheduler

_ROTATION_S = 60.0


class Sampler:
    """Sends requests to all endpoints until each has its verdict, or the time is up.

    ``transport`` sends the requests. ``now`` is its clock, in seconds. ``max_requests`` bounds the judged requests of
    an endpoint in each stage. ``observe`` is called with the name of an endpoint and its sample after each that was
    taken into account, or that it waits for. ``measured_alone`` returns when endpoints were last measured alone, by
    name, and is given where figures are kept or compared: after a screening those for which that is longest ago are
    measured alone as well.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        transport: Transport,
        *,
        sampling: Sampling,
        rng: random.Random,
        now: Callable[[], float],
        max_requests: int | None = None,
        observe: Callable[[str, Sample], None] = lambda *_: None,
        measured_alone: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        self._now = now
        self._measured_alone = measured_alone
        self._cut_short = Stop.INTERRUPTED
        self._sessions = [EndpointSession(endpoint, sampling, max_requests) for endpoint in endpoints]
        self._schedule = Scheduler(
            self._sessions,
            [transport],
            sampling=sampling,
            rng=rng,
            now=now,
            observe=lambda session, sample: observe(session.endpoint.name, sample),
            proof_s=math.inf if sampling.errors is ErrorProof.STRICT else MOST_PROOF_S,
            again=self._again,
        )
        if self._schedule.screens:
            for session in self._sessions:
                session.expect_screening()

    def run(self) -> None:
        """Measure until every endpoint has its verdict or the budget has ended.

        A request that is under way when the budget ends is abandoned, and not judged.

        Whatever ``transport`` or ``observe`` raise passes through, KeyboardInterrupt included. What was measured is
        kept: see :meth:`measurements`.
        """
        if not self._schedule.run():
            self._cut_short = Stop.BUDGET

    def _again(self) -> list[EndpointSession]:
        """As many of those that were only screened as a minute allows: the critical paths first, then in rotation."""
        if self._measured_alone is None:
            return []
        times, left_s, chosen = self._measured_alone(), _ROTATION_S, []
        screened = [session for session in self._sessions if session.is_screened]
        for session in sorted(screened, key=lambda s: (not s.endpoint.critical_path, times.get(s.endpoint.name, ""))):
            left_s -= self._schedule.paces.takes_s(*session.need_alone)
            if left_s >= 0:
                session.measure_again()
                chosen.append(session)
        return chosen

    def measurements(self) -> tuple[Measurement, ...]:
        """What was measured and decided so far, in the order of the endpoints. May be called at any time."""
        return tuple(session.measurement(self._cut_short) for session in self._sessions)

    def requests(self) -> int:
        return sum(len(measurement.samples) for measurement in self.measurements())

    def forecast(self) -> Forecast:
        """What the rest will take."""
        return self._schedule.forecast()

    def limits(self) -> tuple[RateLimit | None, ...]:
        """What the service made the requests wait for, as the only one."""
        return self._schedule.paces.limits

    def progress(self) -> tuple[EndpointProgress, ...]:
        """The progress of each endpoint, in their order."""
        now = self._now()
        return tuple(session.progress(now) for session in self._sessions)
