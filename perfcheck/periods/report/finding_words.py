"""The findings and figures of a period in words, the same for all its reports."""

from __future__ import annotations

from collections.abc import Iterator

from perfcheck.history.model import Note
from perfcheck.model import Changed, Source, Unit, Verdict, change_ratio
from perfcheck.periods.model import (
    ChangeKind,
    ConsistencyChange,
    EndpointSummary,
    Focus,
    FormingChange,
    GoneEndpoint,
    LatencyChange,
    NewEndpoint,
    PeriodReport,
    RankedBy,
    Recovery,
    RunReference,
    SlowEndpoint,
    TargetChange,
)
from perfcheck.periods.report.period_words import LONGEST_NAME, LONGEST_TEXT
from perfcheck.stats.trend import MOST_RUNS_OF_INCIDENT
from perfcheck.text import clean
from perfcheck.units import (
    format_change,
    format_figure,
    format_from_to,
    format_multiple,
    format_percentage,
    format_slower,
)
from perfcheck.words import cannot_tell, minute, plural, short_commit, short_run

_LEAST_CHANCE = 1e-6
_LONGEST_LABEL = 60
ARROW = "->"  # in all texts here; a report may show another one
_SECONDS_PER_MINUTE, _SECONDS_PER_HOUR = 60, 3600


def run_text(run: RunReference) -> str:
    """``18 June 2026, 03:00 UTC, v2.6, commit 0123abcdef``."""
    label = f", {clean(run.label, _LONGEST_LABEL)}" if run.label else ""
    commit = f", commit {short_commit(run.commit)}" if run.commit else ""
    return f"{minute(run.started_at)}{label}{commit}"


def from_to(before: float | None, after: float | None, unit: Unit) -> str:
    """``212 -> 281``, in milliseconds; once, where they look the same. ``512 kB -> 1.2 MB``."""
    ends = dict.fromkeys(format_figure(value, unit, in_ms=True) for value in (before, after) if value is not None)
    return f" {ARROW} ".join(ends) or "-"


# --- Changes -------------------------------------------------------------------------------------------------------


def change_text(change: LatencyChange) -> str:
    """``median 212 -> 281 ms, 33% slower``."""
    both = format_from_to(change.before_ms, change.after_ms, change.unit)
    return f"{change.metric} {both}, {format_slower(change.ratio, unit=change.unit)}"


def change_begin(change: LatencyChange) -> str:
    """The run that began it, and the last one before."""
    if change.kind in {ChangeKind.GETTING_SLOWER, ChangeKind.GETTING_FASTER}:
        return f"run by run since {run_text(change.at)}"
    early = ", before this period" if change.began_before else ""
    previous = f"; previous run: {run_text(change.previous)}" if change.previous else ""
    return f"since the run of {run_text(change.at)}{early}{previous}"


def evidence(change: LatencyChange) -> str:
    if change.score is None or change.error_probability is None:
        return "gradual, without a step: found by fitting a line, without a stated error probability"
    bound = max(change.error_probability, _LEAST_CHANCE) * 100
    return f"{change.score:.1f} standard deviations; chance at most {bound:.2g}%"


def outcome(change: LatencyChange) -> str:
    """Of a regression: whether it is resolved, and the level now."""
    now = format_figure(change.now_ms, change.unit)
    if change.resolved is not None and change.lasted_runs is not None:
        lasted = plural(change.lasted_runs, "run")
        kind = f"an incident of {lasted}" if change.lasted_runs <= MOST_RUNS_OF_INCIDENT else f"after {lasted}"
        return f"resolved by the run of {run_text(change.resolved)}, {kind}; {now} now"
    if not change.stands:
        return f"apparently resolved: {now} in the newest runs, which are too few to be certain"
    slower = format_slower(change_ratio(change.now_ms, change.before_ms), than="before", unit=change.unit)
    return f"not resolved: {now} now, {slower}"


def note_lines(note: Note) -> Iterator[tuple[str, str]]:
    for label, text in (("incident", note.incident), ("cause", note.cause), ("fix", note.fix)):
        if text:
            yield label, clean(text, LONGEST_TEXT)


def no_note(change: LatencyChange) -> str:
    return f"none yet; record one: perfcheck history note {short_run(change.at.run_id)}"


# --- What got better and worse -------------------------------------------------------------------------------------


def better_changes(report: PeriodReport) -> list[LatencyChange]:
    return [*report.improvements, *(drift for drift in report.drifts if drift.kind is ChangeKind.GETTING_FASTER)]


def worse_changes(report: PeriodReport) -> list[LatencyChange]:
    """What is resolved comes last."""
    drifts = [drift for drift in report.drifts if drift.kind is ChangeKind.GETTING_SLOWER]
    return sorted([*report.regressions, *drifts], key=lambda change: change.resolved is not None)


def is_worse(forming: FormingChange) -> bool:
    return forming.unit.worsening(forming.ratio) > 1


def better_items(report: PeriodReport) -> Iterator[tuple[str, str]]:
    """What else got better, or may have: endpoint and text."""
    yield from ((forming.endpoint, forming_text(forming)) for forming in report.forming if not is_worse(forming))
    yield from ((change.endpoint, consistency_text(change)) for change in report.consistency if change.ratio < 1)
    yield from ((recovery.endpoint, recovery_text(recovery)) for recovery in report.recoveries)


def worse_items(report: PeriodReport) -> Iterator[tuple[str, str]]:
    """What else got worse, or may have: endpoint and text."""
    yield from ((forming.endpoint, forming_text(forming)) for forming in report.forming if is_worse(forming))
    yield from ((change.endpoint, consistency_text(change)) for change in report.consistency if change.ratio > 1)


def note_items(report: PeriodReport) -> Iterator[tuple[str, str]]:
    """The notes that belong to no change: ``Note on run 5e0cbd2e`` and the text."""
    for note in report.other_notes:
        subject = f"run {short_run(note.run_id)}" if note.run_id else f"commit {short_commit(note.commit or '')}"
        yield f"Note on {subject}", "; ".join(f"{label}: {text}" for label, text in note_lines(note))


def forming_text(forming: FormingChange) -> str:
    """``median 20 -> 55 ms in the newest 2 runs; cannot tell yet: 1 more run at this level``."""
    newest = f"in the newest {plural(forming.runs, 'run')}" if forming.runs > 1 else "in the newest run"
    change = f"{forming.metric} {format_from_to(forming.before_ms, forming.after_ms, forming.unit)} {newest}"
    return f"{change}; {cannot_tell(forming.runs_needed)} at this level"


def consistency_text(change: ConsistencyChange) -> str:
    less = "less consistent" if change.ratio > 1 else "more consistent"
    spread = f"spread {change.before_spread * 100:.0f} {ARROW} {change.after_spread * 100:.0f}% of the median"
    return f"{less}: {spread}, since the run of {run_text(change.at)}"


# --- The state at the end ------------------------------------------------------------------------------------------


def compared_with_target(value: float | None, target: float | None, unit: Unit) -> str:
    """``0.82x its target of 300 ms``."""
    if not target:
        return "no target"
    if value is None:
        return f"target {format_figure(target, unit)}"
    shown = f"{value / target:.2f}x"
    if shown == "1.00x":  # never rounded to 1
        shown = format_multiple(value / target, distinct_from=1.0)
    return f"{shown} its target of {format_figure(target, unit)}"


def of_target(summary: EndpointSummary) -> str:
    """``246 of 300 ms``; of a capacity ``60 users, 50 users needed``."""
    end, target = (format_figure(value, summary.unit, in_ms=True) for value in (summary.end_ms, summary.target_ms))
    if summary.unit.is_load:
        return f"{end}, {target} needed"
    return f"{end} of {target}{' ms' * (summary.unit is Unit.TIME)}"


def slow_text(slow: SlowEndpoint) -> str:
    value = "" if slow.value_ms is None else f"{slow.metric} {format_figure(slow.value_ms, slow.unit)}, "
    failing = f"{format_percentage(slow.error_rate)} of requests fail, " if slow.error_rate else ""
    if slow.is_always:
        since = f"in all runs that were read ({slow.runs})"
    elif slow.runs > 1:
        since = f"{slow.runs} runs in a row, since the run of {run_text(slow.since)}"
    else:
        since = "in the newest run only"
    not_proven = ", not proven" if slow.unit.is_load and slow.verdict is Verdict.WARNING else ""
    return f"{failing}{value}{compared_with_target(slow.value_ms, slow.target_ms, slow.unit)}{not_proven}; {since}"


def recovery_text(recovery: Recovery) -> str:
    runs = plural(recovery.runs, "run")
    return f"OK again since the run of {run_text(recovery.ended)}, after {runs}, {recovery.worst} at worst"


def new_text(new: NewEndpoint) -> str:
    value = f", {format_figure(new.value_ms, new.unit)} now" if new.value_ms is not None else ""
    target = "" if new.has_target else ", without a target"
    seen = {None: "", True: ", seen by the monitor", False: ", not seen by the monitor"}[new.is_monitored]
    return f"first in the run of {run_text(new.first)}{value}{target}{seen}"


def gone_text(gone: GoneEndpoint) -> str:
    return f"last in the run of {run_text(gone.last)}; {plural(gone.runs_since, 'run')} since without it"


def target_text(change: TargetChange) -> str:
    """``target 300 -> 250 ms``."""
    if change.before_ms is None:
        return f"{change.key} set to {format_figure(change.after_ms, change.unit)}"
    if change.after_ms is None:
        return f"{change.key} of {format_figure(change.before_ms, change.unit)} removed"
    return f"{change.key} {format_from_to(change.before_ms, change.after_ms, change.unit)}"


def ranking_text(report: PeriodReport) -> str:
    if report.ranked_by is RankedBy.TIME:
        return "Ranked by the time that callers lost: milliseconds lost times the requests that the monitor counted."
    known = [focus.traffic is not None for focus in report.focus]
    if all(known):
        reason = ""
    elif any(known):
        reason = "; the monitor has request counts for some of them only"
    else:
        reason = "; request counts of the monitor are not available"
    return f"Ranked by headroom lost, as a share of the target{reason}."


def focus_text(focus: Focus) -> str:
    relation = compared_with_target(focus.end_ms, focus.target_ms, focus.unit)
    parts = [f"{format_figure(focus.end_ms, focus.unit)}, {relation}"]
    if focus.lost_ms:
        beyond = "below its target" if focus.unit.is_load else "over its target"
        reason = "lost in the period" if focus.changed is Changed.SLOWER else beyond
        parts.append(f"{format_figure(focus.lost_ms, focus.unit)} {reason}")
    if focus.lost_time_s is not None and focus.traffic:
        parts.append(f"{_time_text(focus.lost_time_s)} of its callers' time in {plural(focus.traffic, 'request')}")
    return "; ".join(parts)


def _time_text(seconds: float) -> str:
    if seconds >= _SECONDS_PER_HOUR:
        return f"{seconds / _SECONDS_PER_HOUR:.1f} h"
    return f"{seconds / _SECONDS_PER_MINUTE:.1f} min" if seconds >= _SECONDS_PER_MINUTE else f"{seconds:.1f} s"


# --- The figures of one endpoint -----------------------------------------------------------------------------------


def change_figure(summary: EndpointSummary) -> str:
    """For a table: the change, where one was found."""
    if summary.changed is Changed.CANNOT_TELL:
        return "cannot tell yet"
    if summary.changed is Changed.NO_CHANGE or summary.ratio is None:
        return "back" if summary.steps > 1 else "none"
    return format_change(summary.ratio)


def spread_figure(summary: EndpointSummary) -> str:
    ends = [f"{spread * 100:.0f}" for spread in (summary.begin_spread, summary.end_spread) if spread is not None]
    return f" {ARROW} ".join(dict.fromkeys(ends)) + "%" if ends else "-"


def error_figure(summary: EndpointSummary) -> str:
    if summary.error_rate is None:
        return "-"
    return format_percentage(summary.error_rate) if summary.error_rate else "0"


def headroom_figure(summary: EndpointSummary) -> str:
    return "-" if summary.end_headroom is None else f"{summary.end_headroom * 100:.0f}%"


def request_figure(summary: EndpointSummary) -> str:
    if summary.traffic is None or summary.source is Source.MONITORED:
        return f"{summary.requests:,}"
    return f"{summary.requests:,}, {summary.traffic:,} by others"


def series_label(report: PeriodReport, summary: EndpointSummary) -> str:
    """What distinguishes it from others of the same name: the monitor, the machine, or one of several there."""
    others = [other for other in report.endpoints if other.name == summary.name and other is not summary]
    machines = {other.machine for other in others if other.source is summary.source}
    parts = ["by the monitor"] if summary.source is Source.MONITORED else []
    parts += [f"on {clean(summary.machine, LONGEST_NAME)}"] if machines - {summary.machine} else []
    parts += [f"series {short_run(summary.series)}"] if summary.machine in machines else []
    return ", ".join(parts)


def machine_label(report: PeriodReport, machine: str) -> str:
    """`` on Linux x86_64, 2 CPUs`` where there are several."""
    return f" on {clean(machine, LONGEST_NAME)}" if len(report.machines) > 1 else ""
