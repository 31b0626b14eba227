"""One run, as it is reported and recorded, and what it is compared with; the field names are those of the run file."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from perfcheck.model.baseline import Metric, MetricOf, metric_name
from perfcheck.model.capacity import CapacityResult
from perfcheck.model.comparison import Against, Comparison
from perfcheck.model.findings import Finding, Unit, Verdict
from perfcheck.model.page import PageSummary
from perfcheck.model.sample import TracedRequest


@dataclass(frozen=True, slots=True)
class Requests:
    sent: int  # all that were sent, warm-up excluded
    succeeded: int
    failed: int
    warmup: int
    judged: int  # of the stage whose verdict stands
    failed_under_load: int = 0  # of the warm-up: not judged, since other requests were in flight


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
    stage: tuple[int, ...] = ()  # 0 warm-up, 1 first, 2 confirmation; -1 for the failure rate alone
    outcome: tuple[str, ...] = ()  # "ok", or the kind of failure


class Source(StrEnum):
    """Where the figures of an endpoint come from, and those of a run in the history."""

    MEASURED = "measured"  # requests of perfcheck's own
    MONITORED = "monitored"  # what the monitor inside the service counted
    LOAD = "load"  # of a capacity, which is found under load


class Reference(StrEnum):
    """What a latency is compared with, and so what ``target_ms`` is."""

    TARGET = "target"  # of the baseline
    BEFORE = "before"  # the latency of an earlier release


STATEMENT = "statement."  # so begins the name of a span that is one database statement of the service


FIGURE = "figure"  # in place of the method: what is judged is a figure of a page


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
    error_rate_bound: float | None  # the true rate is below this with 95% confidence
    errors: dict[str, int]
    latency_ms: LatencySummary
    phases_ms: PhaseSummary
    body_bytes: int | None
    server_timing: dict[str, float]  # by span; also by database statement, each with a description
    samples_ms: tuple[float | None, ...]  # of the judged stage, in order of time; None: over the timeout
    timeline: Timeline
    line: int  # in the baseline; 0 for an endpoint that is not in it
    findings: tuple[Finding, ...]
    server_timing_details: dict[str, str] = field(default_factory=dict)  # of the median slow request: "101 queries"
    source: Source = Source.MEASURED
    critical_path: bool = False
    comparison: Comparison | None = None
    promise: Reference = Reference.TARGET  # so named in the run file
    concurrency: int = 1  # connections over which the service was sent requests meanwhile
    unconfirmed: Verdict | None = None  # a breach seen once, which could not be measured again
    metric_of: MetricOf = MetricOf.LATENCY
    traces: tuple[TracedRequest, ...] = ()  # of its slowest requests, the slowest first; a failure before them
    steps: tuple[EndpointResult, ...] = ()  # of a workflow, or figures of a page with limits: without a timeline
    page: PageSummary | None = None

    @property
    def is_workflow(self) -> bool:
        """Whether its steps are one after another, and not figures of the same page."""
        return bool(self.steps) and not any(step.is_figure for step in self.steps)

    @property
    def metric_name(self) -> str:
        """``median``, ``p95 to first byte``."""
        return metric_name(self.metric, self.metric_of)

    @property
    def unit(self) -> Unit:
        """Of its value, its samples and its limits."""
        return self.metric_of.unit

    @property
    def is_figure(self) -> bool:
        """Whether it is a figure of a page, which has its own limits."""
        return self.method == FIGURE

    @property
    def needs_attention(self) -> bool:
        return self.verdict is not Verdict.OK

    @property
    def is_monitored(self) -> bool:
        """Whether its figures are those of the monitor inside the service."""
        return self.source is Source.MONITORED

    @property
    def has_limit(self) -> bool:
        """Whether it is judged by more than what is slow for any endpoint."""
        own = self.target_ms is not None or self.ceiling_ms is not None
        return own or any(step.has_limit for step in self.steps)

    @property
    def is_undecided(self) -> bool:
        """Judged, but by the estimate: the budget or the requests ran out first."""
        judged = self.verdict is not Verdict.NOT_MEASURED and not self.is_monitored
        return judged and not self.decided and self.unconfirmed is None

    @property
    def is_screened(self) -> bool:
        """Measured while the service had other requests to serve: latencies are upper bounds, compared with nothing."""
        return self.concurrency > 1

    @property
    def lacked_time(self) -> bool:
        """Not measured although nothing failed: the time ended before there were enough requests."""
        healthy = all(outcome == "ok" for outcome in self.timeline.outcome)
        return self.verdict is Verdict.NOT_MEASURED and healthy and not self.is_monitored


@dataclass(frozen=True, slots=True)
class Tool:
    version: str
    client: str
    python: str


NO_BRANCH = "-"  # what stands for a run without a branch; no branch has this name


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
    """How well the machine that ran the check could measure. None: this system does not report it."""

    cpu_ms_per_request: float | None = None
    run_queue_share: float | None = None  # of the run's time, spent ready to run without a CPU
    steal_share: float | None = None  # of all CPU time during the run, taken by the hypervisor
    load_average: float | None = None  # over one minute, at the end
    message: str | None = None  # a phrase when the runner, not the service, may have been the bottleneck
    queued_ms_per_request: float | None = None  # ready to run without a CPU


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    base_url: str
    trace_url: str | None = None  # with {trace_id} in it


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
    findings: tuple[Finding, ...]  # run-level: runner, proxy, insecure TLS, interruption
    endpoints: tuple[EndpointResult, ...]
    command: tuple[str, ...] = ("perfcheck", "run")  # words that, with a name behind them, check that endpoint again
    groups: dict[str, str] = field(default_factory=dict)  # name -> title, of those that have one
    against: Against | None = None  # an earlier release, or another service
    excluded_failure_rate: float | None = None  # with 95% confidence no endpoint that is OK fails more often
    excluded_failure_rate_of_service: float | None = None  # nor do all of them together
    operations: tuple[str, ...] = ()  # "GET /videos/{id}", as the service's OpenAPI document has them; of a saved run
    capacity: CapacityResult | None = None  # of the service; then no endpoint was measured by itself

    @property
    def is_comparison(self) -> bool:
        """Whether an earlier release, and no target, is what it is judged by."""
        return self.against is not None and not self.against.with_targets

    @property
    def is_of_monitor(self) -> bool:
        """Whether no endpoint was measured, and all figures come from the monitor inside the service."""
        return bool(self.endpoints) and all(result.is_monitored for result in self.endpoints)

    @property
    def has_critical_path(self) -> bool:
        """Whether it is of a release some of whose endpoints are to be looked at first."""
        return self.against is not None and any(result.critical_path for result in self.endpoints)
