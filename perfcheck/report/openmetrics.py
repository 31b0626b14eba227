"""OpenMetrics 1.0 text: for GitLab's metrics report, the textfile collector of Prometheus, a push gateway.

Base units throughout: seconds, bytes, ratios. What is not known is left out, since 0 would be a measurement.

GitLab splits a line as a shell does: the first word, labels included, is the name, the second the value, and a ``#``
begins a comment even within a label, where it leaves a quote open and the report is refused. It compares values
as text with those of the target branch and lists what changed first, in the order of the file. So no label holds a
``#``; what differs in every run (commit, start) is in no label of a figure; and verdicts come before latencies,
and these before what explains them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple
from operator import attrgetter
from typing import NamedTuple

from perfcheck.model import CapacityResult, EarlierRun, EndpointResult, Run, Unit, Verdict
from perfcheck.report.run_summary import changes_to_show
from perfcheck.text import LONGEST_NAME, clean, distinct_names
from perfcheck.times import parse_time

_UNITS = {"seconds", "bytes", "ratio"}
_COMMENT = "#"
_OF_LATENCY = ("perfcheck_latency", "perfcheck_ratio", "perfcheck_phase", "perfcheck_step_latency", "perfcheck_figure")


def render(run: Run, earlier: EarlierRun | None = None) -> str:
    """The run as OpenMetrics text; with an earlier run, also the change of each latency that both measured.

    Figures are exact to a picosecond (12 decimals) and have no exponent. An endpoint whose name does not fit into
    a label as it is, or not in 200 characters, has a short hash of it in its label.
    """
    labels = list(_labels(run))
    since = changes_to_show(run, earlier)
    lines = [*_counts(run), *_of_the_capacity(run.capacity)]
    for family in (*_FAMILIES, _change_family(since)):
        lines += _lines(family, run, labels)
    return "\n".join([*lines, *_of_the_run(run), "# EOF\n"])


def _labels(run: Run) -> Iterator[str]:
    names = distinct_names((result.name for result in run.endpoints), without=_COMMENT)
    groups = list(dict.fromkeys(result.group for result in run.endpoints if result.group))
    shown = dict(zip(groups, distinct_names(groups, without=_COMMENT), strict=True))
    for name, result in zip(names, run.endpoints, strict=True):
        group = f",{_label('group', shown[result.group])}" if result.group else ""
        yield _label("endpoint", name) + group


def _lines(family: _Family, run: Run, labels: list[str]) -> list[str]:
    divisor = 1000 if family.name.endswith("_seconds") else 1
    samples = [
        f"{family.name}{{{own}{_screened(family, result)}{further}}} {_number(value / divisor)}"
        for own, result in zip(labels, run.endpoints, strict=True)
        for further, value in family.values(result)
        if value is not None and math.isfinite(value)
    ]
    return [*_metadata(family.name, family.type, family.help), *samples] if samples else []


def _screened(family: _Family, result: EndpointResult) -> str:
    """A label that makes another series of an upper bound, so that it is compared with none measured alone."""
    return ',screened="true"' if result.is_screened and family.name.startswith(_OF_LATENCY) else ""


def _metadata(name: str, kind: str, text: str) -> list[str]:
    unit = name.rpartition("_")[2]
    lines = [f"# TYPE {name} {kind}", f"# HELP {name} {text}"]
    return [*lines, f"# UNIT {name} {unit}"] if unit in _UNITS else lines


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.12f}".rstrip("0").rstrip(".")


# --- The run -------------------------------------------------------------------------------------------------------


def _counts(run: Run) -> list[str]:
    numbers = zip(Verdict, astuple(run.counts), strict=True)
    samples = [f'perfcheck_endpoints{{verdict="{verdict}"}} {number}' for verdict, number in numbers]
    return [*_metadata("perfcheck_endpoints", "gauge", "Endpoints by verdict."), *samples]


def _of_the_capacity(capacity: CapacityResult | None) -> Iterator[str]:
    """In users, or in requests a second, by its label."""
    if capacity is None:
        return
    yield from _metadata("perfcheck_capacity_verdict", "stateset", "The verdict of the capacity.")
    for verdict in Verdict:
        yield f'perfcheck_capacity_verdict{{perfcheck_capacity_verdict="{verdict}"}} {int(verdict is capacity.verdict)}'
    low, high = capacity.interval
    figures = (
        ("", "The largest load that the limits hold for: users, or requests a second.", capacity.value),
        ("_interval_low", "Lower end of its interval.", low),
        ("_interval_high", "Upper end of its interval.", high),
        ("_at_least", "The load that has to hold.", capacity.at_least),
    )
    for suffix, text, value in figures:
        if value is not None:
            name = f"perfcheck_capacity{suffix}"
            yield from (*_metadata(name, "gauge", text), f'{name}{{model="{capacity.model}"}} {_number(value)}')


def _of_the_run(run: Run) -> Iterator[str]:
    time = parse_time(run.started_at)
    started = None if time is None else time.timestamp()
    figures: list[tuple[str, str, float | None]] = [
        ("perfcheck_run_exit_code", "The exit code of the check.", run.exit_code),
        (
            "perfcheck_run_excluded_error_ratio",
            "No endpoint that is OK fails more often, with 95% confidence.",
            run.excluded_failure_rate,
        ),
        (
            "perfcheck_run_excluded_error_of_service_ratio",
            "Nor do all endpoints together.",
            run.excluded_failure_rate_of_service,
        ),
        ("perfcheck_run_duration_seconds", "How long the check took.", run.duration_ms / 1000),
        ("perfcheck_run_started_timestamp_seconds", "When the check began, Unix time.", started),
    ]
    for name, text, value in figures:
        if value is not None:
            yield from (*_metadata(name, "gauge", text), f"{name} {_number(value)}")
    known = {
        "version": run.tool.version,
        "commit": run.environment.commit,
        "branch": run.environment.branch,
        "label": run.label,
    }
    shown = {name: clean(value or "", LONGEST_NAME).replace(_COMMENT, "_") for name, value in known.items()}
    yield from _metadata("perfcheck_run", "info", "What was checked, and by which perfcheck.")
    yield f"perfcheck_run_info{{{','.join(_label(name, value) for name, value in shown.items() if value)}}} 1"


# --- The metrics of an endpoint ---------------------------------------------------------------------------------------

_Figures = Callable[[EndpointResult], Iterable[tuple[str, float | None]]]  # labels, a comma before each, and values
_QUANTILES = {"0.0": "min", "0.5": "median", "0.75": "p75", "0.9": "p90", "0.95": "p95", "0.99": "p99", "1.0": "max"}


class _Family(NamedTuple):
    """A metric that every endpoint has. Its unit is the last word of its name, if that is one.

    The figures of seconds are still milliseconds.
    """

    name: str
    help: str
    values: _Figures
    type: str = "gauge"


def _label(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}="{escaped}"'


def _plain(field: str) -> _Figures:
    return lambda result: [("", attrgetter(field)(result))]


def _of_metric(figure: Callable[[EndpointResult], float | None]) -> _Figures:
    """A figure of another metric is another figure: not to be compared with it when the baseline changes the metric."""
    return lambda result: [(f',metric="{result.metric_name}"', figure(result))]


def _by(label: str, fields: Mapping[str, str]) -> _Figures:
    """A figure for each value of a label."""
    return lambda result: [(f',{label}="{value}"', attrgetter(field)(result)) for value, field in fields.items()]


def _verdict(result: EndpointResult) -> Iterator[tuple[str, float | None]]:
    for verdict in Verdict:
        yield f',perfcheck_verdict="{verdict}"', verdict is result.verdict


def _decided(result: EndpointResult) -> Iterator[tuple[str, float | None]]:
    yield "", None if result.verdict is Verdict.NOT_MEASURED else result.decided


def _unconfirmed(result: EndpointResult) -> Iterator[tuple[str, float | None]]:
    yield "", 1 if result.unconfirmed else None


def _over_timeout(result: EndpointResult) -> Iterator[tuple[str, float | None]]:
    yield "", None if result.value_ms is None else result.over_timeout


def _time(figures: _Figures) -> _Figures:
    """Of endpoints that are judged by a time."""
    return lambda result: figures(result) if result.unit is Unit.TIME else ()


def _steps(result: EndpointResult) -> Iterator[tuple[str, float | None]]:
    for label, step in _labelled_steps(result):
        if step.unit is Unit.TIME and not step.is_figure:
            yield f'{label},metric="{step.metric_name}"', step.value_ms


def _labelled_steps(result: EndpointResult) -> Iterator[tuple[str, EndpointResult]]:
    """The figures of a page have no other label than their metric."""
    names = distinct_names((step.name for step in result.steps), without=_COMMENT)
    for name, step in zip(names, result.steps, strict=True):
        yield "" if step.is_figure else f",{_label('step', name)}", step


def _figures_in(unit: Unit, fields: Mapping[str, str]) -> _Figures:
    """Of what is judged by something else than the latency, in a ``unit``; with a label for each of several fields."""

    def figures(result: EndpointResult) -> Iterator[tuple[str, float | None]]:
        for label, part in (("", result), *_labelled_steps(result)):
            if part.unit is unit and (part.is_figure or unit is not Unit.TIME):
                labels = f'{label},metric="{part.metric_name}"'
                yield from ((f"{labels}{further}", getattr(part, field)) for further, field in fields.items())

    return figures


def _errors(result: EndpointResult) -> Iterator[tuple[str, float | None]]:
    kinds = distinct_names(result.errors, without=_COMMENT)
    for kind, count in zip(kinds, result.errors.values(), strict=True):
        yield "," + _label("kind", kind), count


def _change_family(since: EarlierRun | None) -> _Family:
    def ratio(result: EndpointResult) -> float | None:
        change = since.changes.get(result.name) if since else None
        return change.ratio if change else None

    return _Family("perfcheck_change_ratio", "Latency divided by that of the earlier run.", _of_metric(ratio))


_LIMITS = {limit: f"{limit}_ms" for limit in ("warning", "critical", "ceiling")}
_FIGURE_LIMITS = {f',limit="{limit}"': f"{limit}_ms" for limit in ("target", "ideal", *_LIMITS)}
_IN_UNIT = {Unit.TIME: "_seconds", Unit.SIZE: "_bytes", Unit.NUMBER: ""}

_FAMILIES = (
    _Family("perfcheck_verdict", "The verdict of the endpoint.", _verdict, "stateset"),
    _Family(
        "perfcheck_latency_seconds",
        "The metric that is compared with the limits; the timeout, where it is over that.",
        _time(_of_metric(lambda result: result.value_ms)),
    ),
    _Family(
        "perfcheck_ratio",
        "Latency divided by its target; in a comparison, by the latency before.",
        _of_metric(lambda result: result.ratio),
    ),
    _Family("perfcheck_step_latency_seconds", "The metric of each step of a workflow.", _steps),
    *(
        _Family(f"perfcheck_figure{suffix}", "A figure of a page.", _figures_in(unit, {"": "value_ms"}))
        for unit, suffix in _IN_UNIT.items()
    ),
    *(
        _Family(f"perfcheck_figure_limit{suffix}", "What a figure of a page may be.", _figures_in(unit, _FIGURE_LIMITS))
        for unit, suffix in _IN_UNIT.items()
    ),
    _Family("perfcheck_over_timeout", "1: the metric is over the timeout.", _over_timeout),
    _Family("perfcheck_decided", "1: the verdict has its error probability; 0: it is an estimate.", _decided),
    _Family("perfcheck_unconfirmed", "1: a breach was seen once, and not measured again in time.", _unconfirmed),
    _Family("perfcheck_error_ratio", "Failed requests by requests sent.", _plain("error_rate")),
    _Family(
        "perfcheck_error_bound_ratio",
        "The true error ratio is below this, with 95% confidence.",
        _plain("error_rate_bound"),
    ),
    _Family("perfcheck_errors", "Failed requests by kind.", _errors),
    _Family("perfcheck_body_bytes", "The largest body, decoded.", _plain("body_bytes")),
    _Family("perfcheck_target_seconds", "The target; in a comparison, the latency before.", _time(_plain("target_ms"))),
    _Family("perfcheck_ideal_seconds", "The ideal latency.", _time(_plain("ideal_ms"))),
    _Family(
        "perfcheck_limit_seconds",
        "A latency over this breaks the limit.",
        _time(_by("limit", _LIMITS)),
    ),
    _Family(
        "perfcheck_latency_interval_low_seconds",
        "Lower end of the interval of the metric.",
        _time(_of_metric(lambda result: result.interval_ms[0])),
    ),
    _Family(
        "perfcheck_latency_interval_high_seconds",
        "Upper end of the interval of the metric.",
        _time(_of_metric(lambda result: result.interval_ms[1])),
    ),
    _Family(
        "perfcheck_latency_quantile_seconds",
        "Latency of the requests that were judged.",
        _time(_by("quantile", {quantile: f"latency_ms.{name}" for quantile, name in _QUANTILES.items()})),
        "summary",
    ),
    _Family(
        "perfcheck_latency_mean_seconds",
        "Mean latency of the requests that were judged.",
        _time(_plain("latency_ms.mean")),
    ),
    _Family(
        "perfcheck_latency_stdev_seconds",
        "Standard deviation of the latency of the requests that were judged.",
        _time(_plain("latency_ms.stdev")),
    ),
    _Family(
        "perfcheck_phase_seconds",
        "Where the time went, by phase of a request.",
        _by("phase", {phase: f"phases_ms.{phase}" for phase in ("dns", "connect", "tls", "wait", "download")}),
    ),
    _Family(
        "perfcheck_requests",
        "Requests sent, by outcome.",
        _by("outcome", {outcome: f"requests.{outcome}" for outcome in ("succeeded", "failed", "warmup")}),
    ),
    _Family("perfcheck_judged_requests", "Requests that the verdict rests on.", _plain("requests.judged")),
)
