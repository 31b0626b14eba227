"""Endpoints in Markdown: a table of them, and a block for each that needs an explanation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from perfcheck.model import EndpointResult, Finding, Reference, Rule, Run, Verdict
from perfcheck.report.changes import Change
from perfcheck.report.comparison_words import change_interval, change_of, what_grew
from perfcheck.report.markdown.text import cell, code, prose, prose_cell, shorten_name, table
from perfcheck.report.wording import (
    LONGEST_TEXT,
    baseline_lines,
    evidence,
    interval,
    is_undecided,
    measured,
    needs_attention,
    ratio_to_target,
    reasons,
    remedies,
    rerun,
    where_the_time_went,
)
from perfcheck.units import format_ms, format_percentage, format_size, format_slower

SIGNS = {Verdict.OK: "🟢", Verdict.WARNING: "🟡", Verdict.CRITICAL: "🔴", Verdict.NOT_MEASURED: "⚪"}
_WIDTH_IN_TABLE = 48
_WIDTH_IN_HEADING = 120
_LONGEST_REASON = 72
_LONGEST_REQUEST = 400
_RIGHT = {"measured ms", "interval", "target", "ratio", "before ms", "now ms"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """With an earlier run."""

    changed: dict[str, Change]
    added: frozenset[str]  # the names of endpoints that it did not have

    def cell(self, name: str) -> str:
        """``was 640 (+27%)``; ``new`` for an endpoint that the earlier run did not have."""
        if name in self.added:
            return "new"
        return _was(self.changed[name], unit=False) if name in self.changed else "-"


def _was(change: Change, *, unit: bool) -> str:
    return f"was {format_ms(change.before_ms, unit=unit)} ({change.text})"


_AGAINST_TARGET: dict[str, Callable[[EndpointResult], str]] = {
    "measured ms": measured,
    "interval": interval,
    "target": lambda one: format_ms(one.target_ms, unit=False),
    "ratio": ratio_to_target,
}
_BEFORE_AND_NOW: dict[str, Callable[[EndpointResult], str]] = {
    "before ms": lambda one: format_ms(one.target_ms, unit=False),
    "now ms": measured,
    "change": change_of,
    "interval": change_interval,
}


def rows(
    results: Sequence[EndpointResult], comparison: Comparison | None, *, with_verdict: bool
) -> tuple[str, list[str]]:
    """The head of a table and its rows, each with the end of its line."""
    compared = any(one.promise is Reference.BEFORE for one in results)
    columns: dict[str, Callable[[EndpointResult], str]] = {
        "endpoint": lambda one: cell(shorten_name(one.name, _WIDTH_IN_TABLE)),
        **(_BEFORE_AND_NOW if compared else _AGAINST_TARGET),
    }
    if with_verdict:
        columns = {"verdict": lambda one: f"{SIGNS[one.verdict]} {one.verdict}", **columns}
    if any(one.critical_path for one in results) and comparison is not None:
        columns = {"path": lambda one: "critical" if one.critical_path else "", **columns}
    if comparison is not None:
        columns["change"] = lambda one: comparison.cell(one.name)
    columns["why" if with_verdict else "note"] = _in_short
    lines = table(list(columns), _RIGHT, [[column(one) for column in columns.values()] for one in results])
    return "\n".join(lines[:2]) + "\n", [line + "\n" for line in lines[2:]]


def _in_short(result: EndpointResult) -> str:
    """Why the verdict is what it is, or what else there is to know, as short as the row allows."""
    findings = reasons(result) if needs_attention(result) else list(result.findings)
    phrases = dict.fromkeys(_phrase(finding) for finding in findings)
    said = "; ".join([*phrases, *(["undecided"] if is_undecided(result) else [])])
    return prose_cell(said, _LONGEST_REASON) if said else "-"


def _phrase(finding: Finding) -> str:
    if finding.limit is not None:
        if finding.rule is Rule.SLOWER and finding.value is not None:
            return f"{format_slower(finding.value)}, over {format_percentage(finding.limit - 1)}"
        if finding.rule is Rule.OVER_TARGET:
            return f"over its target of {format_ms(finding.limit)}"
        if finding.rule is Rule.NEW_SLOW_ENDPOINT:
            return f"over {format_ms(finding.limit)}, {'without a target' if finding.line else 'not in the baseline'}"
        if finding.rule.is_about_latency:
            return (
                f"over {'the ceiling' if finding.rule is Rule.CEILING else 'its limit'} of {format_ms(finding.limit)}"
            )
        if finding.rule is Rule.ERROR_RATE and finding.value is not None:
            return f"{format_percentage(finding.value)} of the requests fail"
        if finding.rule is Rule.BODY_SIZE and finding.value is not None:
            return f"body over {format_size(int(finding.limit))}"
    return finding.message


def blocks(run: Run, results: Sequence[EndpointResult], comparison: Comparison | None) -> Iterator[str]:
    """What explains each verdict, with a blank line before it; a remedy for latency is told once."""
    told: set[str] = set()
    for result in results:
        verdict = f"{SIGNS[result.verdict]} {result.verdict}{', undecided' if is_undecided(result) else ''}"
        heading = f"\n#### {verdict}: {code(shorten_name(result.name, _WIDTH_IN_HEADING))}\n\n"
        yield heading + "".join(
            f"- **{label}**: {text}\n" for label, text in _explanation(run, result, comparison, told)
        )


def _explanation(
    run: Run, result: EndpointResult, comparison: Comparison | None, told: set[str]
) -> Iterator[tuple[str, str]]:
    """Labels and Markdown; ``told`` are remedies that stand in a block above already."""
    yield "request", code(f"{result.method} {result.url}", _LONGEST_REQUEST)
    for finding in result.findings:
        if finding.rule is not Rule.UNDECIDED:
            yield "why" if finding in reasons(result) else "note", prose(finding.message, LONGEST_TEXT)
    if comparison is not None and (change := comparison.changed.get(result.name)):
        yield "change", f"{format_ms(change.now_ms)}, {_was(change, unit=True)}"
    if where := where_the_time_went(result):
        yield "where", prose(where, LONGEST_TEXT)
    if grown := what_grew(result):
        yield "grew", prose(grown, LONGEST_TEXT)
    if seen := evidence(result):
        yield "evidence", prose(seen, LONGEST_TEXT)
    for remedy in remedies(result, told):
        yield "help", prose(remedy, LONGEST_TEXT)
    if lines := baseline_lines(result):
        yield "baseline", ", ".join(code(f"{run.baseline.file}:{line}") for line in lines)
    yield "rerun", code(rerun(run, result.name), LONGEST_TEXT)
