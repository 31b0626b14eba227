"""What the metrics tell of an endpoint: the figures of each family, as OpenMetrics writes them.

The order is that of the file, and of the list in which GitLab shows what changed: verdicts before latencies, and these
before what explains them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from perfcheck.model import EndpointResult, Verdict
from perfcheck.report.changes import Change
from perfcheck.report.names import distinct

COMMENT = "#"
Values = Iterable[tuple[str, float | None]]  # further labels with a comma before each, and the value


class Family(NamedTuple):
    """A metric that is told of every endpoint. Its unit is the last word of its name, if that is one."""

    name: str
    help: str
    values: Callable[[EndpointResult], Values]
    type: str = "gauge"


def label(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}="{escaped}"'


def _plain(value: Callable[[EndpointResult], float | None]) -> Callable[[EndpointResult], Values]:
    return lambda result: [("", value(result))]


def _milliseconds(value: Callable[[EndpointResult], float | None]) -> Callable[[EndpointResult], Values]:
    return lambda result: [("", _seconds(value(result)))]


def _of_metric(value: Callable[[EndpointResult], float | None]) -> Callable[[EndpointResult], Values]:
    """A figure of another metric is another figure: it is not to be compared when the baseline changes the metric."""
    return lambda result: [(f',metric="{result.metric}"', value(result))]


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000


def _verdict(result: EndpointResult) -> Values:
    return [(f',perfcheck_verdict="{verdict}"', verdict is result.verdict) for verdict in Verdict]


def _decided(result: EndpointResult) -> float | None:
    return None if result.verdict is Verdict.NOT_MEASURED else result.decided


def _over_timeout(result: EndpointResult) -> float | None:
    return None if result.value_ms is None else result.over_timeout


def _limits(result: EndpointResult) -> Values:
    limits = (("warning", result.warning_ms), ("critical", result.critical_ms), ("ceiling", result.ceiling_ms))
    return [(f',limit="{name}"', _seconds(ms)) for name, ms in limits]


def _quantiles(result: EndpointResult) -> Values:
    of = result.latency_ms
    some = (
        (0.0, of.min),
        (0.5, of.median),
        (0.75, of.p75),
        (0.9, of.p90),
        (0.95, of.p95),
        (0.99, of.p99),
        (1.0, of.max),
    )
    return [(f',quantile="{quantile}"', _seconds(ms)) for quantile, ms in some]


def _phases(result: EndpointResult) -> Values:
    of = result.phases_ms
    some = (("dns", of.dns), ("connect", of.connect), ("tls", of.tls), ("wait", of.wait), ("download", of.download))
    return [(f',phase="{phase}"', _seconds(ms)) for phase, ms in some]


def _requests(result: EndpointResult) -> Values:
    of = result.requests
    some = (("succeeded", of.succeeded), ("failed", of.failed), ("warmup", of.warmup))
    return [(f',outcome="{outcome}"', count) for outcome, count in some]


def _errors(result: EndpointResult) -> Values:
    kinds = distinct(result.errors, without=COMMENT)
    return [("," + label("kind", kind), count) for kind, count in zip(kinds, result.errors.values(), strict=True)]


def change_family(since: dict[str, Change]) -> Family:
    def ratio(result: EndpointResult) -> float | None:
        return since[result.name].ratio if result.name in since else None

    return Family("perfcheck_change_ratio", "Latency divided by that of the earlier run.", _of_metric(ratio))


FAMILIES = (
    Family("perfcheck_verdict", "The verdict of the endpoint.", _verdict, "stateset"),
    Family(
        "perfcheck_latency_seconds",
        "The metric that is held against the limits; the timeout, where it lies over that.",
        _of_metric(lambda result: _seconds(result.value_ms)),
    ),
    Family(
        "perfcheck_ratio",
        "Latency divided by its target; in a comparison, by the latency before.",
        _of_metric(lambda result: result.ratio),
    ),
    Family("perfcheck_over_timeout", "1: the metric lies over the timeout.", _plain(_over_timeout)),
    Family("perfcheck_decided", "1: the verdict has its error probability; 0: it is an estimate.", _plain(_decided)),
    Family("perfcheck_error_ratio", "Failed requests by requests sent.", _plain(lambda result: result.error_rate)),
    Family(
        "perfcheck_error_bound_ratio",
        "The true error ratio lies below this, with 95% confidence.",
        _plain(lambda result: result.error_rate_bound),
    ),
    Family("perfcheck_errors", "Failed requests by kind.", _errors),
    Family("perfcheck_body_bytes", "The largest body, decoded.", _plain(lambda result: result.body_bytes)),
    Family(
        "perfcheck_target_seconds",
        "The latency promised; in a comparison, the latency before.",
        _milliseconds(lambda result: result.target_ms),
    ),
    Family("perfcheck_ideal_seconds", "The latency hoped for.", _milliseconds(lambda result: result.ideal_ms)),
    Family("perfcheck_limit_seconds", "A latency over this breaks the limit.", _limits),
    Family(
        "perfcheck_latency_interval_low_seconds",
        "Lower end of the interval of the metric.",
        _of_metric(lambda result: _seconds(result.interval_ms[0])),
    ),
    Family(
        "perfcheck_latency_interval_high_seconds",
        "Upper end of the interval of the metric.",
        _of_metric(lambda result: _seconds(result.interval_ms[1])),
    ),
    Family("perfcheck_latency_quantile_seconds", "Latency of the requests that were judged.", _quantiles, "summary"),
    Family(
        "perfcheck_latency_mean_seconds",
        "Mean latency of the requests that were judged.",
        _milliseconds(lambda result: result.latency_ms.mean),
    ),
    Family(
        "perfcheck_latency_stdev_seconds",
        "Standard deviation of the latency of the requests that were judged.",
        _milliseconds(lambda result: result.latency_ms.stdev),
    ),
    Family("perfcheck_phase_seconds", "Where the time went, by phase of a request.", _phases),
    Family("perfcheck_requests", "Requests sent, by outcome.", _requests),
    Family("perfcheck_judged_requests", "Requests that the verdict rests on.", _plain(lambda one: one.requests.judged)),
)
