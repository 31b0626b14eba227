"""Samples, and what the sampler decided from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from perfcheck.model.findings import BREACHES, Unit, Verdict, worst
from perfcheck.model.page import PageLoad


class Failure(StrEnum):
    """How a request failed. None enters the latency statistics, except a timeout, which is over every limit."""

    STATUS = "status"
    WRONG_ANSWER = "wrong answer"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    RESET = "reset"
    NAME = "name resolution"
    CONNECT = "connect"
    TLS = "tls"
    PROTOCOL = "protocol"
    TRUNCATED = "truncated"
    BROWSER = "browser"
    REDIRECTS = "redirects"
    BODY_TOO_LARGE = "body too large"
    DECODING = "decoding"


@dataclass(frozen=True, slots=True)
class Phases:
    """Where the time went. The first three are connection set-up and are not part of the latency."""

    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    wait_ms: float | None = None  # first byte of the request written, to first byte of the response arrived
    download_ms: float | None = None  # first to last byte of the response


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed request: when, how long in each phase, how it ended."""

    at_s: float  # when its first byte was written (or it was tried), in seconds of the sampler's clock
    latency_ms: float | None  # or another figure, by ``metric_of``. None for a failure; infinity for a timeout
    failure: Failure | None = None
    status: int | None = None
    detail: str | None = None  # one clean line about a failure, free of secrets and control characters
    phases: Phases = Phases()
    body_bytes: int | None = None  # decoded
    server_timing: str | None = None  # the response header, raw
    body_excerpt: str | None = None  # of an unexpected response; as clean as ``detail``
    steps: tuple[Sample, ...] = ()  # of a workflow, as far as it came; or the figures of a page that have limits
    retry_after_s: float | None = None  # of an unexpected 429: the seconds in its Retry-After
    trace_id: str | None = None  # 32 hexadecimal digits, where the request began a trace
    page: PageLoad | None = None
    took_s: float | None = None  # of the load of a page: all of it; None where that is the latency


@dataclass(frozen=True, slots=True)
class TracedRequest:
    """A request that the service's own tracing can show."""

    trace_id: str
    latency_ms: float | None  # None for a failure
    outcome: str  # "ok", or the kind of failure


WARM_UP = 0  # the stage of samples that do not count: warm-up, and what was measured under load and came out slow
PROOF = -1  # the stage of samples that count for the failure rate alone


# In the detail of a failed request, for what has a remedy of its own.
NOT_CAPTURED = "cannot capture"
RENEWAL_FAILED = "renewing the login failed"


class Stop(StrEnum):
    """Why a stage of an endpoint ended."""

    DECIDED = "decided"
    MAX_REQUESTS = "max requests"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of one stage of one endpoint."""

    stage: int  # 1 for the first, 2 for its confirmation, ...
    stop: Stop
    requests: int  # judged requests of this stage, failures included; with those that showed it to fail
    failures: int  # of these, and of those for the failure rate alone
    latency: Verdict  # NOT_MEASURED with fewer than five latencies
    latency_decided: bool
    value_ms: float | None  # the metric over this stage; infinity when it lies over the timeout
    interval_ms: tuple[float | None, float | None]  # valid at any stopping time; None is an open end
    errors: Verdict
    errors_decided: bool
    more_requests: int | None = None  # about how many more would settle it, when undecided
    concurrency: int = 1  # requests in flight while it was measured, this one included; at most
    is_unconfirmed: bool = False  # it was to be measured again, and time or requests ran out first
    excluded: float | None = None  # a failure rate over this is excluded with 95% confidence
    steps: tuple[Decision, ...] = ()  # of each part of the endpoint, by itself; without a limit it is OK

    @property
    def slowest(self) -> Verdict:
        """The verdict by latency: its own, or that of a step that is over a limit of its own."""
        return worst((self.latency, *(step.latency for step in self.steps if step.latency in BREACHES)))

    @property
    def verdict(self) -> Verdict:
        """The worse of latency and errors."""
        return worst((self.slowest, self.errors))

    @property
    def is_decided(self) -> bool:
        """Whether the part that gave the verdict has its stated error probability."""
        if self.errors is Verdict.CRITICAL and self.errors_decided:
            return True
        tests = (self, *self.steps)
        if any(test.latency_decided and test.latency is Verdict.CRITICAL for test in tests):
            return True
        return self.errors_decided and all(test.latency_decided for test in tests)


@dataclass(frozen=True, slots=True)
class Measurement:
    """All samples of one endpoint in one run, and what the sampler decided from them, stage by stage."""

    endpoint: str
    samples: tuple[tuple[int, Sample], ...]  # (stage, sample) in order of time; 0 is not judged, -1 for failures alone
    decisions: tuple[Decision, ...]  # one per stage; the last stands. Empty: too few requests were sent
    is_void: bool = False  # slow or failing under load, and not measured alone by the end
    failed_under_load: tuple[Sample, ...] = ()  # of those that are not judged: other requests were in flight

    @property
    def ran_out_of_time(self) -> bool:
        return any(decision.stop is Stop.BUDGET for decision in self.decisions[-1:])


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Responses 429 with Retry-After, which were waited for: of one service, during a run."""

    responses: int
    waited_s: float
    rate_per_s: float | None  # of requests that it has sustained; None where too few waits show it


@dataclass(frozen=True, slots=True)
class EndpointProgress:
    """The progress of one endpoint, for a live display."""

    endpoint: str
    stage: int  # 0 while it warms up
    requests: int  # or pairs, in this stage
    least: int  # requests or pairs that a stage usually takes at least
    value_ms: float | None  # the metric over this stage so far; of pairs, both typical latencies together
    verdict: Verdict | None  # once it is final
    wait_s: float = 0.0  # until its next request is due; 0 when it is due now, or all are done
    unit: Unit = Unit.TIME  # of the metric


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the rest of a run will take, for a live display. In seconds."""

    left_s: float
    budget_left_s: float
    budget_s: float
    connections: int
    is_known: bool  # by measurements; until then by the targets
    rate_per_s: float | None = None  # of requests, at most
    limited_s: float = 0.0  # until the time that the service set by a 429
