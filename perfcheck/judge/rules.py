"""The rules of a check: which of them fired for an endpoint, in a sentence each, with the remedy. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import median_high

from perfcheck.model import (
    FIGURE,
    NOT_CAPTURED,
    RENEWAL_FAILED,
    WARM_UP,
    Decision,
    Endpoint,
    EndpointResult,
    Failure,
    Finding,
    Measurement,
    MetricOf,
    Rule,
    Sample,
    Severity,
    Stop,
    UndecidedPolicy,
    Unit,
    Verdict,
    heaviest_first,
    worst,
)
from perfcheck.stats.sequential import MOST_LOOKS
from perfcheck.text import clean
from perfcheck.units import format_figure, format_ms, format_multiple, format_percentage, format_size
from perfcheck.words import plural

_DELAYED_ACK_MS = (38.0, 46.0)
_ONE_SEGMENT = 1400  # bytes


def find(
    endpoint: Endpoint,
    measurement: Measurement,
    decision: Decision | None,
    judged: Sequence[Sample],
    body_bytes: int | None,
    undecided: UndecidedPolicy,
) -> tuple[Finding, ...]:
    """All findings of one endpoint, the heaviest first; ``judged`` are the samples of the stage that stands."""
    if decision is None:
        return (_not_measured(endpoint, _why_not_judged(measurement)),)
    findings = [
        *_latency_findings(endpoint, decision, judged, undecided),
        *_error_findings(endpoint, measurement, decision, undecided),
        *(_body_findings(endpoint, body_bytes) if endpoint.is_single_request else []),
        *([] if decision.latency is Verdict.NOT_MEASURED or decision.is_decided else [_undecided(endpoint, decision)]),
        *_recovery_notes(endpoint, measurement.decisions),
        *(_delayed_acknowledgement(endpoint, judged) if endpoint.is_single_request else []),
    ]
    return heaviest_first(findings)


def of_step(step: EndpointResult, finding: Finding) -> Finding:
    """A finding on a step, as one on its workflow; or on a figure, as one on its page."""
    subject = f"step '{step.name}': "
    if step.is_figure:
        subject = "" if step.metric_name in finding.message else f"{step.metric_name}: "
    return replace(finding, message=f"{subject}{finding.message}", step=step.name)


def _latency_findings(
    endpoint: Endpoint, decision: Decision, judged: Sequence[Sample], undecided: UndecidedPolicy
) -> Iterable[Finding]:
    if decision.latency is Verdict.NOT_MEASURED:
        if decision.stop is Stop.INTERRUPTED:
            reason = f"interrupted after {plural(decision.requests, 'request')}; 5 are needed"
            yield Finding.note(Rule.NOT_MEASURED, reason, line=endpoint.line)
        elif decision.errors is not Verdict.CRITICAL:
            succeeded = sum(sample.failure is None for sample in judged)
            reason = f"only {succeeded} of {plural(decision.requests, 'request')} gave a latency; 5 are needed"
            yield _not_measured(endpoint, reason)
        return
    unit = endpoint.unit
    value, over_timeout = shown_value(endpoint, decision)
    if decision.latency in {Verdict.WARNING, Verdict.CRITICAL}:
        severity = _severity(decision, decision.latency, undecided, decided=decision.latency_decided)
        rule, limit, reason = _broken_limit(endpoint, decision.latency)
        message = f"{endpoint.metric_name} {format_figure(value, unit, distinct_from=limit)}, {reason}"
        if over_timeout:
            timeout = format_ms(endpoint.timeout_s * 1000)
            message = f"{endpoint.metric_name} over the timeout of {timeout}; the limit is {format_figure(limit, unit)}"
            if unit is not Unit.TIME:
                message = f"{endpoint.metric_name} not known: most loads took longer than the timeout of {timeout}"
        remedy = None if over_timeout else _latency_remedy(endpoint, judged)
        line = line_of(endpoint, rule)
        yield Finding(rule, severity, value=value, limit=limit, unit=unit, message=message, remedy=remedy, line=line)
    elif endpoint.target_ms is not None and value is not None and value > endpoint.target_ms:
        message = (
            f"{endpoint.metric_name} {format_figure(value, unit, distinct_from=endpoint.target_ms)} is over its target "
            f"of {format_figure(endpoint.target_ms, unit)}, within the warning limit of "
            f"{format_figure(endpoint.warning_ms, unit)}"
        )
        line = line_of(endpoint, Rule.OVER_TARGET)
        yield Finding.note(Rule.OVER_TARGET, message, value=value, limit=endpoint.target_ms, unit=unit, line=line)


def _latency_remedy(endpoint: Endpoint, judged: Sequence[Sample]) -> str | None:
    """None where the service has it already, or where it is the browser that takes the time."""
    is_of_page = endpoint.is_page or endpoint.method == FIGURE
    if is_of_page or any(sample.server_timing for sample in judged):
        return None
    return "a Server-Timing response header would show here which part of the handler is slow"


def _severity(decision: Decision, verdict: Verdict, undecided: UndecidedPolicy, *, decided: bool) -> Severity:
    """A breach that was seen once and not confirmed is never CRITICAL."""
    is_doubtful = decision.is_unconfirmed or (not decided and undecided is UndecidedPolicy.WARNING)
    return Severity.WARNING if verdict is Verdict.CRITICAL and is_doubtful else Severity(verdict.value)


def _broken_limit(endpoint: Endpoint, verdict: Verdict) -> tuple[Rule, float, str]:
    """The rule that a figure broke: its name, the limit, and a phrase for the message."""
    unit, ceiling = endpoint.unit, endpoint.ceiling_ms
    own = endpoint.critical_ms if verdict is Verdict.CRITICAL else endpoint.warning_ms
    if ceiling is not None and verdict is Verdict.CRITICAL and (own is None or ceiling <= own):
        return Rule.CEILING, ceiling, f"over the ceiling of {format_figure(ceiling, unit)}"
    if own is None or endpoint.target_ms is None:
        slow = format_figure(endpoint.slow_ms, unit)
        return Rule.NEW_SLOW_ENDPOINT, endpoint.slow_ms, f"over {slow} and without a target"
    target = format_figure(endpoint.target_ms, unit)
    return (
        Rule.LATENCY,
        own,
        f"over {format_multiple(own / endpoint.target_ms)} its target of {target} (limit {format_figure(own, unit)})",
    )


def _undecided(endpoint: Endpoint, decision: Decision) -> Finding:
    reasons = {
        Stop.BUDGET: "the time budget ran out",
        Stop.MAX_REQUESTS: "too close to a limit to decide with that many",
        Stop.INTERRUPTED: "the run was interrupted",
        Stop.DECIDED: "it could not be confirmed",
    }
    value, _ = shown_value(endpoint, decision)
    reason, more = reasons[decision.stop], decision.more_requests
    how = "run it again" if decision.stop is Stop.INTERRUPTED else "raise --budget"
    if decision.stop is Stop.MAX_REQUESTS:
        needed = decision.requests + (more or 100)
        how = f"set 'min_requests: {needed}' on this endpoint, and no lower --max-requests"
        if needed > MOST_LOOKS:
            how, more = "change the target: it is as good as at the limit", None
    elif decision.stop is Stop.DECIDED and decision.latency_decided and not decision.is_unconfirmed:
        reason, how = "too few to judge its failure rate", "'errors: strict' under 'sampling' takes the time it needs"
    message = f"undecided after {plural(decision.requests, 'request')}: {reason}"
    if decision.is_unconfirmed:
        message = f"unconfirmed: measured once, and {reason} before it was measured again"
    remedy = f"about {plural(more, 'more request')} would settle it: {how}" if more else how
    return Finding.note(Rule.UNDECIDED, message, value=value, unit=endpoint.unit, remedy=remedy, line=endpoint.line)


def _error_findings(
    endpoint: Endpoint, measurement: Measurement, decision: Decision, undecided: UndecidedPolicy
) -> Iterator[Finding]:
    """Of all requests that count; where failures were to be confirmed, of those since, or else of those before."""
    earlier, since_then = _around_the_confirmation(measurement)
    is_gone = bool(earlier) and not any(sample.failure for sample in since_then)
    judged = earlier if is_gone else since_then
    failed = [sample for sample in judged if sample.failure]
    if not failed:
        return
    rate = len(failed) / len(judged)
    limits = endpoint.error_limits
    kinds = failure_kinds(failed)
    line = line_of(endpoint, Rule.ERROR_RATE)
    if any(sample.failure is Failure.WRONG_ANSWER for sample in failed):
        line = endpoint.lines.get("expect", line)
    since = f" at first, none of {len(since_then)} since" if is_gone else ""
    if decision.errors in {Verdict.WARNING, Verdict.CRITICAL}:
        limit = limits.critical if decision.errors is Verdict.CRITICAL else limits.warning
        what = failed_share(len(failed), len(judged), limit)
        message = f"{what}{since or ', over ' + format_percentage(limit)}: {kinds}{_first_body(failed)}"
        severity = _severity(decision, decision.errors, undecided, decided=decision.errors_decided)
        remedy = _failure_remedy(endpoint, failed)
        yield Finding(
            Rule.ERROR_RATE, severity, value=rate, limit=limit, unit="ratio", message=message, remedy=remedy, line=line
        )
    elif not since:
        what = failed_share(len(failed), len(judged), limits.warning)
        over = rate > limits.warning
        doubt = f", over the limit of {format_percentage(limits.warning)} but too few to judge" if over else ""
        remedy = "'min_requests: 100' on this endpoint gives more evidence"
        message = f"{what}{doubt}: {kinds}{_first_body(failed)}"
        yield Finding.note(
            Rule.ERRORS_SEEN, message, value=rate, limit=limits.warning, unit="ratio", remedy=remedy, line=line
        )


def _around_the_confirmation(measurement: Measurement) -> tuple[list[Sample], list[Sample]]:
    """Requests that count, before and since failures had to be confirmed: all in the second list if they had not."""
    stages = [decision.stage + 1 for decision in measurement.decisions[:-1] if decision.errors is Verdict.CRITICAL]
    numbers = [stage for stage, _ in measurement.samples]
    start = numbers.index(stages[-1]) if stages and stages[-1] in numbers else 0
    counted = [(at < start, sample) for at, (stage, sample) in enumerate(measurement.samples) if stage != WARM_UP]
    return [sample for is_earlier, sample in counted if is_earlier], [
        sample for earlier, sample in counted if not earlier
    ]


def failed_share(failed: int, sent: int, limit: float) -> str:
    """``3 of 40 requests failed (7.5%)``; the share looks different from the limit that it is compared with."""
    share = format_percentage(failed / sent, distinct_from=limit)
    return f"{failed:,} of {plural(sent, 'request')} failed ({share})"


def failure_kinds(failed: Sequence[Sample]) -> str:
    counted = Counter(clean(sample.detail or str(sample.failure), 120) for sample in failed).most_common()
    shown = [f"{count}x {detail}" if len(counted) > 1 or count > 1 else detail for detail, count in counted[:3]]
    return "; ".join(shown) + ("; ..." if len(counted) > 3 else "")  # noqa: PLR2004


def _first_body(failed: Sequence[Sample]) -> str:
    bodies = (clean(sample.body_excerpt) for sample in failed if sample.body_excerpt)
    return next((f"; first body: {body}" for body in bodies), "")


_NOT_ABOUT_THE_REQUEST = {407, 429, *range(500, 600)}
_MOVED = "write the path that it redirects to; if that is a login, 'auth' or 'headers' lack one"
_STATUS_REMEDIES = {
    **dict.fromkeys((301, 302, 303, 307, 308), _MOVED),
    401: "is the login right: 'auth', 'headers', or for a session 'cookies: true'? A token that expires is for 'setup'",
    403: "does the login in 'auth' or 'headers' have the permission for this?",
    404: "is 'path' right? It is appended to 'base_url'",
    405: "is 'method' right?",
    407: "the proxy requires a password; set NO_PROXY to bypass it",
    429: "the service limits requests: set sampling.rate, or exempt the address that the check runs from",
}


def _failure_remedy(endpoint: Endpoint, failed: Sequence[Sample]) -> str:
    kind, status = Counter((sample.failure, sample.status) for sample in failed).most_common(1)[0][0]
    if kind is Failure.STATUS and endpoint.line == 0 and status not in _NOT_ABOUT_THE_REQUEST:
        return "is the URL right? To send a header or to expect this status takes a baseline: see 'perfcheck init'"
    if kind is Failure.TIMEOUT and any("text/event-stream" in (sample.detail or "") for sample in failed):
        return "an event stream has no end: 'metric_of: first_byte' judges the time to its first event"
    if any(RENEWAL_FAILED in (sample.detail or "") for sample in failed):
        return "the first login succeeded, and a later one did not: may it be sent again?"
    if kind is Failure.WRONG_ANSWER and any(NOT_CAPTURED in (sample.detail or "") for sample in failed):
        return "see what the service responds; if that is right, correct 'capture'"
    if kind is Failure.STATUS and status in _STATUS_REMEDIES:
        return _STATUS_REMEDIES[status]
    return {
        Failure.STATUS: "see the service's log; if this status is right, add it to 'expect'",
        Failure.WRONG_ANSWER: "see the service's log; if this answer is right, correct 'expect'",
        Failure.TIMEOUT: "the service did not finish in time; 'timeout' sets how long a request may take",
        Failure.REFUSED: "the service does not accept connections: is it still running?",
        Failure.RESET: "the service dropped the connection: look for a crash in its log",
        Failure.NAME: "check the host name in 'base_url'",
        Failure.TLS: "set the CA with 'tls: {ca: FILE}' under 'service', or use --insecure for a test system",
        Failure.REDIRECTS: "check 'path'; a login page often redirects in a loop",
        Failure.BODY_TOO_LARGE: "paginate the response, or request less of it with 'query'",
    }.get(kind or Failure.STATUS, "try it with 'curl -v' to see what the service returns")


def _body_findings(endpoint: Endpoint, body_bytes: int | None) -> Iterable[Finding]:
    if body_bytes is not None and body_bytes > endpoint.body_limit:
        size, limit = format_size(body_bytes), format_size(endpoint.body_limit)
        if size == limit:
            size = f"{body_bytes} bytes"
        remedy = "paginate the response or trim its fields; 'body_limit' sets the limit"
        message = f"body of {size}, over the limit of {limit}"
        yield Finding(
            Rule.BODY_SIZE,
            Severity.WARNING,
            value=float(body_bytes),
            limit=float(endpoint.body_limit),
            unit="bytes",
            message=message,
            remedy=remedy,
            line=line_of(endpoint, Rule.BODY_SIZE),
        )


def _recovery_notes(endpoint: Endpoint, decisions: Sequence[Decision]) -> Iterable[Finding]:
    """A note on each stage that was worse than the one that stands: a burst perhaps, or a service warming up."""
    *earlier, last = decisions
    for before in earlier:
        if worst([before.verdict, last.verdict]) is before.verdict is not last.verdict:
            if before.errors is before.verdict:
                what = (
                    f"briefly failing: {before.failures} of {plural(before.requests, 'request')}, then {last.failures}"
                )
                message = f"{what} of {last.requests} when measured again"
            else:
                then, now = (format_figure(shown_value(endpoint, stage)[0], endpoint.unit) for stage in (before, last))
                briefly = "briefly slow" if endpoint.unit is Unit.TIME else "briefly more"
                message = f"{briefly}: {endpoint.metric_name} {then}, then {now} when measured again"
            yield Finding.note(
                Rule.MOMENTARY, message, value=shown_value(endpoint, before)[0], unit=endpoint.unit, line=endpoint.line
            )


def _delayed_acknowledgement(endpoint: Endpoint, judged: Sequence[Sample]) -> Iterator[Finding]:
    """A small body some 40 ms after its headers: Nagle's algorithm in the service against our system's delayed ACK.

    The service writes headers and body apart, and its system holds the second piece back until the first one is
    acknowledged, which Linux does after 40 ms (RFC 896, RFC 1122 section 4.2.3.2).
    """
    gaps = [sample.phases.download_ms for sample in judged if sample.phases.download_ms is not None]
    small = endpoint.metric_of is MetricOf.LATENCY and all((sample.body_bytes or 0) < _ONE_SEGMENT for sample in judged)
    gap = median_high(gaps or [0.0])
    if small and len(gaps) >= 5 and _DELAYED_ACK_MS[0] <= gap <= _DELAYED_ACK_MS[1]:  # noqa: PLR2004
        message = f"a small body comes {format_ms(gap)} after its headers: they are likely written separately"
        remedy = "let the service write both at once, or set TCP_NODELAY: this saves that time on every request"
        yield Finding.note(Rule.DELAYED_ACK, message, value=gap, unit="ms", remedy=remedy, line=endpoint.line)


def _not_measured(endpoint: Endpoint, reason: str) -> Finding:
    remedy = "raise --budget, or run this endpoint alone"
    return Finding.note(Rule.NOT_MEASURED, reason, remedy=remedy, line=endpoint.line)


def _why_not_judged(measurement: Measurement) -> str:
    if not measurement.samples:
        return "no request was sent: the run ended before its turn"
    if measurement.is_void:
        return "slow or failing while other endpoints were measured too, and no time to measure it alone"
    _, warmup = measurement.samples[-1]
    reason = clean(warmup.detail or str(warmup.failure), 100) if warmup.failure else ""
    return "the run ended after its warm-up" + (f", which failed: {reason}{_first_body([warmup])}" if reason else "")


_KEYS = {
    Rule.LATENCY: "target",
    Rule.OVER_TARGET: "target",
    Rule.CEILING: "ceiling",
    Rule.NEW_SLOW_ENDPOINT: "slow",
    Rule.ERROR_RATE: "error_rate",
    Rule.ERRORS_SEEN: "error_rate",
    Rule.BODY_SIZE: "body_limit",
}


def line_of(endpoint: Endpoint, rule: Rule) -> int:
    """The line of the baseline to look at: where the key behind the rule is written, else where the endpoint begins."""
    return endpoint.lines.get(_KEYS[rule], endpoint.line)


def shown_value(endpoint: Endpoint, decision: Decision | None) -> tuple[float | None, bool]:
    """And whether it is over the timeout, which is the value of a time then; another figure has none."""
    if decision is None or decision.value_ms is None:
        return None, False
    if math.isinf(decision.value_ms):
        return endpoint.timeout_s * 1000 if endpoint.unit is Unit.TIME else None, True
    return decision.value_ms, False


def finite_interval(decision: Decision | None) -> tuple[float | None, float | None]:
    if decision is None:
        return None, None
    low, high = decision.interval_ms
    return finite(low), finite(high)


def finite(value: float | None) -> float | None:
    """None for an open end, and for what lies over the timeout."""
    return value if value is not None and math.isfinite(value) else None
