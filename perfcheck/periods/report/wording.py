"""What the reports of a period say of the whole, one wording for all of them. Says; never judges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perfcheck.model import Changed, Source
from perfcheck.periods.model import ChangeKind, PeriodReport
from perfcheck.periods.report.dates import minute, span
from perfcheck.text import clean

LONGEST_NAME = 120
LONGEST_TEXT = 2000
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


def short_name(name: str) -> str:
    """Cut in the middle: names share their beginnings, and differ at their ends."""
    shown = clean(name, len(name) + 1)
    half = LONGEST_NAME // 2
    return (
        shown if 0 < len(shown) <= LONGEST_NAME else f"{shown[:half]}...{shown[-half:]}" if shown else "(a blank name)"
    )
