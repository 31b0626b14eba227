"""What the reports of a period say, in words and figures: one wording for all of them. Says; never judges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perfcheck.history import Note
from perfcheck.model import Changed, Metric, Source
from perfcheck.period import (
    ChangeKind,
    ConsistencyChange,
    EndpointSummary,
    Focus,
    GoneEndpoint,
    LatencyChange,
    NewEndpoint,
    PeriodReport,
    RankedBy,
    Recovery,
    SlowEndpoint,
    TargetChange,
)
from perfcheck.report.period.dates import minute, run_in_words, short_commit, span
from perfcheck.text import clean
from perfcheck.units import format_ms, format_multiple, format_percentage

LONGEST_NAME = 120
LONGEST_TEXT = 2000
_MANIFOLD = 3.0  # from here on a multiple says more than a percentage
_LEAST_CHANCE = 1e-6
_LONGEST_LIST = 5


def some(count: int, one: str, many: str | None = None) -> str:
    """``1 run``, ``3 runs``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def named(names: Sequence[str]) -> str:
    """``a, b and 3 more``."""
    shown = [clean(name, LONGEST_NAME) or "(blank)" for name in dict.fromkeys(names)]
    if len(shown) > _LONGEST_LIST:
        return f"{', '.join(shown[:_LONGEST_LIST])} and {len(shown) - _LONGEST_LIST} more"
    return ", ".join(shown)


# --- The whole -----------------------------------------------------------------------------------------------------


def headline(report: PeriodReport) -> str:
    """One or two sentences: what changed, and how it stands now."""
    if not report.runs:
        return "There is no run in this period."
    return f"{_what_changed(report)} {_how_it_stands(report)}"


def _what_changed(report: PeriodReport) -> str:
    parts = []
    if report.regressions:
        parts.append(f"{some(len(report.regressions), 'regression')} ({fate(report)})")
    parts += [some(len(report.improvements), "improvement")] if report.improvements else []
    slower = [one for one in report.drifts if one.kind is ChangeKind.GETTING_SLOWER]
    parts += [f"{some(len(slower), 'endpoint')} getting slower run by run"] if slower else []
    if not parts:
        return f"No endpoint changed its level, in {some(report.runs, 'run')}."
    told = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"{told[0].upper()}{told[1:]}, in {some(report.runs, 'run')}."


def fate(report: PeriodReport) -> str:
    """Of the regressions: ``1 not resolved``, ``resolved``, ``back to what it was``."""
    stands = sum(one.stands for one in report.regressions)
    if stands:
        return f"{stands} not resolved" if len(report.regressions) > 1 else "not resolved"
    return "resolved" if all(one.resolved for one in report.regressions) else "seemingly over"


def _how_it_stands(report: PeriodReport) -> str:
    names = {one.name for one in report.endpoints} - {one.endpoint for one in report.gone}
    slow = {one.endpoint for one in report.slow}
    if not names:
        return "Nothing was measured."
    if slow:
        told = f"{len(names - slow)} of {some(len(names), 'endpoint')} are within their limits now"
        return f"{told}; slow: {named(sorted(slow))}."
    return f"All {len(names)} endpoints are within their limits now." if len(names) > 1 else "It is within its limits."


def verdict_mix(report: PeriodReport) -> str:
    """``28 OK, 2 WARNING``."""
    return ", ".join(f"{count} {verdict}" for verdict, count in reversed(report.verdicts.items()))


def facts(report: PeriodReport) -> Iterator[tuple[str, str]]:
    """For the head, label and text."""
    yield "Period", span(report.period)
    if report.services:
        yield "Service", named(report.services)
    monitored = f", {report.monitor_runs} of them readings of the monitor" if report.monitor_runs else ""
    mix = f" ({verdict_mix(report)})" if report.runs else ""
    yield "Runs", f"{report.runs}{mix}{monitored}"
    if report.first and report.last:
        yield "First and last", f"{minute(report.first.started_at)}; {minute(report.last.started_at)}"
    if report.commits:
        yield "Commits measured", str(report.commits)
    if report.machines:
        yield "Machine" if len(report.machines) == 1 else "Machines", named([one.machine for one in report.machines])
    yield (
        "Compared with",
        f"{some(report.earlier_runs, 'run')} before the period" if report.earlier_runs else "no earlier run",
    )


def caveats(report: PeriodReport) -> Iterator[str]:
    """What the reader must know of how much the figures are worth."""
    if report.incomplete_runs:
        yield f"{some(report.incomplete_runs, 'run')} of the period could not measure everything."
    several = [one.name for one in report.endpoints if one.source is Source.MEASURED]
    twice = sorted({name for name in several if several.count(name) > 1})
    if twice:
        yield (
            f"{some(len(twice), 'endpoint')} measured in several series (another machine, baseline or request), "
            f"which are not compared with one another: {named(twice)}."
        )
    block = max((one.block_runs for one in report.endpoints), default=1)
    if block > 1:
        yield f"Changes were looked for in medians of {block} neighbouring runs."
    few = sorted({one.name for one in report.endpoints if one.changed is Changed.CANNOT_TELL})
    if few:
        yield f"Too few runs to find a change, of: {named(few)}."


# --- One endpoint --------------------------------------------------------------------------------------------------


def metric_name(metric: Metric) -> str:
    return "mean" if metric is Metric.MEAN else str(metric)


def of_machine(report: PeriodReport, machine: str) -> str:
    """`` on Linux x86_64, 2 CPUs`` where there are several."""
    return f" on {clean(machine, LONGEST_NAME)}" if len(report.machines) > 1 else ""


def which_series(report: PeriodReport, one: EndpointSummary) -> str:
    """What tells it from others of the same name: by the monitor, on a machine, or one of several there."""
    others = [other for other in report.endpoints if other.name == one.name and other is not one]
    told = ["by the monitor"] if one.source is Source.MONITORED else []
    alike = [other for other in others if other.source is one.source]
    if any(other.machine != one.machine for other in alike):
        told.append(f"on {clean(one.machine, LONGEST_NAME)}")
    if any(other.machine == one.machine for other in alike):
        told.append(f"series {clean(one.series, 8)}")
    return ", ".join(told)


def short_name(name: str) -> str:
    """Cut in the middle: names share their beginnings, and differ at their ends."""
    shown = clean(name, len(name) + 1)
    half = LONGEST_NAME // 2
    return (
        shown if 0 < len(shown) <= LONGEST_NAME else f"{shown[:half]}...{shown[-half:]}" if shown else "(a blank name)"
    )


def percent_change(ratio: float) -> str:
    """``+31 %``, ``-20 %``, ``3.4x``."""
    return format_multiple(ratio) if ratio >= _MANIFOLD else f"{(ratio - 1) * 100:+.0f} %"


def slower_by(ratio: float) -> str:
    """``31 % slower``, ``20 % faster``, ``3.4x slower``."""
    if ratio >= _MANIFOLD:
        return f"{format_multiple(ratio)} as slow"
    return f"{abs(ratio - 1) * 100:.0f} % {'slower' if ratio >= 1 else 'faster'}"


def changed(one: EndpointSummary) -> str:
    """For a table: as far as a change was found."""
    if one.changed is Changed.CANNOT_TELL:
        return "too few runs"
    if one.changed is Changed.NO_CHANGE or one.ratio is None:
        return "back" if one.steps > 1 else "none"
    return percent_change(one.ratio)


def from_to(before: float | None, after: float | None) -> str:
    """``212 to 281`` in milliseconds; once, where they look the same."""
    ends = dict.fromkeys(format_ms(value, unit=False) for value in (before, after) if value is not None)
    return " to ".join(ends) or "-"


def spreads(one: EndpointSummary) -> str:
    values = [value for value in (one.begin_spread, one.end_spread) if value is not None]
    return " to ".join(dict.fromkeys(f"{value * 100:.0f}" for value in values)) + " %" if values else "-"


def errors(one: EndpointSummary) -> str:
    return "-" if one.error_rate is None else "0" if not one.error_rate else format_percentage(one.error_rate)


def headroom(fraction: float | None) -> str:
    """``42 %`` of the target are left; below 0 it is over it."""
    return "-" if fraction is None else f"{fraction * 100:.0f} %"


def requests(one: EndpointSummary) -> str:
    return (
        f"{one.requests}"
        if one.traffic is None or one.source is Source.MONITORED
        else f"{one.requests}, {one.traffic} by others"
    )


# --- Changes -------------------------------------------------------------------------------------------------------


def change_in_words(one: LatencyChange) -> str:
    """``median from 212 ms to 281 ms, 33 % slower``."""
    figures = f"from {format_ms(one.before_ms)} to {format_ms(one.after_ms, beside=one.before_ms)}"
    return f"{metric_name(one.metric)} {figures}, {slower_by(one.ratio)}"


def where(one: LatencyChange) -> str:
    """Which run began it, and which was the last before."""
    if one.kind in {ChangeKind.GETTING_SLOWER, ChangeKind.GETTING_FASTER}:
        return f"run by run since {run_in_words(one.at)}"
    before = f"; the last before it: {run_in_words(one.previous)}" if one.previous else ""
    early = ", before this period began" if one.began_before else ""
    return f"since {run_in_words(one.at)}{early}{before}"


def chance(score: float | None, probability: float | None) -> str:
    """How sure it is."""
    if score is None or probability is None:
        return "a slow change, with no step in it; told by the fit of a line and without a stated error probability"
    bound = max(probability, _LEAST_CHANCE) * 100
    return f"{score:.1f} standard deviations of a rank test; by chance with a probability of at most {bound:.2g} %"


def outcome(one: LatencyChange) -> str:
    """Of a regression: whether it is resolved, and how it stands."""
    if one.resolved is not None:
        return f"resolved by {run_in_words(one.resolved)}; {format_ms(one.now_ms)} now"
    if not one.stands:
        return f"seemingly over: {format_ms(one.now_ms)} in the newest runs, which are too few to be certain"
    ratio = one.now_ms / one.before_ms
    return (
        f"not resolved: {format_ms(one.now_ms)} now, {slower_by(ratio)} {'as' if ratio >= _MANIFOLD else 'than'} before"
    )


def against_target(value_ms: float | None, target_ms: float | None) -> str:
    """``0.82x its target of 300 ms``."""
    if not target_ms:
        return "without a target"
    if value_ms is None:
        return f"target {format_ms(target_ms)}"
    return f"{_two_digits(value_ms / target_ms)} its target of {format_ms(target_ms)}"


def _two_digits(ratio: float) -> str:
    """``0.62x``; never rounded to 1."""
    shown = f"{ratio:.2f}x"
    return format_multiple(ratio, beside=1.0) if shown == "1.00x" else shown


def note_lines(note: Note) -> Iterator[tuple[str, str]]:
    yield "incident", clean(note.incident, LONGEST_TEXT)
    if note.cause:
        yield "cause", clean(note.cause, LONGEST_TEXT)
    if note.fix:
        yield "fix", clean(note.fix, LONGEST_TEXT)


def no_note(one: LatencyChange) -> str:
    return f"nothing is written down yet; 'perfcheck history note' takes the run {clean(one.at.run_id[:8])}"


def consistency_in_words(one: ConsistencyChange) -> str:
    less = "less consistent" if one.ratio > 1 else "more consistent"
    figures = f"from {one.before_spread * 100:.0f} % to {one.after_spread * 100:.0f} %"
    return f"{less}: the middle half of the requests spreads {figures} of the median, since {run_in_words(one.at)}"


# --- How it stands -------------------------------------------------------------------------------------------------


def slow_in_words(one: SlowEndpoint) -> str:
    value = "" if one.value_ms is None else f"{metric_name(one.metric)} {format_ms(one.value_ms)}, "
    failing = f"{format_percentage(one.error_rate)} of requests fail, " if one.error_rate else ""
    if one.is_always:
        since = f"in every run that was read, {one.runs}"
    elif one.runs > 1:
        since = f"{one.runs} runs in a row, since {run_in_words(one.since)}"
    else:
        since = "in the newest run only"
    return f"{failing}{value}{against_target(one.value_ms, one.target_ms)}; {since}"


def recovery_in_words(one: Recovery) -> str:
    return f"OK again since {run_in_words(one.ended)}, after {some(one.runs, 'run')} at worst {one.worst}"


def new_in_words(one: NewEndpoint) -> str:
    value = f", {format_ms(one.value_ms)} now" if one.value_ms is not None else ""
    target = "" if one.has_target else ", without a target"
    seen = {None: "", True: ", seen by the monitor", False: ", not seen by the monitor"}[one.is_monitored]
    return f"first in {run_in_words(one.first)}{value}{target}{seen}"


def gone_in_words(one: GoneEndpoint) -> str:
    return f"last in {run_in_words(one.last)}; {some(one.runs_since, 'run')} since without it"


def target_in_words(one: TargetChange) -> str:
    """``target from 300 ms to 250 ms``."""
    if one.before_ms is None:
        return f"{one.key} set to {format_ms(one.after_ms)}"
    if one.after_ms is None:
        return f"{one.key} of {format_ms(one.before_ms)} taken away"
    return f"{one.key} from {format_ms(one.before_ms)} to {format_ms(one.after_ms)}"


def commit_of(one: TargetChange) -> str:
    return short_commit(one.commit)


# --- Next ----------------------------------------------------------------------------------------------------------


def ranked_by(report: PeriodReport) -> str:
    if report.ranked_by is RankedBy.TIME:
        return (
            "Ranked by the time that all callers lost: milliseconds lost, times the requests that the monitor counted."
        )
    why = (
        "" if any(one.traffic is not None for one in report.focus) else "; the monitor's count of requests is not known"
    )
    if any(one.traffic is not None for one in report.focus) and not all(
        one.traffic is not None for one in report.focus
    ):
        why = "; the monitor counted the requests of some only"
    return f"Ranked by headroom lost, as a share of the target{why}."


def focus_in_words(one: Focus) -> str:
    parts = [f"{format_ms(one.end_ms)}, {against_target(one.end_ms, one.target_ms)}"]
    if one.lost_ms:
        verb = "lost in the period" if one.changed is Changed.SLOWER else "over its target"
        parts.append(f"{format_ms(one.lost_ms)} {verb}")
    if one.lost_time_s is not None and one.traffic:
        parts.append(f"{_hours(one.lost_time_s)} of its callers' time in {one.traffic} requests")
    return "; ".join(parts)


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours >= 1 else f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.1f} s"  # noqa: PLR2004
