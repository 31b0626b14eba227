"""What was found in a period, each in words: changes and how they ended, how it stands, what comes next."""

from __future__ import annotations

from collections.abc import Iterator

from perfcheck.history.model import Note
from perfcheck.model import Changed
from perfcheck.periods.model import (
    ChangeKind,
    ConsistencyChange,
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
from perfcheck.periods.report.dates import run_in_words, short_commit
from perfcheck.periods.report.figures import MANIFOLD, metric_name, slower_by
from perfcheck.periods.report.wording import LONGEST_TEXT, some
from perfcheck.text import clean
from perfcheck.units import format_ms, format_multiple, format_percentage

_LEAST_CHANCE = 1e-6


def change_in_words(one: LatencyChange) -> str:
    """``median from 212 ms to 281 ms, 33% slower``."""
    figures = f"from {format_ms(one.before_ms)} to {format_ms(one.after_ms, distinct_from=one.before_ms)}"
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
    return f"{score:.1f} standard deviations of a rank test; by chance with a probability of at most {bound:.2g}%"


def outcome(one: LatencyChange) -> str:
    """Of a regression: whether it is resolved, and how it stands."""
    if one.resolved is not None:
        return f"resolved by {run_in_words(one.resolved)}; {format_ms(one.now_ms)} now"
    if not one.stands:
        return f"seemingly over: {format_ms(one.now_ms)} in the newest runs, which are too few to be certain"
    ratio = one.now_ms / one.before_ms
    return (
        f"not resolved: {format_ms(one.now_ms)} now, {slower_by(ratio)} {'as' if ratio >= MANIFOLD else 'than'} before"
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
    return format_multiple(ratio, distinct_from=1.0) if shown == "1.00x" else shown


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
    figures = f"from {one.before_spread * 100:.0f}% to {one.after_spread * 100:.0f}%"
    return f"{less}: the middle half of the requests spreads {figures} of the median, since {run_in_words(one.at)}"


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
