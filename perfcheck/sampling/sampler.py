"""The requests of a check, from the first to the last verdict.

The sampler measures nothing itself and knows no clock but the one it is given: it may be run against a real service,
or through days of scripted time in a second.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from perfcheck.model import Endpoint, Failure, Measurement, Sample, Sampling, Stop
from perfcheck.sampling.scheduler import Rounds
from perfcheck.sampling.track import WARM_UP, Progress, Track


class Sampler:
    """Asks endpoints in turn until each has its verdict, or the time is up.

    ``send`` makes one request. ``now`` and ``sleep`` are the clock, in seconds. ``max_requests`` bounds the judged
    requests of an endpoint in each stage. ``observe`` is told of each sample after it was taken into account: the name
    of the endpoint, the stage (0 is warm-up) and the sample.
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
        self._rounds = Rounds(budget_s=sampling.budget_s, rng=rng, now=now, sleep=sleep)
        self._tracks = [Track(endpoint, sampling, max_requests) for endpoint in endpoints]

    def run(self) -> None:
        """Measure until every endpoint has its verdict or the budget has ended.

        A request that is under way when the budget ends is given up within a second, and not judged.

        Whatever ``send``, ``sleep`` or ``observe`` raise passes through, KeyboardInterrupt included. What was measured
        is kept, and :meth:`measurements` tells it.
        """
        if not self._rounds.run(self._tracks, self._ask):
            self._cut_short = Stop.BUDGET

    def _ask(self, track: Track, left_s: float) -> bool:
        """One sample. False: the budget ended before the answer came, which is no failure of the endpoint."""
        stage = track.stage
        endpoint = track.patience.within(left_s)
        sample = self._send(endpoint)
        given_up = sample.failure is Failure.TIMEOUT and endpoint.timeout_s < track.endpoint.timeout_s
        if given_up and stage != WARM_UP:
            return False
        track.take(sample, self._now())
        if self._observe:
            self._observe(track.endpoint.name, stage, sample)
        return not given_up

    def measurements(self) -> tuple[Measurement, ...]:
        """What was measured and decided so far, in the order of the endpoints. May be asked for at any time."""
        return tuple(track.measurement(self._cut_short) for track in self._tracks)

    def progress(self) -> tuple[Progress, ...]:
        """Where each endpoint stands, in the order of the endpoints."""
        now = self._now()
        return tuple(track.progress(now) for track in self._tracks)
