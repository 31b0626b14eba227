"""The figures of the monitor inside the service, judged as a check of perfcheck's own. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from perfcheck.judge.match_endpoints import is_of_path
from perfcheck.judge.match_variants import match_variants, route_of
from perfcheck.judge.monitored_endpoint import (
    MOST_NAMED,
    has_figures,
    is_reported,
    judge_monitored,
    repetitions,
    shown_name,
)
from perfcheck.judge.run_verdict import judge_run
from perfcheck.model import (
    Counts,
    Endpoint,
    EndpointResult,
    Finding,
    MonitoredEndpoint,
    MonitorReading,
    MonitorStatus,
    Rule,
    Service,
    Verdict,
    single_requests,
)
from perfcheck.times import parse_time
from perfcheck.words import and_more, plural


@dataclass(frozen=True, slots=True)
class Health:
    """The outcome of ``perfcheck health``."""

    results: tuple[EndpointResult, ...]
    findings: tuple[Finding, ...]  # run-level
    verdict: Verdict
    counts: Counts
    exit_code: int


def why_unreadable(reading: MonitorReading) -> tuple[str, str | None] | None:
    """Why a reading cannot be judged, and the remedy; None where it can."""
    if not reading.alive:
        return reading.message, reading.remedy
    if any(is_reported(reported, []) for reported in reading.endpoints):
        return None
    since = f" since {_when(reading.since)}" if reading.since else ""
    if reading.status is MonitorStatus.NO_DATA or not reading.endpoints:
        remedy = "try again when the service has been used; was it just restarted, or is nothing monitored?"
        return f"the monitor has no data: no requests have been counted{since}", remedy
    return "the monitor reports no figures of its endpoints", "each endpoint in /stats needs 'avg_response_time'"


def judge_health(
    reading: MonitorReading,
    service: Service,
    endpoints: Sequence[Endpoint],
    *,
    threshold_ms: float,
    fail_on: Verdict | None,
    wanted: Sequence[str] | None = None,
    url: str,
) -> Health:
    """Every endpoint of a readable reading, and run-level findings.

    ``endpoints`` are the baseline's, none without one. ``wanted`` are the names to report on, the baseline's or the
    monitor's; None: all. ``url`` is the address that the figures were read from. ``fail_on`` as for ``judge_run``.
    """
    matches = _matches(reading, service, endpoints)
    results = [
        judge_monitored(reported, owners, threshold_ms, url)
        for reported, owners in _reported(reading, endpoints, matches)
        if wanted is None or shown_name(reported, owners) in wanted
    ]
    findings = [*_state(reading), *_unknown_errors(results)]
    if wanted is None:
        findings += [*_reported_errors(reading), *_unseen(endpoints, matches, reading)]
    return Health(tuple(results), tuple(findings), *judge_run(results, fail_on, findings))


def names_in(reading: MonitorReading, service: Service, endpoints: Sequence[Endpoint]) -> list[str]:
    """The names under which ``judge_health`` reports."""
    matches = _matches(reading, service, endpoints)
    return [shown_name(reported, owners) for reported, owners in _reported(reading, endpoints, matches)]


def _matches(reading: MonitorReading, service: Service, endpoints: Sequence[Endpoint]) -> dict[str, str]:
    """Of the endpoints that are one request: the monitor knows no workflows."""
    names = [reported.name for reported in reading.endpoints]
    return match_variants(
        [each for each in endpoints if each.is_single_request], names, service.base_url, reading.table
    )


def alongside_a_run(
    reading: MonitorReading,
    service: Service,
    endpoints: Sequence[Endpoint],
    measured: Sequence[EndpointResult],
    *,
    threshold_ms: float,
    url: str,
    whole: bool,
    coverage: bool = False,
    around: Sequence[Endpoint] = (),
) -> tuple[tuple[EndpointResult, ...], tuple[Finding, ...]]:
    """What only the monitor knows, for a check that has just been made.

    The endpoints measured, with N+1 in the notes of the worst that it may have slowed; after them, where the check was
    of the ``whole`` baseline, those that are slow and not in it; and run-level notes. A monitor that cannot be read is
    a note: the check itself worked. ``endpoints`` are all of the baseline, whichever were measured. ``coverage``: also
    notes on the endpoints that only the baseline, or only the monitor, has. ``around`` are the requests of its setup
    and teardown, which are in the baseline, too.
    """
    unreadable = why_unreadable(reading)
    if unreadable is not None:
        why = f"slow endpoints that are not in the baseline are unknown: {unreadable[0]}"
        return tuple(measured), (Finding.note(Rule.MONITOR, why, remedy=unreadable[1]),)
    matches = _matches(reading, service, endpoints)
    known = {reported.name: reported for reported in reading.endpoints}
    with_notes = _with_repetitions(measured, {name: known[monitor_name] for name, monitor_name in matches.items()})
    matched = frozenset(_matches(reading, service, tuple(single_requests([*endpoints, *around]))).values())
    new = list(_new_slow_endpoints(reading, service, matched, threshold_ms, url)) if whole else []
    problems = [Finding.note(Rule.MONITOR, f"the monitor reports: {problem}") for problem in reading.problems]
    if coverage:
        problems += _unseen(endpoints, matches, reading)
        problems += _without_a_baseline(reading, service, matched)
    return (*with_notes, *new), tuple(problems)


def without_a_monitor() -> Finding:
    """For a release whose service has no monitor."""
    remedy = "set service.monitor to the statistics API of perfcheck.monitor, which lists them"
    message = "endpoints without a baseline are unknown: service.monitor is not set"
    return Finding.note(Rule.COVERAGE, message, remedy=remedy)


def _without_a_baseline(reading: MonitorReading, service: Service, matched: frozenset[str]) -> Iterator[Finding]:
    """The endpoints that are used and not checked."""
    unchecked = [reported.name for reported in _not_in_the_baseline(reading, service, matched)]
    if unchecked:
        verb = "is" if len(unchecked) == 1 else "are"
        count = plural(len(unchecked), "endpoint")
        message = f"{count} {verb} in use and not in the baseline: {and_more(unchecked, MOST_NAMED)}"
        yield Finding.note(Rule.COVERAGE, message, remedy="give each a target, so that a regression is detected")


def _with_repetitions(
    measured: Sequence[EndpointResult], known: Mapping[str, MonitoredEndpoint]
) -> list[EndpointResult]:
    """Once for each endpoint of the monitor, which may be several of the baseline: with the slowest of them."""
    slowest_first = sorted(measured, key=lambda result: -(result.ratio or 0.0))
    noted_with = {known[result.name].name: result.name for result in reversed(slowest_first) if result.name in known}
    return [
        replace(result, findings=(*result.findings, *repetitions(known[result.name], result.line)))
        if result.name in known and noted_with[known[result.name].name] == result.name
        else result
        for result in measured
    ]


def _new_slow_endpoints(
    reading: MonitorReading, service: Service, matched: frozenset[str], threshold_ms: float, url: str
) -> Iterator[EndpointResult]:
    for reported in _not_in_the_baseline(reading, service, matched):
        result = judge_monitored(reported, [], threshold_ms, url)
        slow = tuple(finding for finding in result.findings if finding.rule is Rule.NEW_SLOW_ENDPOINT)
        if slow:  # and only that: anything else is for the daily check
            yield replace(result, verdict=Verdict.WARNING, findings=slow)


def _not_in_the_baseline(
    reading: MonitorReading, service: Service, matched: frozenset[str]
) -> Iterator[MonitoredEndpoint]:
    """Without the requests of perfcheck itself: the ready check, and the statistics."""
    own = [path for path in (service.ready, service.monitor) if path]
    for reported in reading.endpoints:
        our_own = any(is_of_path(route_of(reported.name), path, service.base_url) for path in own)
        if is_reported(reported, []) and reported.name not in matched and not our_own:
            yield reported


# --- Run-level findings --------------------------------------------------------------------------------------------


def _state(reading: MonitorReading) -> Iterator[Finding]:
    """What a person wants to know first: is it alive, since when, and how many requests has it counted?"""
    requests = sum(reported.requests or 0 for reported in reading.endpoints)
    facts = [plural(len(reading.endpoints), "endpoint"), plural(requests, "request")]
    facts[-1] += f" since {_when(reading.since)}" if reading.since else ""
    facts += [f"{reading.workers} workers"] if (reading.workers or 0) > 1 else []
    status = "" if reading.status is MonitorStatus.UNKNOWN else f" and reports {reading.status}"
    yield Finding.note(Rule.MONITOR_STATE, f"the monitor responds{status}: {', '.join(facts)}")


def _reported_errors(reading: MonitorReading) -> Iterator[Finding]:
    """Errors that the monitor reports, of the service and of itself."""
    if reading.status is MonitorStatus.DEGRADED:
        why = "; ".join(reading.issues) or reading.message or "no reason given"
        message = f"the service reports that it is degraded: {why}"
        yield Finding.warning(Rule.DEGRADED, message, remedy="this is by thresholds of its own")
    for problem in reading.problems:
        if problem not in reading.issues or reading.status is not MonitorStatus.DEGRADED:
            yield Finding.note(Rule.MONITOR, f"the monitor reports: {problem}", remedy="its figures may be incomplete")


def _unknown_errors(results: Sequence[EndpointResult]) -> Iterator[Finding]:
    unknown = [result.name for result in results if result.error_rate is None]
    if unknown:
        of = f"{plural(len(unknown), 'endpoint')}: {and_more(unknown, MOST_NAMED)}"
        message = f"the monitor does not count errors, so failures are not judged for {of}"
        yield Finding.note(Rule.MONITOR, message, remedy="each endpoint in /stats needs 'errors', its failed requests")


def _unseen(endpoints: Sequence[Endpoint], matches: Mapping[str, str], reading: MonitorReading) -> Iterator[Finding]:
    figures = {reported.name for reported in reading.endpoints if has_figures(reported)}
    single = (endpoint for endpoint in endpoints if endpoint.is_single_request)
    unseen = [endpoint for endpoint in single if matches.get(endpoint.name) not in figures]
    resolved = reading.table.resolved if reading.table is not None else {}
    unused = [endpoint for endpoint in unseen if endpoint.monitor_name is None and resolved.get(endpoint.name)]
    unknown = [endpoint for endpoint in unseen if endpoint not in unused]
    remedy = "it got no requests, its handler is not monitored, or 'monitor_name' must be set to its name there"
    yield from _never_seen(unknown, "is in the baseline and unknown", "are unknown", "to the monitor", remedy)
    remedy = "the route exists; check whether clients still use it"
    yield from _never_seen(unused, "got no requests", "got no requests", "since the monitor started", remedy)


def _never_seen(endpoints: Sequence[Endpoint], one: str, many: str, since: str, remedy: str) -> Iterator[Finding]:
    if len(endpoints) > 1:
        names = and_more([endpoint.name for endpoint in endpoints], MOST_NAMED)
        message = f"{len(endpoints)} endpoints of the baseline {many} {since}: {names}"
        yield Finding.note(Rule.NEVER_SEEN, message, remedy=remedy)
        return
    for endpoint in endpoints:
        yield Finding.note(Rule.NEVER_SEEN, f"{endpoint.name} {one} {since}", remedy=remedy, line=endpoint.line)


def _when(text: str) -> str:
    """``2026-11-23 06:00 UTC``; anything but a time is shown as it is."""
    time = parse_time(text)
    return text if time is None else f"{time:%Y-%m-%d %H:%M} UTC"


# --- By endpoint ---------------------------------------------------------------------------------------------------


def _reported(
    reading: MonitorReading, endpoints: Sequence[Endpoint], matches: Mapping[str, str]
) -> Iterator[tuple[MonitoredEndpoint, list[Endpoint]]]:
    """What the monitor reports, each with the endpoints of the baseline that it counts as this one."""
    owners: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        if endpoint.name in matches:
            owners.setdefault(matches[endpoint.name], []).append(endpoint)
    for reported in reading.endpoints:
        owned_by = owners.get(reported.name, [])
        if is_reported(reported, owned_by):
            yield reported, owned_by
