"""What the monitor inside the service says, in the words that a check of perfcheck's own ends in. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from perfcheck.errors import EXIT_CRITICAL, EXIT_NOT_MEASURED, EXIT_OK
from perfcheck.judge.matching import is_of_path, match
from perfcheck.judge.monitored import (
    has_figures,
    is_told,
    judge_monitored,
    repetitions,
    shown_name,
    some,
)
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
    verdict_of,
    worst,
)


@dataclass(frozen=True, slots=True)
class Health:
    """What ``perfcheck health`` says of a service."""

    results: tuple[EndpointResult, ...]
    findings: tuple[Finding, ...]  # of the service as a whole
    verdict: Verdict
    counts: Counts
    exit_code: int


def why_unreadable(reading: MonitorReading) -> tuple[str, str | None] | None:
    """Why a reading says nothing of the service, and the remedy; None where it does."""
    if not reading.alive:
        return reading.message, reading.remedy
    if any(is_told(one, []) for one in reading.endpoints):
        return None
    since = f" since {_when(reading.since)}" if reading.since else ""
    if reading.status is MonitorStatus.NO_DATA or not reading.endpoints:
        remedy = "ask again when the service has been used; was it restarted just now, or is nothing monitored?"
        return f"the monitor has no data: no requests have been counted{since}", remedy
    return "the monitor has no figures of its endpoints", "'avg_response_time' of each in /stats is where they belong"


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
    """Every endpoint of a readable reading, and the service as a whole.

    ``endpoints`` are the baseline's, none without one. ``wanted`` are the names to report on, the baseline's or the
    monitor's; None: all. ``url`` is the address that the figures were read from. ``fail_on`` as for ``judge_run``.
    """
    matches = match(endpoints, [one.name for one in reading.endpoints], service.base_url)
    results = [
        result
        for result in _results(reading, endpoints, matches, threshold_ms, url)
        if wanted is None or result.name in wanted
    ]
    whole_service = wanted is None
    findings = (
        *_state(reading),
        *(_trouble(reading) if whole_service else ()),
        *(_about_the_baseline(endpoints, matches, reading) if whole_service else ()),
    )
    verdicts = [result.verdict for result in results]
    counts = Counts(
        ok=verdicts.count(Verdict.OK),
        warning=verdicts.count(Verdict.WARNING),
        critical=verdicts.count(Verdict.CRITICAL),
        not_measured=0,
    )
    verdict = worst([*verdicts, verdict_of(findings)]) if verdicts else Verdict.NOT_MEASURED
    failing = {Verdict.CRITICAL} | ({Verdict.WARNING} if fail_on is Verdict.WARNING else set())
    if fail_on is not None and verdict in failing:
        return Health(tuple(results), findings, verdict, counts, EXIT_CRITICAL)
    return Health(tuple(results), findings, verdict, counts, EXIT_OK if verdicts else EXIT_NOT_MEASURED)


def names_in(reading: MonitorReading, service: Service, endpoints: Sequence[Endpoint]) -> list[str]:
    """The names under which ``judge_health`` reports."""
    matches = match(endpoints, [one.name for one in reading.endpoints], service.base_url)
    owners = _owners(endpoints, matches)
    named = ((one, owners.get(one.name, [])) for one in reading.endpoints)
    return [shown_name(one, its) for one, its in named if is_told(one, its)]


def beside_a_run(
    reading: MonitorReading,
    service: Service,
    endpoints: Sequence[Endpoint],
    measured: Sequence[EndpointResult],
    *,
    threshold_ms: float,
    url: str,
    whole: bool,
    coverage: bool = False,
) -> tuple[tuple[EndpointResult, ...], tuple[Finding, ...]]:
    """What only the monitor knows, beside a check that has just been made.

    The endpoints measured, with N+1 in the notes of the worst that it may have slowed; behind them, where the check was
    of the ``whole`` baseline, those that are slow and not in it; and notes on the run. A monitor that cannot be read is
    a note: the check itself worked. ``endpoints`` are all of the baseline, whichever were measured. ``coverage``: notes
    tell as well which endpoints only one of the baseline and the monitor knows.
    """
    unreadable = why_unreadable(reading)
    if unreadable is not None:
        why = f"without the monitor's word on slow endpoints that are not in the baseline: {unreadable[0]}"
        return tuple(measured), (Finding.note(Rule.MONITOR, why, remedy=unreadable[1]),)
    matches = match(endpoints, [one.name for one in reading.endpoints], service.base_url)
    known = {one.name: one for one in reading.endpoints}
    told = _with_repetitions(measured, {name: known[its] for name, its in matches.items()})
    matched = frozenset(matches.values())
    new = list(_new_slow_endpoints(reading, service, matched, threshold_ms, url)) if whole else []
    problems = [Finding.note(Rule.MONITOR, f"the monitor says: {problem}") for problem in reading.problems]
    if coverage:
        problems += _about_the_baseline(endpoints, matches, reading)
        problems += _without_a_baseline(reading, service, matched)
    return (*told, *new), tuple(problems)


def without_a_monitor() -> Finding:
    """For a release whose service tells nothing of itself."""
    remedy = "service.monitor names the statistics API of perfcheck.monitor, which tells them"
    return Finding.note(
        Rule.COVERAGE, "endpoints without a baseline are not known: the baseline names no monitor", remedy=remedy
    )


def _without_a_baseline(reading: MonitorReading, service: Service, matched: frozenset[str]) -> Iterator[Finding]:
    """The endpoints that users ask for and no check does."""
    unchecked = [one.name for one in _not_in_the_baseline(reading, service, matched)]
    if unchecked:
        what = "1 endpoint is" if len(unchecked) == 1 else f"{len(unchecked)} endpoints are"
        message = f"{what} in use and not in the baseline: {some(unchecked)}"
        yield Finding.note(Rule.COVERAGE, message, remedy="give each a target, so that a regression of it is seen")


def _with_repetitions(
    measured: Sequence[EndpointResult], known: Mapping[str, MonitoredEndpoint]
) -> list[EndpointResult]:
    """Told once for each endpoint of the monitor, which may be several of the baseline: by the one farthest off."""
    farthest = sorted(measured, key=lambda result: -(result.ratio or 0.0))
    spokesman = {known[result.name].name: result.name for result in reversed(farthest) if result.name in known}
    return [
        replace(result, findings=(*result.findings, *repetitions(known[result.name], result.line)))
        if result.name in known and spokesman[known[result.name].name] == result.name
        else result
        for result in measured
    ]


def _new_slow_endpoints(
    reading: MonitorReading, service: Service, matched: frozenset[str], threshold_ms: float, url: str
) -> Iterator[EndpointResult]:
    for one in _not_in_the_baseline(reading, service, matched):
        result = judge_monitored(one, [], threshold_ms, url)
        slow = tuple(finding for finding in result.findings if finding.rule is Rule.NEW_SLOW_ENDPOINT)
        if slow:  # and only that: what else is wrong with it is for the daily check to say
            yield replace(result, verdict=Verdict.WARNING, findings=slow)


def _not_in_the_baseline(
    reading: MonitorReading, service: Service, matched: frozenset[str]
) -> Iterator[MonitoredEndpoint]:
    """Without what perfcheck itself asks for: the ready check, and the statistics."""
    own = [path for path in (service.ready, service.monitor) if path]
    for one in reading.endpoints:
        asked_by_us = any(is_of_path(one.name, path, service.base_url) for path in own)
        if is_told(one, []) and one.name not in matched and not asked_by_us:
            yield one


# --- The service as a whole ----------------------------------------------------------------------------------------


def _state(reading: MonitorReading) -> Iterator[Finding]:
    """What a person wants to know first: does it live, since when, and how much has it seen?"""
    requests = sum(one.requests or 0 for one in reading.endpoints)
    count = len(reading.endpoints)
    facts = [f"{count} endpoint{'s' * (count != 1)}", f"{requests} request{'s' * (requests != 1)}"]
    facts[-1] += f" since {_when(reading.since)}" if reading.since else ""
    facts += [f"{reading.workers} workers"] if (reading.workers or 0) > 1 else []
    says = "" if reading.status is MonitorStatus.UNKNOWN else f" and says {reading.status}"
    yield Finding.note(Rule.MONITOR_STATE, f"the monitor answers{says}: {', '.join(facts)}")


def _trouble(reading: MonitorReading) -> Iterator[Finding]:
    """What the monitor says of the service, and of itself."""
    if reading.status is MonitorStatus.DEGRADED:
        why = "; ".join(reading.issues) or reading.message or "without a word why"
        remedy = "it says so by thresholds of its own"
        message = f"the service calls itself degraded: {why}"
        yield Finding.warning(Rule.DEGRADED, message, remedy=remedy)
    for problem in reading.problems:
        if problem not in reading.issues or reading.status is not MonitorStatus.DEGRADED:
            yield Finding.note(Rule.MONITOR, f"the monitor says: {problem}", remedy="its figures may not be everything")


def _about_the_baseline(
    endpoints: Sequence[Endpoint], matches: Mapping[str, str], reading: MonitorReading
) -> Iterator[Finding]:
    figures = {one.name for one in reading.endpoints if has_figures(one)}
    unseen = [one for one in endpoints if matches.get(one.name) not in figures]
    remedy = "nobody has asked for it, its handler is not monitored, or 'monitor_name' has to tell what it is called"
    if len(unseen) > 1:
        names = some([one.name for one in unseen])
        message = f"{len(unseen)} endpoints of the baseline are unknown to the monitor: {names}"
        yield Finding.note(Rule.NEVER_SEEN, message, remedy=remedy)
        return
    for one in unseen:
        message = f"{one.name} is in the baseline and unknown to the monitor"
        yield Finding.note(Rule.NEVER_SEEN, message, remedy=remedy, line=one.line)


def _when(text: str) -> str:
    """``2026-11-23 06:00 UTC``; what is no time with a zone is shown as it is."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if time.tzinfo else text


# --- By endpoint ---------------------------------------------------------------------------------------------------


def _results(
    reading: MonitorReading,
    endpoints: Sequence[Endpoint],
    matches: Mapping[str, str],
    threshold_ms: float,
    url: str,
) -> Iterator[EndpointResult]:
    owners = _owners(endpoints, matches)
    for one in reading.endpoints:
        if is_told(one, owners.get(one.name, [])):
            yield judge_monitored(one, owners.get(one.name, []), threshold_ms, url)


def _owners(endpoints: Sequence[Endpoint], matches: Mapping[str, str]) -> dict[str, list[Endpoint]]:
    owners: dict[str, list[Endpoint]] = {}
    for one in endpoints:
        if one.name in matches:
            owners.setdefault(matches[one.name], []).append(one)
    return owners
