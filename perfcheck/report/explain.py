"""What explains the verdict of an endpoint, as labelled lines: every report renders these, or a choice of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from perfcheck.model import (
    PROOF,
    EarlierRun,
    EndpointResult,
    Finding,
    Metric,
    Reference,
    Rule,
    Run,
    Severity,
    Unit,
    Verdict,
)
from perfcheck.report.causes import likely_cause, slow_step, where_the_time_went
from perfcheck.report.figures import (
    change_interval,
    change_text,
    compared_samples,
    interval,
    interval_in_words,
    page_text,
    part_name,
    request_text,
    step_text,
)
from perfcheck.report.slow_statements import slow_statements
from perfcheck.text import clean, is_link
from perfcheck.units import format_figure, format_from_to, format_ms, format_percentage, format_size, format_slower
from perfcheck.words import plural

LONGEST_TEXT = 2000
_TRACE_ID = "{trace_id}"
_MOST_STEPS = 20


class Label(StrEnum):
    """In the order in which the lines come."""

    ENDPOINTS = "endpoints"  # of several that share a cause, in place of the request
    REQUEST = "request"
    WHY = "why"
    NOTE = "note"
    CHANGE = "change"
    STEP = "step"  # of a workflow
    FIGURE = "figure"  # of a page, that has limits
    PAGE = "page"
    FILE = "file"  # of the slowest load of a page
    SLOW_STEP = "slow step"
    WHERE = "where"
    CAUSE = "cause"
    TRACE = "trace"
    EVIDENCE = "evidence"
    HELP = "help"
    BASELINE = "baseline"
    RERUN = "rerun"

    @property
    def is_code(self) -> bool:
        """Whether the text is for a machine: a request, a location in a file, a command."""
        return self in {Label.REQUEST, Label.BASELINE, Label.RERUN}


class ExplanationLine(NamedTuple):
    label: Label
    text: str

    @property
    def link(self) -> str:
        """The address that the text of a trace ends with; empty without one."""
        last = self.text.rpartition(" ")[2]
        return last if self.label is Label.TRACE and is_link(last) else ""


def explain(
    run: Run, result: EndpointResult, earlier: EarlierRun | None = None, *, shown: set[str] | None = None
) -> list[ExplanationLine]:
    """The lines of one endpoint; with ``earlier``, an earlier run, also the change since.

    ``shown`` are remedies for latency that the same report has shown: they are left out, and this endpoint's are added.
    """
    why = reasons(result)
    others = [finding for finding in result.findings if finding not in why]
    notes = [finding for finding in others if finding.rule is not Rule.UNDECIDED]  # that is evidence
    remedies = _remedies(result, set() if shown is None else shown)
    lines = [
        (Label.REQUEST, request_text(result)),
        *((Label.WHY, finding.message) for finding in why),
        *((Label.NOTE, finding.message) for finding in notes),
        (Label.CHANGE, _change(run, result, earlier)),
        *details(result),
        (Label.WHERE, where_the_time_went(result)),
        (Label.CAUSE, likely_cause(result)),
        *((Label.CAUSE, statement) for statement in slow_statements(result)),
        *((Label.TRACE, text) for text in _traces(run, result)),
        (Label.EVIDENCE, evidence(result)),
        *((Label.HELP, remedy) for remedy in remedies),
        *((Label.BASELINE, f"{run.baseline.file}:{line}") for line in baseline_lines(result)),
        (Label.RERUN, rerun(run, result)),
    ]
    return [ExplanationLine(label, text) for label, text in lines if text]


def _change(run: Run, result: EndpointResult, earlier: EarlierRun | None) -> str:
    """``640 -> 812 ms (+27%)``; empty in a comparison, whose reasons and evidence have it.

    A change that all requests show need not be the quotient of the two medians.
    """
    change = earlier.changes.get(result.name) if earlier and not run.is_comparison else None
    if change is None:
        return ""
    of_all = bool(change.comparison) and change.clear and result.metric is Metric.MEDIAN
    both = format_from_to(change.before_ms, change.now_ms, change.unit)
    text = f"{both} ({change_text(change)}{' over all requests' * of_all})"
    parts = ((part, change.steps[part.name]) for part in result.steps if part.name in change.steps)
    of_steps = (
        f"{part_name(part)} {format_from_to(step.before_ms, step.now_ms, step.unit)}"
        for part, step in parts
        if step.clear and step.ratio > 1
    )
    return "; ".join([text, *of_steps])


# --- The steps of a workflow, the figures of a page ----------------------------------------------------------------


def details(result: EndpointResult) -> list[ExplanationLine]:
    """The steps of a workflow in their order; the figures of a page and its files; nothing for a single request."""
    page = (slow_step(result) or result).page
    of_page = [(Label.PAGE, page_text(page)), *((Label.FILE, clean(file)) for file in page.files)] if page else []
    return [*_steps(result), *(ExplanationLine(label, text) for label, text in of_page)]


def _steps(result: EndpointResult) -> list[ExplanationLine]:
    slow = slow_step(result)
    labels = [
        Label.FIGURE if step.is_figure else Label.SLOW_STEP if step is slow else Label.STEP for step in result.steps
    ]
    lines = [ExplanationLine(label, step_text(step)) for label, step in zip(labels, result.steps, strict=True)]
    if len(lines) > _MOST_STEPS:
        shown = [line for number, line in enumerate(lines) if number < _MOST_STEPS or line.label is Label.SLOW_STEP]
        lines = [*shown, ExplanationLine(Label.STEP, f"and {len(lines) - len(shown)} more")]
    return lines


# --- Why -----------------------------------------------------------------------------------------------------------


def reasons(result: EndpointResult) -> list[Finding]:
    """The findings that made the verdict, the heaviest first; of an endpoint not measured, the note on why."""
    heavy = [finding for finding in result.findings if finding.severity is not Severity.NOTE]
    if heavy or result.verdict is not Verdict.NOT_MEASURED:
        return heavy
    return [finding for finding in result.findings if finding.rule in {Rule.NOT_MEASURED, Rule.NOT_COMPARED}]


def reason(result: EndpointResult) -> str:
    """The heaviest of the reasons; empty without any."""
    return next((message for finding in reasons(result) if (message := clean(finding.message, LONGEST_TEXT))), "")


def in_short(result: EndpointResult) -> str:
    """The reasons, or what else was found, as short as a cell of a table."""
    findings: Iterable[Finding] = reasons(result) if result.needs_attention else result.findings
    phrases = dict.fromkeys(
        _phrase_of_step(finding, result.unit) if finding.step else _phrase(finding, result.unit) for finding in findings
    )
    return "; ".join(filter(None, [*phrases, doubt(result), _screened(result)]))


def doubt(result: EndpointResult) -> str:
    """What is shown with the verdict: ``unconfirmed``, ``undecided``; empty for one that stands."""
    return "unconfirmed" if result.unconfirmed else "undecided" * result.is_undecided


def qualified_verdict(result: EndpointResult) -> str:
    """``WARNING, unconfirmed``."""
    return ", ".join(filter(None, [result.verdict, doubt(result)]))


def _screened(result: EndpointResult) -> str:
    return f"screened over {result.concurrency} connections" if result.is_screened else ""


def _phrase_of_step(finding: Finding, unit: Unit) -> str:
    phrase = _phrase(finding, unit)
    if phrase == finding.message:
        return phrase
    of_workflow = f"step '{finding.step}'"
    return f"{of_workflow if finding.message.startswith(of_workflow) else finding.step} {phrase}"


def _phrase(finding: Finding, unit: Unit) -> str:
    rule, value, limit = finding.rule, finding.value, finding.limit
    if limit is None or (rule is Rule.SLOWER and value is None):
        return finding.message
    if rule is Rule.SLOWER and value is not None:
        return f"{format_slower(value, unit=unit, distinct_from=limit)}, over {format_percentage(limit - 1)}"
    shown = format_figure(limit, finding.unit or Unit.TIME)
    if rule is Rule.OVER_TARGET:
        return f"over its target of {shown}"
    if rule is Rule.NEW_SLOW_ENDPOINT:
        return f"over {shown}, {'not in the baseline' if finding.line is None else 'without a target'}"
    if rule.is_about_latency:
        return f"over {'the ceiling' if rule is Rule.CEILING else 'its limit'} of {shown}"
    if rule is Rule.ERROR_RATE and value is not None:
        return f"{format_percentage(value)} of requests failed"
    if rule is Rule.BODY_SIZE and value is not None:
        return f"body over {format_size(int(limit))}"
    return finding.message


def _traces(run: Run, result: EndpointResult) -> Iterator[str]:
    """``812 ms https://jaeger.example/trace/4bf9...``; without a page for traces, their ids. Of each side one."""
    comparison = result.comparison if run.is_comparison else None
    sides = [("now ", result.traces), ("before ", comparison.before_traces)] if comparison else [("", result.traces)]
    for when, traces in sides:
        for trace in traces[:1] if comparison else traces:
            what = trace.outcome if trace.latency_ms is None else format_figure(trace.latency_ms, result.unit)
            page = (run.service.trace_url or _TRACE_ID).replace(_TRACE_ID, trace.trace_id)
            yield f"{when}{what} {page}"


# --- Evidence, help, location, rerun -------------------------------------------------------------------------------


def evidence(result: EndpointResult) -> str:
    """How many requests the verdict rests on, stage by stage, the interval, and why it is undecided if it is."""
    if result.is_monitored:
        return _monitor_figures(result)
    if result.promise is Reference.BEFORE:
        interval_text = change_interval(result)
        ends = f"; change interval {interval_text}" if interval_text != "-" else ""
        return compared_samples(result) + ends if result.comparison else ""
    stage = result.timeline.stage
    if result.value_ms is None or max(stage, default=0) < 1:
        return ""
    counts = [stage.count(number) for number in range(1, max(stage) + 1)]
    text = ", then ".join([plural(counts[0], "request"), *(f"{count} to confirm" for count in counts[1:])])
    if more := stage.count(PROOF):
        text += f", {more} more for the failure rate alone"
    text += f"; {result.metric_name} {interval_in_words(result)}" if interval(result) != "-" else ""
    return "; ".join([text, *(finding.message for finding in result.findings if finding.rule is Rule.UNDECIDED)])


def _monitor_figures(result: EndpointResult) -> str:
    named = [(name, getattr(result.latency_ms, name)) for name in ("mean", "median", "p95", "p99", "max")]
    sent = result.requests.sent
    counted = f"{plural(sent, 'request')} counted by the monitor" if sent else ""
    figures = ", ".join(f"{name} {format_ms(ms)}" for name, ms in named if ms is not None)
    return "; ".join(filter(None, [counted, figures]))


def _remedies(result: EndpointResult, shown: set[str]) -> list[str]:
    """Each once."""
    remedies = list(dict.fromkeys(f.remedy for f in result.findings if f.remedy and f.remedy not in shown))
    shown.update(f.remedy for f in result.findings if f.remedy and f.rule.is_about_latency)
    return remedies


def baseline_lines(result: EndpointResult) -> list[int]:
    """Where to look in the baseline: at the limits that were broken, else where the endpoint begins, if it is there."""
    lines = dict.fromkeys(f.line for f in result.findings if f.line and f.severity is not Severity.NOTE)
    return list(lines) or [result.line] * (result.line > 0)


def reruns_everything(run: Run, result: EndpointResult) -> bool:
    """Whether no name follows the command: the baseline has none for it, which may be new, or a URL of the command."""
    return run.command[1:2] == ("run",) and (result.is_monitored or not result.line)


def rerun(run: Run, result: EndpointResult) -> str:
    """The command that checks this endpoint again, quoted for a shell."""
    if reruns_everything(run, result):
        return shlex.join(run.command)
    return shlex.join([*run.command, *(["--"] if result.name.startswith("-") else []), result.name])
