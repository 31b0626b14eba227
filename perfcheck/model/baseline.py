"""The baseline: the targets of a service, and how it is measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from perfcheck.model.capacity import CapacityGoals, LoadModel
from perfcheck.model.expectations import Expectations
from perfcheck.model.findings import Unit, Verdict
from perfcheck.model.page import PageActions
from perfcheck.model.request_text import Content, Placeholder, RequestText, Template, sent, values_in


class Metric(StrEnum):
    """The statistic that is compared with the limits."""

    MEDIAN = "median"
    P75 = "p75"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"
    MEAN = "mean"


class MetricOf(StrEnum):
    """What the metric is computed from: a time of a request, or a figure of a page that a browser loads."""

    LATENCY = "latency"  # to the last byte of the response
    FIRST_BYTE = "first_byte"  # to its first byte; of a stream of server-sent events, to the end of the first event
    LARGEST_CONTENTFUL_PAINT = "largest_contentful_paint"
    FIRST_CONTENTFUL_PAINT = "first_contentful_paint"
    LOAD = "load"  # to the end of the load event
    TOTAL_BLOCKING_TIME = "total_blocking_time"  # of tasks, beyond 50 ms each, after the first contentful paint
    LAYOUT_SHIFT = "layout_shift"  # the largest session window of shifts, without a unit
    BYTES = "bytes"  # of all responses, as transferred
    REQUESTS = "requests"

    @property
    def unit(self) -> Unit:
        if self is MetricOf.BYTES:
            return Unit.SIZE
        return Unit.NUMBER if self in {MetricOf.LAYOUT_SHIFT, MetricOf.REQUESTS} else Unit.TIME

    @property
    def label(self) -> str:
        """``largest contentful paint``."""
        return self.replace("_", " ")

    @property
    def floor(self) -> float:
        """What a smaller value counts as where a logarithm is taken, since 0 has none; it is shown nowhere."""
        return _FLOORS.get(self, 0.0)

    @property
    def min_difference(self) -> float | None:
        """A smaller one is no change, whatever its share; None for a time: ``CompareLimits.min_difference_ms``."""
        return _MIN_DIFFERENCES.get(self)


# Of those that are often 0.
_FLOORS = {MetricOf.TOTAL_BLOCKING_TIME: 1.0, MetricOf.LAYOUT_SHIFT: 0.001, MetricOf.BYTES: 1.0, MetricOf.REQUESTS: 1.0}
# One request more is a change, as half of one is not: it has to be larger than this.
_MIN_DIFFERENCES = {MetricOf.LAYOUT_SHIFT: 0.02, MetricOf.BYTES: 1000.0, MetricOf.REQUESTS: 0.5}


# Of a page. Over its value, a page without a target is slow: the upper ends of "good" in Google's Web Vitals
# (web.dev/articles/vitals, and Lighthouse's for total blocking time); the rest depends on the page.
PAGE_FIGURES = {
    MetricOf.FIRST_BYTE: 800.0,
    MetricOf.FIRST_CONTENTFUL_PAINT: 1800.0,
    MetricOf.LARGEST_CONTENTFUL_PAINT: 2500.0,
    MetricOf.LOAD: math.inf,
    MetricOf.TOTAL_BLOCKING_TIME: 200.0,
    MetricOf.LAYOUT_SHIFT: 0.1,
    MetricOf.BYTES: math.inf,
    MetricOf.REQUESTS: math.inf,
}
_ABBREVIATED = {
    MetricOf.FIRST_CONTENTFUL_PAINT: "FCP",
    MetricOf.LARGEST_CONTENTFUL_PAINT: "LCP",
    MetricOf.TOTAL_BLOCKING_TIME: "TBT",
}


def metric_name(metric: Metric, of: MetricOf) -> str:
    """``p95``, ``median to first byte``, ``median LCP``."""
    if of is MetricOf.LATENCY:
        return str(metric)
    return f"{metric} to first byte" if of is MetricOf.FIRST_BYTE else f"{metric} {_ABBREVIATED.get(of, of.label)}"


# What each is computed from; a capacity is one as well.
METRICS_BY_NAME: dict[str, MetricOf | LoadModel] = {
    **{metric_name(metric, of): of for metric in Metric for of in MetricOf},
    **{model.metric_name: model for model in LoadModel},
}


@dataclass(frozen=True, slots=True)
class Tls:
    ca: str | None = None  # file with the CA certificates to trust, PEM
    cert: str | None = None  # client certificate, PEM
    key: str | None = None  # its key; None when it is in the same file
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Digest:
    """A login by HTTP digest authentication (RFC 7616)."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Service:
    base_url: str
    start: str | None = None  # shell command that starts it, run only where that is wanted
    ready: str | None = None  # path polled until it answers 2xx, before the first sample
    ready_timeout_s: float = 30.0
    headers: tuple[tuple[str, RequestText], ...] = ()
    monitor: str | None = None
    openapi: str | None = None
    tls: Tls = Tls()
    unix_socket: str | None = None
    connect_to: tuple[str, int] | None = None  # host and port that connections for base_url go to
    http2: bool = False
    trace: bool = False  # each request begins a trace of its own
    trace_url: str | None = None  # a page that shows a trace, with {trace_id} in it
    cookies: bool = False  # those of responses are sent with later requests
    digest: Digest | None = None  # of requests that the baseline does not list, such as that of ``ready``


@dataclass(frozen=True, slots=True)
class ErrorLimits:
    """Error rates, as fractions, over which an endpoint is WARNING or CRITICAL."""

    warning: float = 0.01
    critical: float = 0.05


@dataclass(frozen=True, slots=True)
class CompareLimits:
    """How much slower than before is too slow. Shares are of the latency before: 0.10 is 10% slower."""

    warning: float = 0.10
    critical: float = 0.25
    min_difference_ms: float = 5.0  # a smaller one is no change, whatever its share

    def of(self, figure: MetricOf) -> CompareLimits:
        """The same for another figure, with its least difference in its own unit."""
        least = figure.min_difference
        return self if least is None else replace(self, min_difference_ms=least)


@dataclass(frozen=True, slots=True)
class Limits:
    """Latencies in milliseconds over which the metric is WARNING or CRITICAL; infinity where there is no such limit."""

    warning_ms: float
    critical_ms: float

    def classify(self, value_ms: float) -> Verdict:
        """The class of a value. Strict: exactly at a limit is not over it."""
        if value_ms > self.critical_ms:
            return Verdict.CRITICAL
        return Verdict.WARNING if value_ms > self.warning_ms else Verdict.OK


class CaptureFrom(StrEnum):
    """Where in a response a captured value is."""

    JSON = "json"
    HEADER = "header"
    COOKIE = "cookie"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Capture:
    """A value of a response that later requests use."""

    name: str
    source: CaptureFrom
    where: str  # a JSONPath, the name of a header or cookie, or a regular expression with one group
    line: int = 0
    is_lifetime: bool = False  # not a value: the seconds until the others expire, where the response has it


@dataclass(frozen=True, slots=True)
class DataFile:
    """The rows of a file, by columns; None where a row of JSON Lines has no such key."""

    name: str
    columns: Mapping[str, Sequence[str | None]]
    lines: Sequence[int]  # of the rows, in the file; where each ends


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One named request, with everything it inherits already resolved; or several in a row, its ``steps``."""

    name: str
    path: str  # as it may be shown: with the values of ``path_template`` as they are written; of a login, perhaps a URL
    line: int  # in the baseline file
    group: str | None = None
    method: str = "GET"
    query: tuple[tuple[str, RequestText], ...] = ()
    headers: tuple[tuple[str, RequestText], ...] = ()  # service, defaults, group and endpoint, merged
    content: Content | None = None  # request body, in whichever way it is written
    expect: tuple[tuple[int, int], ...] = ((200, 299),)  # inclusive ranges of status codes
    answer: Expectations | None = None  # what else a right answer has
    timeout_s: float = 10.0
    follow_redirects: bool = False
    metric: Metric = Metric.MEDIAN
    metric_of: MetricOf = MetricOf.LATENCY
    target_ms: float | None = None  # None: a new endpoint, compared with `slow_ms` only
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
    lines: dict[str, int] = field(default_factory=dict)  # key -> line of the value in force
    path_template: Template | None = None
    digest: Digest | None = None
    is_anonymous: bool = False  # no credentials are added: no password of base_url, no cookie
    captures: tuple[Capture, ...] = ()
    renew_s: float | None = None  # of a request of the setup: what it captured is renewed after so long
    steps: tuple[Endpoint, ...] = ()  # of a workflow, which sends nothing else
    think_s: float = 0.0  # of a step: the pause after it, which is not measured
    data: DataFile | None = None  # whose rows its requests, or those of its steps, use in turn
    page: PageActions | None = None  # what a browser does for it; of a workflow of pages, each step has its own
    figures: tuple[Endpoint, ...] = ()  # of a page: those with limits of their own, apart from its metric

    values: frozenset[str] = field(init=False, repr=False, compare=False)  # names of those its own request inserts
    is_page: bool = field(init=False, repr=False, compare=False)  # a browser loads it, or one of its steps
    uses_values: bool = field(init=False, repr=False, compare=False)  # it, or a step of it, inserts or captures any

    def __post_init__(self) -> None:
        # Once, since they are read for each request.
        object.__setattr__(self, "values", frozenset(value.name for value in self.inserted()))
        object.__setattr__(self, "is_page", any(each.page is not None for each in (self, *self.steps)))
        uses_values = bool(self.values or self.captures) or any(step.uses_values for step in self.steps)
        object.__setattr__(self, "uses_values", uses_values)

    def inserted(self) -> Iterator[Placeholder]:
        """The values that its own request inserts, each where it does; not those of its steps."""
        fields = self.page.fill if self.page else ()
        for text in (self.path_template, self.content, *(text for _, text in (*self.query, *self.headers, *fields))):
            yield from values_in(text)

    @property
    def is_single_request(self) -> bool:
        return not (self.steps or self.is_page)

    @property
    def parts(self) -> tuple[Endpoint, ...]:
        """What is judged as well as the whole: the steps of a workflow, or the figures of a page."""
        return self.steps or self.figures

    @property
    def values_of_headers(self) -> frozenset[str]:
        return frozenset(value.name for _, text in self.headers for value in values_in(text))

    @property
    def example_path(self) -> str:
        """The path of one request, with examples of the values that are not known; routers read it."""
        if self.path_template is None:
            return self.path
        row = {f"data.{name}": column[0] or "1" for name, column in self.data.columns.items()} if self.data else {}
        return sent(self.path_template, {**dict.fromkeys(self.values, "1"), "uuid": str(UUID(int=0)), **row})

    @property
    def pauses_s(self) -> float:
        """Within a workflow; no part of its latency."""
        return sum(step.think_s for step in self.steps[:-1])

    @property
    def is_incomplete(self) -> bool:
        """Whether its request needs what a response has to have before; without a header it can be sent."""
        texts = [self.path_template, self.content, *(text for _, text in self.query)]
        return any(value.is_captured for text in texts for value in values_in(text))

    @property
    def metric_name(self) -> str:
        return metric_name(self.metric, self.metric_of)

    @property
    def unit(self) -> Unit:
        """Of its limits."""
        return self.metric_of.unit

    @property
    def limits(self) -> Limits:
        """The limits in force. A ceiling below the critical limit, or below both limits, takes their place.

        An endpoint without a target has the ceiling alone, and a warning over ``slow_ms``.
        """
        critical = min(_or_infinity(self.critical_ms), _or_infinity(self.ceiling_ms))
        warning = self.slow_ms if self.target_ms is None else _or_infinity(self.warning_ms)
        return Limits(min(warning, critical), critical)


def single_requests(endpoints: Iterable[Endpoint]) -> Iterator[Endpoint]:
    """The requests of ``endpoints``: the steps of a workflow in its place, with both names, ``checkout: search``.

    Pages are none: which requests those take, the browser finds out.
    """
    for endpoint in endpoints:
        if endpoint.is_single_request:
            yield endpoint
        elif not endpoint.is_page:
            yield from (replace(step, name=f"{endpoint.name}: {step.name}") for step in endpoint.steps)


def _or_infinity(limit_ms: float | None) -> float:
    return math.inf if limit_ms is None else limit_ms


class UndecidedPolicy(StrEnum):
    """Whether an undecided CRITICAL counts as CRITICAL (by its estimate) or as WARNING."""

    ESTIMATE = "estimate"
    WARNING = "warning"


MOST_CONNECTIONS = 64


class ErrorProof(StrEnum):
    """How much evidence an endpoint needs before its failure rate is OK."""

    QUICK = "quick"  # as many requests as its latency takes, more once one failed
    PROVEN = "proven"  # until twice the critical limit is excluded, as far as that takes little time
    STRICT = "strict"  # until about the critical limit itself is excluded


@dataclass(frozen=True, slots=True)
class Sampling:
    budget_s: float | None = None  # None: as much as the endpoints need
    confirm: int = 1
    warmup: int = 1
    min_requests: int = 5
    connections: int | None = None  # at most so many requests at once; None: as many as the service can take
    errors: ErrorProof = ErrorProof.PROVEN
    undecided: UndecidedPolicy = UndecidedPolicy.ESTIMATE
    rate_per_s: float | None = None  # requests to a service, at most; None: no limit
    pause_ms: float = 0.0  # at least, from a response to the next request


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
    secrets: frozenset[str] = frozenset()  # values of variables; never shown
    setup: tuple[Endpoint, ...] = ()  # sent once before the first sample
    teardown: tuple[Endpoint, ...] = ()  # and after the last
    compare: CompareLimits = CompareLimits()
    capacity: CapacityGoals = field(default_factory=CapacityGoals)
