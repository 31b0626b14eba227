"""What the reports of a period state about it as a whole: its dates, headline, facts, caveats and review."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from perfcheck.history.branches import with_options
from perfcheck.model import Changed, Source
from perfcheck.periods.model import BaselineHistory, ChangeKind, EndpointSummary, Period, PeriodKind, PeriodReport
from perfcheck.text import clean
from perfcheck.units import format_figure
from perfcheck.words import and_more, are_all, minute, plural

LONGEST_NAME = 120
LONGEST_TEXT = 2000
_LONGEST_LABEL = 60
_MAX_NAMES = 5
_NOTABLE_ERROR_RATE = 0.01  # a review has to mention it
NO_NAME = "(a blank name)"


def is_review(report: PeriodReport) -> bool:
    """A day or a week is a review point by point; a longer period has the chapters of a monthly report."""
    return report.period.kind in {PeriodKind.DAY, PeriodKind.WEEK}


def names(endpoints: Sequence[str]) -> str:
    """``a, b and 3 more``, without duplicates."""
    return and_more([clean(name, LONGEST_NAME) or NO_NAME for name in dict.fromkeys(endpoints)], _MAX_NAMES)


# --- Dates ---------------------------------------------------------------------------------------------------------


def title(period: Period) -> str:
    """``November 2026``, ``Week to 25 November 2026``, ``Release v2.6``."""
    begin, end = map(datetime.fromisoformat, (period.since, period.until))
    if period.kind is PeriodKind.RELEASE:
        return f"Release {clean(period.until_label or '', _LONGEST_LABEL)}"
    last = end - timedelta(milliseconds=1)
    if period.kind is PeriodKind.MONTH:
        return f"{begin:%B %Y}"
    if period.kind is PeriodKind.SPAN:
        return f"{begin.day} {begin:%B %Y} to {last.day} {last:%B %Y}"
    return f"{period.kind.capitalize()} to {last.day} {last:%B %Y}"


def span(period: Period) -> str:
    """The exact times, for the head of a report."""
    begin, end = map(datetime.fromisoformat, (period.since, period.until))
    if period.kind is PeriodKind.RELEASE:
        before, after = (clean(label or "", _LONGEST_LABEL) for label in (period.since_label, period.until_label))
        return f"after {before} ({minute(period.since)}), up to and including {after} ({minute(period.until)})"
    is_whole_month = _is_midnight(end) and end.day == 1
    subject = {
        PeriodKind.DAY: "the 24 hours",
        PeriodKind.WEEK: "the 7 days",
        PeriodKind.MONTH: "the calendar month" if is_whole_month else "the calendar month so far,",
        PeriodKind.SPAN: "the runs",
    }[period.kind]
    return f"{subject} from {_edge(begin)} to {_edge(end, is_end=True)}"


def _edge(time: datetime, *, is_end: bool = False) -> str:
    """A midnight at the end is written as the day before it."""
    if _is_midnight(time):
        shown = time - timedelta(days=1) if is_end else time
        return f"{shown.day} {shown:%B %Y}"
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def _is_midnight(time: datetime) -> bool:
    return (time.hour, time.minute, time.second) == (0, 0, 0)


def focus_heading(period: Period) -> str:
    """``Next Month Focus``."""
    return "Next Focus" if period.kind is PeriodKind.SPAN else f"Next {period.kind.capitalize()} Focus"


# --- Head ----------------------------------------------------------------------------------------------------------


def headline(report: PeriodReport) -> str:
    """One or two sentences: what changed, and the state now."""
    if not report.runs:
        return "No runs in this period."
    return " ".join([_what_changed(report), *_state_now(report), *_capacity_now(report)])


def _what_changed(report: PeriodReport) -> str:
    parts = []
    if report.regressions:
        parts.append(f"{plural(len(report.regressions), 'regression')} ({fate(report)})")
    parts += [plural(len(report.improvements), "improvement")] if report.improvements else []
    slower = sum(drift.kind is ChangeKind.GETTING_SLOWER for drift in report.drifts)
    parts += [f"{plural(slower, 'endpoint')} getting slower run by run"] if slower else []
    if not parts:
        runs = plural(report.runs, "run")
        unknown = _unknown(report)
        if len(unknown) == len(report.endpoints):
            return f"Cannot tell yet what changed, from {runs}."
        reserve = f"; cannot tell yet: {names(sorted({summary.name for summary in unknown}))}" if unknown else ""
        return f"No changes found in {runs}{reserve}."
    sentence = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"{sentence}, in {plural(report.runs, 'run')}."


def _unknown(report: PeriodReport) -> list[EndpointSummary]:
    return [summary for summary in report.endpoints if summary.changed is Changed.CANNOT_TELL]


def fate(report: PeriodReport) -> str:
    """Of the regressions: ``1 not resolved``, ``resolved``, ``apparently resolved``."""
    stands = sum(regression.stands for regression in report.regressions)
    if stands:
        return f"{stands} not resolved" if len(report.regressions) > 1 else "not resolved"
    return "resolved" if all(regression.resolved for regression in report.regressions) else "apparently resolved"


def within_limits(report: PeriodReport) -> tuple[int, int]:
    """How many endpoints are within their limits at the end, of how many; the capacity is none of them."""
    endpoints = {summary.name for summary in report.endpoints if not summary.unit.is_load}
    endpoints -= {gone.endpoint for gone in report.gone}
    return len(endpoints - {slow.endpoint for slow in report.slow}), len(endpoints)


def _state_now(report: PeriodReport) -> Iterator[str]:
    within, count = within_limits(report)
    slow = sorted({slow.endpoint for slow in report.slow if not slow.unit.is_load})
    if not count and not any(summary.unit.is_load for summary in report.endpoints):
        yield "Nothing was measured."
    elif slow:
        state = "is within its limits" if within == 1 or count == 1 else "are within their limits"
        yield f"{within} of {plural(count, 'endpoint')} {state} now; slow: {names(slow)}."
    elif count and not any(summary.target_ms for summary in report.endpoints if not summary.unit.is_load):
        yield f"{f'None of {count} endpoints has a' if count > 1 else 'The endpoint has no'} target now."
    elif count:
        yield f"{are_all(count, 'endpoint', 'within their limits')} now."


def _capacity_now(report: PeriodReport) -> Iterator[str]:
    """``The capacity is 42 users now; needed: 50 users.`` Of each series that goes on."""
    for summary in report.endpoints:
        if summary.unit.is_load and summary.is_current and summary.end_ms is not None:
            needed = f"; needed: {format_figure(summary.target_ms, summary.unit)}" if summary.target_ms else ""
            machine = f" on {clean(summary.machine, LONGEST_NAME)}" if len(report.machines) > 1 else ""
            yield f"The capacity{machine} is {format_figure(summary.end_ms, summary.unit)} now{needed}."


def facts(report: PeriodReport) -> Iterator[tuple[str, str]]:
    """Label and text."""
    yield "Period", span(report.period)
    if report.services:
        yield "Service", names(report.services)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in reversed(report.verdicts.items()))
    monitored = f", {report.monitor_runs} of them from the monitor" if report.monitor_runs else ""
    yield "Runs", f"{report.runs}" + (f" ({verdicts})" if report.runs else "") + monitored
    if report.first and report.last:
        yield "First and last run", f"{minute(report.first.started_at)}; {minute(report.last.started_at)}"
    if report.branch or report.other_branches:
        yield "Branch", clean(report.branch) if report.branch else "none: only runs without one"
    if report.commits:
        yield "Commits measured", str(report.commits)
    if report.machines:
        machines = [machine.machine for machine in report.machines]
        yield "Machine" if len(machines) == 1 else "Machines", names(machines)
    earlier = f"{plural(report.earlier_runs, 'run')} before the period" if report.earlier_runs else "no earlier runs"
    yield "Compared with", earlier


def caveats(report: PeriodReport) -> Iterator[str]:
    """What limits the value of the figures."""
    if report.other_branches:
        yield f"Left out: {with_options(report.other_branches)}."
    if report.incomplete_runs:
        yield f"Incomplete runs in the period: {report.incomplete_runs}."
    measured = [summary.name for summary in report.endpoints if summary.source is Source.MEASURED]
    if several := sorted({name for name in measured if measured.count(name) > 1}):
        yield (
            "Measured in several series (another machine, baseline or request), which are not compared with each "
            f"other: {names(several)}."
        )
    if any(summary.unit.is_load and summary.target_ms for summary in report.endpoints):
        yield "A capacity has to be over its target: its headroom is the share of it that is not needed."
    block = max((summary.block_runs for summary in report.endpoints), default=1)
    if block > 1:
        yield f"Changes were searched for in medians of {block} neighbouring runs."
    if few := sorted({summary.name for summary in _unknown(report)}):
        yield f"{_why_not_known(report)}: {names(few)}."
    if report.baseline.known_since:
        yield (
            f"The history of {clean(report.baseline.file)} is incomplete: this is a shallow clone without the commits "
            f"before {minute(report.baseline.known_since)}. To fetch them: git fetch --unshallow"
        )


def _why_not_known(report: PeriodReport) -> str:
    """``Too few runs to show a change, 2 to 5 more needed``."""
    known = sorted({summary.runs_needed for summary in _unknown(report) if summary.runs_needed})
    if not known:
        return "Runs that differ too much to show a change"
    more = f"{known[0]} more" if len(known) == 1 else f"{known[0]} to {known[-1]} more"
    return f"Too few runs to show a change, {more} needed"


def no_targets_changed(baseline: BaselineHistory) -> str:
    """Why there is no list of targets that changed."""
    if baseline.message:
        return f"Not known: {clean(baseline.message, LONGEST_TEXT)}."
    commits = f", in {plural(baseline.commits, 'commit')} of it" if baseline.commits else ""
    since = f" since {minute(baseline.known_since)}, where this shallow clone begins" if baseline.known_since else ""
    return f"No target changed in {clean(baseline.file)}{since}{commits}."


# --- Review --------------------------------------------------------------------------------------------------------


def checklist(report: PeriodReport) -> Iterator[tuple[str, str]]:
    """What a weekly review covers: label and answer."""
    slow = list(dict.fromkeys(slow.endpoint for slow in report.slow))
    over = f"{plural(len(slow), 'endpoint')} over the limits in the newest run: {names(slow)}"
    yield "Slow endpoints", over if slow else "none over its limits in its newest run"
    up, down, drifting = len(report.regressions), len(report.improvements), len(report.drifts)
    yield "Trends", f"{len(report.endpoints)} series read: {up} up, {down} down, {drifting} drifting"
    yield "Degradation", _degradation(report)
    yield "New endpoints", _new(report)
    yield "Documentation", _documentation(report)


def _degradation(report: PeriodReport) -> str:
    failing = [summary.name for summary in report.endpoints if (summary.error_rate or 0.0) > _NOTABLE_ERROR_RATE]
    lists = {
        "slower": [summary.name for summary in report.endpoints if summary.changed is Changed.SLOWER],
        "less consistent": [change.endpoint for change in report.consistency if change.ratio > 1],
        "errors over 1%": failing,
    }
    unknown = [summary.name for summary in _unknown(report)]
    found = _listed(lists) or ("" if unknown else "none in latency, consistency or error rate")
    return "; ".join(filter(None, [found, f"cannot tell yet: {names(unknown)}" if unknown else ""]))


def _new(report: PeriodReport) -> str:
    if not report.new:
        return "none"
    lists = {
        "not seen by the monitor": [new.endpoint for new in report.new if new.is_monitored is False],
        "without a target": [new.endpoint for new in report.new if not new.has_target],
    }
    return "; ".join(filter(None, [names([new.endpoint for new in report.new]), _listed(lists)]))


def _documentation(report: PeriodReport) -> str:
    changed = sorted({change.endpoint for change in report.baseline.changes})
    lists = {
        f"{plural(len(changed), 'endpoint')} with new targets": changed,
        "regressions without a note": [change.endpoint for change in report.regressions if not change.notes],
        "faster, with their old targets": [
            change.endpoint for change in report.improvements if change.endpoint not in changed
        ],
    }
    return _listed(lists) or "nothing to update"


def _listed(lists: dict[str, list[str]]) -> str:
    return "; ".join(f"{label}: {names(endpoints)}" for label, endpoints in lists.items() if endpoints)
