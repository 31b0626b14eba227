"""The vocabulary: every part of perfcheck speaks in these types, and nothing here does any work.

Latencies are milliseconds (``*_ms``), durations of the tool itself are seconds (``*_s``), sizes are bytes, rates are
fractions between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """OK < WARNING < CRITICAL. NOT_MEASURED stands beside them and is never OK."""

    OK = "OK"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    NOT_MEASURED = "not measured"


class Severity(StrEnum):
    """How heavily a finding weighs. A note explains and never changes a verdict."""

    NOTE = "note"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


class Metric(StrEnum):
    """The statistic that is held against the limits."""

    MEDIAN = "median"
    P75 = "p75"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"
    MEAN = "mean"


class Failure(StrEnum):
    """How a request failed. None enters the latency statistics, except a timeout, which is over every limit."""

    STATUS = "status"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    RESET = "reset"
    NAME = "name resolution"
    CONNECT = "connect"
    TLS = "tls"
    PROTOCOL = "protocol"
    TRUNCATED = "truncated"
    REDIRECTS = "redirects"
    BODY_TOO_LARGE = "body too large"
    DECODING = "decoding"


# --- The baseline: what the service promises ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Secret:
    """A request value that a variable brought in, wholly or in part: used in requests, never shown."""

    value: str
    shown: str  # the same text with *** in place of what the variable brought in


@dataclass(frozen=True, slots=True)
class Tls:
    ca: str | None = None  # file with the CA certificates to trust, PEM
    cert: str | None = None  # client certificate, PEM
    key: str | None = None  # its key; None when it stands in the same file
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Service:
    base_url: str
    ready: str | None = None  # path polled until it answers 2xx, before the first sample
    ready_timeout_s: float = 30.0
    headers: tuple[tuple[str, str | Secret], ...] = ()
    monitor: str | None = None
    openapi: str | None = None
    tls: Tls = Tls()
    unix_socket: str | None = None
    http2: bool = False


@dataclass(frozen=True, slots=True)
class ErrorLimits:
    """Error rates, as fractions, over which an endpoint is WARNING or CRITICAL."""

    warning: float = 0.01
    critical: float = 0.05


@dataclass(frozen=True, slots=True)
class CompareLimits:
    """How much slower than before is too slow. Shares are of the latency before: 0.10 is 10 % slower."""

    warning: float = 0.10
    critical: float = 0.25
    min_difference_ms: float = 5.0  # less than that is no change, whatever its share


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One named request, with everything it inherits already resolved."""

    name: str
    path: str
    line: int  # in the baseline file
    group: str | None = None
    method: str = "GET"
    query: tuple[tuple[str, str | Secret], ...] = ()
    headers: tuple[tuple[str, str | Secret], ...] = ()  # service, defaults, group and endpoint, merged
    content: str | Secret | None = None  # request body, whether written as json, form or body
    expect: tuple[tuple[int, int], ...] = ((200, 299),)  # inclusive ranges of status codes
    timeout_s: float = 10.0
    follow_redirects: bool = False
    metric: Metric = Metric.MEDIAN
    target_ms: float | None = None  # None: a new endpoint, held against `slow_ms` only
    ideal_ms: float | None = None
    warning_ms: float | None = None  # resolved limits; None without a target
    critical_ms: float | None = None
    ceiling_ms: float | None = None
    slow_ms: float = 500.0  # an endpoint without a target warns over this
    error_limits: ErrorLimits = ErrorLimits()
    body_limit: int = 1_000_000  # bytes, decoded; a larger body warns
    min_requests: int = 5
    monitor_name: str | None = None
    critical_path: bool = False  # one of those that a release is judged by first
    lines: dict[str, int] = field(default_factory=dict)  # key -> line where its value in force was written


class UndecidedPolicy(StrEnum):
    """Whether an undecided CRITICAL counts as CRITICAL (by its estimate) or as WARNING."""

    ESTIMATE = "estimate"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Sampling:
    budget_s: float = 120.0
    confirm: int = 1
    warmup: int = 1
    min_requests: int = 5
    undecided: UndecidedPolicy = UndecidedPolicy.ESTIMATE


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    title: str
    line: int


@dataclass(frozen=True, slots=True)
class Baseline:
    file: str  # as given on the command line or found, for messages: "baselines.yaml"
    sha256: str
    service: Service
    sampling: Sampling
    groups: tuple[Group, ...]
    endpoints: tuple[Endpoint, ...]
    secrets: frozenset[str] = frozenset()  # values that variables brought in; shown nowhere
    compare: CompareLimits = CompareLimits()


# --- Measuring -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Phases:
    """Where the time went. The first three are connection set-up and are not part of the latency."""

    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    wait_ms: float | None = None  # first byte of the request written, to first byte of the response read
    download_ms: float | None = None  # first to last byte of the response


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed request: when, how long in each phase, how it ended."""

    at_s: float  # when its first byte was written (or it was tried), in seconds of the sampler's clock
    latency_ms: float | None  # None for a failure; infinity for a timeout
    failure: Failure | None = None
    status: int | None = None
    detail: str | None = None  # one clean line about a failure, free of secrets and control characters
    phases: Phases = Phases()
    body_bytes: int | None = None  # decoded
    server_timing: str | None = None  # the response header, raw
    cpu_ms: float | None = None  # of this process, during the request
    run_queue_ms: float | None = None  # this thread was ready to run and had no CPU, during the request


class Stop(StrEnum):
    """Why a stage of an endpoint ended."""

    DECIDED = "decided"
    MAX_REQUESTS = "max requests"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one stage of one endpoint came to."""

    stage: int  # 1 for the first, 2 for its confirmation, ...
    stop: Stop
    requests: int  # judged requests of this stage, failures included
    failures: int
    latency: Verdict  # NOT_MEASURED with fewer than five latencies
    latency_decided: bool
    value_ms: float | None  # the metric over this stage; infinity when it lies over the timeout
    interval_ms: tuple[float | None, float | None]  # valid at any stopping time; None is an open end
    errors: Verdict
    errors_decided: bool
    more_requests: int | None = None  # about how many more would settle it, when undecided

    @property
    def verdict(self) -> Verdict:
        """The worse of latency and errors."""
        return worst((self.latency, self.errors))


@dataclass(frozen=True, slots=True)
class Measurement:
    """All samples of one endpoint in one run, and what the sampler decided from them, stage by stage."""

    endpoint: str
    samples: tuple[tuple[int, Sample], ...]  # (stage, sample) in order of time; stage 0 is warm-up
    decisions: tuple[Decision, ...]  # one a stage; the last stands. Empty: never asked


# --- The monitor inside the service, as its statistics API tells ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer that was asked for what it says, not for how long it took."""

    status: int | None = None
    content_type: str = ""
    body: bytes = b""  # decoded, as far as it came; also with a status that was not expected
    failure: Failure | None = None
    detail: str | None = None  # one clean line about a failure


class MonitorStatus(StrEnum):
    """What the monitor says of the service. UNKNOWN: it says nothing, or nothing that is known."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    NO_DATA = "no data"
    ERROR = "error"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Repeated:
    """A database statement that came again and again within one request: N+1."""

    shape: str  # of the statement, without its values
    most: int  # times in one request
    caller: str | None  # "file.py:42"
    requests: int | None  # how many requests had it


@dataclass(frozen=True, slots=True)
class MonitoredEndpoint:
    """One endpoint by the monitor's figures; None is what it does not tell. Latencies in milliseconds."""

    name: str
    requests: int | None = None
    errors: int | None = None
    mean_ms: float | None = None  # of the recent requests, where it tells these apart
    min_ms: float | None = None
    max_ms: float | None = None
    stdev_ms: float | None = None
    latest_ms: float | None = None
    median_ms: float | None = None
    p75_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    largest_body: int | None = None  # bytes
    most_queries: int | None = None  # in one request
    n_plus_one: tuple[Repeated, ...] = ()
    listed_as_slow: bool = False  # by the monitor, asked with the threshold in force


@dataclass(frozen=True, slots=True)
class MonitorReading:
    """All that was read. Not ``alive``: there is no monitor, or no getting at it, and ``message`` says why."""

    alive: bool
    status: MonitorStatus = MonitorStatus.UNKNOWN
    message: str = ""
    remedy: str | None = None
    issues: tuple[str, ...] = ()
    endpoints: tuple[MonitoredEndpoint, ...] = ()
    since: str | None = None  # when counting began, as the monitor writes it
    generated_at: str | None = None
    workers: int | None = None
    problems: tuple[str, ...] = ()  # why the figures may not be everything


# --- The run: what is reported and recorded (field names are those of the run file) --------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that fired."""

    rule: str
    severity: Severity
    value: float | None
    limit: float | None
    unit: str | None  # "ms", "ratio", "bytes", "requests"
    message: str
    remedy: str | None
    line: int | None  # in the baseline


@dataclass(frozen=True, slots=True)
class Requests:
    sent: int  # all that were sent, warm-up excluded
    succeeded: int
    failed: int
    warmup: int
    judged: int  # of the stage whose verdict stands


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Of the judged stage, in milliseconds; None where there is no such figure (over the timeout, or no samples)."""

    min: float | None = None
    mean: float | None = None
    stdev: float | None = None
    median: float | None = None
    p75: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class PhaseSummary:
    """Medians over the requests at least as slow as the metric; set-up phases over the connections opened."""

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    wait: float | None = None
    download: float | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Every request of the run for one endpoint, warm-up included, as parallel arrays in order of time."""

    at_ms: tuple[float, ...] = ()  # since the start of the run
    latency_ms: tuple[float | None, ...] = ()  # None for a failure
    stage: tuple[int, ...] = ()  # 0 warm-up, 1 first, 2 confirmation
    outcome: tuple[str, ...] = ()  # "ok", or the kind of failure


class Source(StrEnum):
    """Where the figures of an endpoint come from."""

    MEASURED = "measured"  # requests of perfcheck's own
    MONITORED = "monitored"  # what the monitor inside the service counted


class Changed(StrEnum):
    """What a comparison with an earlier release came to, for one endpoint."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_CHANGE = "no change"
    CANNOT_TELL = "cannot tell"  # too few samples, or too much noise: a state of its own


@dataclass(frozen=True, slots=True)
class Comparison:
    """One endpoint beside how it was before. ``ratio`` is after / before: 1.1 is 10 % slower."""

    changed: Changed
    metric: Metric  # what the two figures are, and what the ratio is of
    before_ms: float | None
    after_ms: float | None
    ratio: float | None
    ratio_interval: tuple[float | None, float | None]
    before_samples: int
    after_samples: int
    pairs: int | None = None  # of a live comparison; None for stored samples
    before_error_rate: float | None = None
    before_samples_ms: tuple[float | None, ...] = ()  # as samples_ms of the result, which are those after
    before_server_timing: dict[str, float] = field(default_factory=dict)  # likewise
    before_server_timing_details: dict[str, str] = field(default_factory=dict)
    more_samples: int | None = None  # about how many more, or more pairs, would settle it


class Promise(StrEnum):
    """What a latency is held against, and so what ``target_ms`` is."""

    TARGET = "target"  # of the baseline
    BEFORE = "before"  # the latency of an earlier release


@dataclass(frozen=True, slots=True)
class EndpointResult:
    name: str
    group: str | None
    method: str
    url: str
    verdict: Verdict
    decided: bool
    metric: Metric
    value_ms: float | None  # the timeout, when the metric lies over it: see over_timeout
    over_timeout: bool
    interval_ms: tuple[float | None, float | None]
    target_ms: float | None
    ideal_ms: float | None
    warning_ms: float | None
    critical_ms: float | None
    ceiling_ms: float | None
    ratio: float | None  # value / target
    requests: Requests
    error_rate: float | None
    error_rate_bound: float | None  # the true rate is below this with 95 % confidence
    errors: dict[str, int]
    latency_ms: LatencySummary
    phases_ms: PhaseSummary
    body_bytes: int | None
    server_timing: dict[str, float]
    samples_ms: tuple[float | None, ...]  # of the judged stage, in order of time; None: over the timeout
    timeline: Timeline
    line: int  # in the baseline; 0 for an endpoint that is not in it
    findings: tuple[Finding, ...]
    server_timing_details: dict[str, str] = field(default_factory=dict)  # of the median slow request: "101 queries"
    source: Source = Source.MEASURED
    critical_path: bool = False
    comparison: Comparison | None = None
    promise: Promise = Promise.TARGET


@dataclass(frozen=True, slots=True)
class Tool:
    version: str
    client: str
    python: str


@dataclass(frozen=True, slots=True)
class Environment:
    platform: str
    cpus: int
    ci: str | None
    commit: str | None
    branch: str | None
    dirty: bool | None


@dataclass(frozen=True, slots=True)
class RunnerHealth:
    """How well the machine that ran the check could measure. None: this system does not tell."""

    cpu_ms_per_request: float | None = None
    run_queue_share: float | None = None  # of the time in requests, spent ready to run without a CPU
    steal_share: float | None = None  # of all CPU time during the run, taken by the hypervisor
    load_average: float | None = None  # over one minute, at the end
    message: str | None = None  # a sentence when the runner, not the service, may have been the bottleneck


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    base_url: str


@dataclass(frozen=True, slots=True)
class BaselineInfo:
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Counts:
    ok: int
    warning: int
    critical: int
    not_measured: int


class ComparedHow(StrEnum):
    """What the two sides of a comparison are."""

    STORED = "stored"  # two runs, each measured in its own time
    LIVE = "live"  # two services, measured side by side
    SAME = "same"  # one service against itself: what is found is noise


@dataclass(frozen=True, slots=True)
class Against:
    """What a run was held against."""

    how: ComparedHow
    label: str | None
    run_id: str | None  # of a stored run
    started_at: str | None
    commit: str | None
    base_url: str
    limits: CompareLimits
    with_targets: bool  # whether the targets of the baseline were judged by as well
    differences: tuple[str, ...] = ()  # of the two environments, in words: why the comparison may be worth little
    added: tuple[str, ...] = ()  # endpoints that only this run has
    removed: tuple[str, ...] = ()  # endpoints that only the other had


@dataclass(frozen=True, slots=True)
class Run:
    format: str
    id: str
    label: str | None
    started_at: str  # UTC, RFC 3339
    finished_at: str
    duration_ms: float
    tool: Tool
    environment: Environment
    service: ServiceInfo
    baseline: BaselineInfo
    seed: int
    alpha: float
    verdict: Verdict
    exit_code: int
    complete: bool
    counts: Counts
    runner: RunnerHealth
    findings: tuple[Finding, ...]  # of the run as a whole: runner, proxy, insecure TLS, interruption
    endpoints: tuple[EndpointResult, ...]
    command: tuple[str, ...] = ("perfcheck", "run")  # words that, with a name behind them, check that endpoint again
    groups: dict[str, str] = field(default_factory=dict)  # name -> title, of those that have one
    against: Against | None = None  # an earlier release, or another service

    @property
    def is_comparison(self) -> bool:
        """Held against an earlier release and not against targets: of two runs, and no run of a service by itself."""
        return self.against is not None and not self.against.with_targets


_RANK = {Verdict.OK: 0, Verdict.NOT_MEASURED: 1, Verdict.WARNING: 2, Verdict.CRITICAL: 3}


def worst(verdicts: tuple[Verdict, ...] | list[Verdict]) -> Verdict:
    """The worst of some verdicts; something not measured is worse than OK. NOT_MEASURED for none at all."""
    return max(verdicts, key=_RANK.__getitem__, default=Verdict.NOT_MEASURED)
