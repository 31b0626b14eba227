"""What reports say of a run, in words and figures: one wording for all of them. Says; never judges."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from perfcheck.model import EndpointResult, Finding, Metric, Run, Severity, Verdict
from perfcheck.report.changes import Change
from perfcheck.text import clean
from perfcheck.units import format_ms, format_multiple

EN_DASH = "\N{EN DASH}"
LONGEST_TEXT = 2000
RULES_OF_LATENCY = {"latency", "ceiling", "new-slow-endpoint"}
_ORDER = [Verdict.CRITICAL, Verdict.WARNING, Verdict.NOT_MEASURED, Verdict.OK]
_MINOR = 0.01  # of the latency: a phase below it explains nothing


# --- The run -------------------------------------------------------------------------------------------------------


def worst_first(results: Iterable[EndpointResult]) -> list[EndpointResult]:
    """CRITICAL, WARNING, not measured, OK; among these the farthest over its target first."""
    return sorted(results, key=lambda result: (_ORDER.index(result.verdict), -(result.ratio or 0.0)))


def counts_by_verdict(run: Run) -> list[tuple[int, str, Verdict]]:
    """``(2, "critical", Verdict.CRITICAL)`` and so on, the worst first, those that are not 0."""
    counts = run.counts
    named = [
        (counts.critical, "critical", Verdict.CRITICAL),
        (counts.warning, "warning", Verdict.WARNING),
        (counts.not_measured, "not measured", Verdict.NOT_MEASURED),
        (counts.ok, "OK", Verdict.OK),
    ]
    return [one for one in named if one[0]]


def counts_text(run: Run) -> str:
    """``2 critical, 1 warning, 8 OK``."""
    return ", ".join(f"{count} {word}" for count, word, _ in counts_by_verdict(run))


def headline(run: Run) -> str:
    """One sentence: the verdict and what weighs most; names no file and no machine."""
    if not run.endpoints:
        return "Nothing was measured."
    total = len(run.endpoints)
    if run.verdict is Verdict.OK:
        return f"All {total} endpoints are within their limits." if total > 1 else "The endpoint is within its limits."
    first = worst_first(run.endpoints)[0]
    reason = next(iter(reasons(first)), None)
    told = reason.message if reason else "it could not be measured"
    what = "endpoint" if total == 1 else "endpoints"
    return f"{clean(first.name)}: {clean(told, LONGEST_TEXT)}. Of {total} {what}: {counts_text(run)}."


def compared_with(run: Run, previous: Run, changed: Mapping[str, Change]) -> str:
    """What the changes are held against, and how many are clear; also that there is nothing to hold against it."""
    name = clean(previous.label) if previous.label else f"the run of {previous.started_at[:16].replace('T', ' ')} UTC"
    if not changed:
        return f"Compared with {name}, which measured none of these endpoints by the same metric."
    clear = sum(change.clear for change in changed.values())
    what = "endpoint" if len(run.endpoints) == 1 else "endpoints"
    return f"Compared with {name}: {clear} of {len(run.endpoints)} {what} changed clearly."


def requests_sent(run: Run) -> int:
    """Warm-up included."""
    return sum(result.requests.sent + result.requests.warmup for result in run.endpoints)


def certainty(run: Run) -> str:
    """What the verdicts are worth: the stated error probability, and how many do not have it."""
    undecided = sum(is_undecided(result) for result in run.endpoints)
    rest = f"; {undecided} undecided, judged by estimate" if undecided else ""
    return f"Each decided verdict is wrong with a probability of at most {run.alpha:.0%}{rest}."


def exit_meaning(run: Run) -> str:
    """``exit 1: CRITICAL fails the check``."""
    meaning = {
        0: "passed" if run.verdict is Verdict.OK else f"{run.verdict} does not fail the check",
        1: f"{run.verdict} fails the check",
        3: "not everything could be measured",
        4: "a bug in perfcheck ended the run",
        130: "interrupted",
    }
    return f"exit {run.exit_code}: {meaning.get(run.exit_code, 'failed')}"


# --- An endpoint ---------------------------------------------------------------------------------------------------


def needs_attention(result: EndpointResult) -> bool:
    return result.verdict is not Verdict.OK


def is_undecided(result: EndpointResult) -> bool:
    """Judged, but by the estimate: the budget or the requests ran out first."""
    return not result.decided and result.verdict is not Verdict.NOT_MEASURED


def reasons(result: EndpointResult) -> list[Finding]:
    """The findings that made the verdict, the heaviest first; of an endpoint not measured, the note that says why."""
    heavy = [finding for finding in result.findings if finding.severity is not Severity.NOTE]
    if heavy or result.verdict is not Verdict.NOT_MEASURED:
        return heavy
    return [finding for finding in result.findings if finding.rule == "not-measured"]


def measured(result: EndpointResult) -> str:
    """``812``, ``p95 172``, ``>10000``: in milliseconds, without the unit."""
    if result.value_ms is None:
        return "-"
    metric = "" if result.metric is Metric.MEDIAN else f"{result.metric} "
    value = format_ms(result.value_ms, beside=_nearest_limit(result), unit=False)
    return f"{metric}{'>' if result.over_timeout else ''}{value}"


def ratio_to_target(result: EndpointResult) -> str:
    """``1.72x``; never rounded into a limit it is not at."""
    limit = _nearest_limit(result)
    if result.ratio is None or limit is None or result.target_ms is None:
        return "-"
    shown, at_limit = f"{result.ratio:.2f}x", limit / result.target_ms
    if shown == f"{at_limit:.2f}x":
        shown = format_multiple(result.ratio, beside=at_limit)
    return f">{shown}" if result.over_timeout else shown


def _nearest_limit(result: EndpointResult) -> float | None:
    """The limit that the value must not be rounded into."""
    limits = [result.target_ms, result.warning_ms, result.critical_ms, result.ceiling_ms]
    value = result.value_ms or 0.0
    return min((limit for limit in limits if limit), key=lambda limit: abs(limit - value), default=None)


def interval(result: EndpointResult, dash: str = EN_DASH) -> str:
    """``730-893`` in milliseconds, ``>730`` where it is open above, ``-`` where there is none."""
    low, high = result.interval_ms
    if low is None and high is None:
        return "-"
    if low is None:
        return f"<{format_ms(high, unit=False)}"
    if high is None:
        return f">{format_ms(low, unit=False)}"
    ends = dict.fromkeys(format_ms(end, unit=False) for end in (low, high))  # once, where they look the same
    return dash.join(ends)


def ideal_met(result: EndpointResult) -> bool:
    return result.value_ms is not None and result.ideal_ms is not None and result.value_ms <= result.ideal_ms


def where_the_time_went(result: EndpointResult) -> str:
    """The slow phase first, and what the service itself says of it; nothing where latency is not the matter."""
    slow = any(finding.rule in RULES_OF_LATENCY for finding in result.findings)
    if not slow or result.over_timeout or result.value_ms is None:
        return ""
    phases = result.phases_ms
    named = [(phases.wait, "waiting for the first byte"), (phases.download, "download")]
    taken = sorted(((ms, name) for ms, name in named if ms and ms > _MINOR * result.value_ms), reverse=True)
    parts = [f"{name} {format_ms(ms)}" for ms, name in taken]
    if result.server_timing:
        spans = sorted(result.server_timing.items(), key=lambda span: -span[1])
        parts.append("the service says " + ", ".join(f"{name} {format_ms(ms)}" for name, ms in spans[:5]))
    return "; ".join(parts)


def evidence(result: EndpointResult, dash: str = EN_DASH) -> str:
    """How many requests the verdict rests on, stage by stage, the interval, and why it is undecided if it is."""
    if result.value_ms is None or not any(result.timeline.stage):
        return ""
    stages = [result.timeline.stage.count(stage) for stage in range(1, max(result.timeline.stage, default=0) + 1)]
    text = ", then ".join([f"{stages[0]} requests", *(f"{n} when measured again" for n in stages[1:])])
    ends = interval(result, dash)
    text += f"; {result.metric} in {ends} ms" if ends != "-" else ""
    undecided = [finding.message for finding in result.findings if finding.rule == "undecided"]
    return "; ".join([text, *undecided])


def baseline_lines(result: EndpointResult) -> list[int]:
    """Where to look in the baseline: at the broken promises, else where the endpoint begins."""
    lines = dict.fromkeys(f.line for f in result.findings if f.line and f.severity is not Severity.NOTE)
    return list(lines) or [result.line]


def rerun(run: Run, name: str) -> str:
    """The command that checks this endpoint again, as a shell takes it."""
    return shlex.join([*run.command, *(["--"] if name.startswith("-") else []), name])
