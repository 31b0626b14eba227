"""What reports say of a run, in words and figures: one wording for all of them. Says; never judges."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from perfcheck.model import (
    Changed,
    ComparedHow,
    EndpointResult,
    Finding,
    Metric,
    Reference,
    Rule,
    Run,
    Severity,
    Source,
    Verdict,
    worst,
)
from perfcheck.report.changes import Since
from perfcheck.report.comparison_words import (
    amount_compared,
    certainty_of_comparison,
    change_interval,
    none_slower,
)
from perfcheck.text import clean
from perfcheck.units import format_ms, format_multiple

EN_DASH = "\N{EN DASH}"
LONGEST_TEXT = 2000
_ORDER = [Verdict.CRITICAL, Verdict.WARNING, Verdict.NOT_MEASURED, Verdict.OK]
_MINOR = 0.01  # of the latency: a phase below it explains nothing
_PART_OF_THE_TIME = 0.1  # of the latency: a database below it is not where to look
_IDENTICAL = re.compile(r"\b(\d{1,9}) (?:identical|alike)\b", re.ASCII)  # as the monitor reports it; alike: up to 0.1.0
_MOST_SPANS = 5
_LONGEST_DETAIL = 80


# --- The run -------------------------------------------------------------------------------------------------------


def worst_first(results: Iterable[EndpointResult]) -> list[EndpointResult]:
    """CRITICAL, WARNING, not measured, OK; among these the farthest over its target first."""
    return sorted(results, key=lambda result: (_ORDER.index(result.verdict), -(result.ratio or 0.0)))


def in_order(run: Run) -> list[EndpointResult]:
    """The worst first; of a release, those on the critical path before all others."""
    results = worst_first(run.endpoints)
    return sorted(results, key=lambda result: not result.critical_path) if has_critical_path(run) else results


def sentence(run: Run) -> str:
    """What a page begins with: the state of the critical path, and what weighs most; a breach before good news."""
    path = critical_path(run)
    fine = path.endswith("OK.") and run.verdict is not Verdict.OK
    return " ".join(filter(None, [headline(run), path] if fine else [path, headline(run)]))


def has_critical_path(run: Run) -> bool:
    """Whether a release is told of, some of whose endpoints are to be looked at first."""
    return run.against is not None and any(result.critical_path for result in run.endpoints)


def critical_path(run: Run) -> str:
    """``Critical path: all 3 endpoints are OK.``; empty where there is none."""
    if not has_critical_path(run):
        return ""
    verdicts = [result.verdict for result in run.endpoints if result.critical_path]
    count, fine = len(verdicts), verdicts.count(Verdict.OK)
    if fine == count:
        return f"Critical path: {f'all {count} endpoints are' if count > 1 else 'its endpoint is'} OK."
    if count == 1:
        return f"Critical path: its endpoint is {worst(verdicts)}."
    return f"Critical path: {count - fine} of {count} endpoints not OK, the worst {worst(verdicts)}."


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
    if run.verdict is Verdict.OK and run.is_comparison:
        return none_slower(run)
    if run.verdict is Verdict.OK:
        return f"All {total} endpoints are within their limits." if total > 1 else "The endpoint is within its limits."
    first = worst_first(run.endpoints)[0]
    if first.verdict is Verdict.OK:  # it is something about the whole
        whole = next((one for one in run.findings if one.severity is not Severity.NOTE), None)
        said = clean(whole.message, LONGEST_TEXT) if whole else str(run.verdict)
        return f"{said[:1].upper()}{said[1:]}. Of {total} endpoint{'s' * (total > 1)}: {counts_text(run)}."
    reason = next(iter(reasons(first)), None)
    told = reason.message if reason else "it could not be measured"
    what = "endpoint" if total == 1 else "endpoints"
    return f"{clean(first.name)}: {clean(told, LONGEST_TEXT)}. Of {total} {what}: {counts_text(run)}."


def compared_with(run: Run, earlier: Since) -> str:
    """What the changes are held against, and how many are clear; also that there is nothing to hold against it."""
    name = clean(earlier.label) if earlier.label else f"the run of {earlier.started_at[:16].replace('T', ' ')} UTC"
    if not earlier.changed:
        none = "none of these endpoints" if run.against else "none of these endpoints by the same metric"
        return f"Compared with {name}, which measured {none}."
    clear = sum(change.clear for change in earlier.changed.values())
    what = "endpoint" if len(run.endpoints) == 1 else "endpoints"
    return f"Compared with {name}: {clear} of {len(run.endpoints)} {what} changed clearly."


def requests_sent(run: Run) -> int:
    """Warm-up included, and of a live comparison both sides. What a monitor counted was sent by others."""
    measured_ones = (result for result in run.endpoints if not is_monitored(result))
    sides = 2 if run.against and run.against.how is not ComparedHow.STORED else 1
    return sides * sum(result.requests.sent + result.requests.warmup for result in measured_ones)


def effort(run: Run) -> str:
    """``112 requests in 12.3 s``; of a check of the monitor, the requests that this one counted."""
    if run.is_comparison and run.against and run.against.how is ComparedHow.STORED:
        return "two saved runs"
    if is_of_monitor(run):
        return f"{sum(result.requests.sent for result in run.endpoints)} requests counted by the monitor"
    return f"{requests_sent(run)} requests in {run.duration_ms / 1000:.1f} s"


def certainty(run: Run) -> str:
    """What the verdicts are worth: the stated error probability, and how many do not have it."""
    monitored = sum(is_monitored(result) for result in run.endpoints)
    if is_of_monitor(run):
        return (
            "Judged by what the monitor inside the service counted, all its requests and no sample of them: "
            "no error probability is stated."
        )
    if run.is_comparison:
        return certainty_of_comparison(run)
    undecided = sum(is_undecided(result) for result in run.endpoints)
    rest = f"; {undecided} undecided, judged by estimate" if undecided else ""
    rest += f"; {monitored} judged by what the monitor inside the service counted" if monitored else ""
    return f"Each decided verdict is wrong with a probability of at most {run.alpha:.0%}{rest}."


def is_of_monitor(run: Run) -> bool:
    """Whether no endpoint was measured, and all that is told comes from the monitor inside the service."""
    return bool(run.endpoints) and all(map(is_monitored, run.endpoints))


def state_of_monitor(run: Run) -> Finding | None:
    """What a check of the monitor begins with."""
    return next((finding for finding in run.findings if finding.rule is Rule.MONITOR_STATE), None)


def undecided_comparisons(run: Run) -> int:
    """Of how many endpoints of a comparison it cannot be told whether they changed."""
    changed = (one.comparison.changed for one in run.endpoints if one.comparison)
    return sum(one is Changed.CANNOT_TELL for one in changed) if run.is_comparison else 0


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


def is_monitored(result: EndpointResult) -> bool:
    """Whether its figures are those of the monitor inside the service."""
    return result.source is Source.MONITORED


def is_undecided(result: EndpointResult) -> bool:
    """Judged, but by the estimate: the budget or the requests ran out first."""
    return not result.decided and result.verdict is not Verdict.NOT_MEASURED and not is_monitored(result)


def reasons(result: EndpointResult) -> list[Finding]:
    """The findings that made the verdict, the heaviest first; of an endpoint not measured, the note that says why."""
    heavy = [finding for finding in result.findings if finding.severity is not Severity.NOTE]
    if heavy or result.verdict is not Verdict.NOT_MEASURED:
        return heavy
    return [finding for finding in result.findings if finding.rule is Rule.NOT_MEASURED]


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
    slow = any(finding.rule.is_about_latency for finding in result.findings)
    if not slow or result.over_timeout or result.value_ms is None:
        return ""
    phases = result.phases_ms
    named = [(phases.wait, "waiting for the first byte"), (phases.download, "download")]
    taken = sorted(((ms, name) for ms, name in named if ms and ms > _MINOR * result.value_ms), reverse=True)
    parts = [f"{name} {format_ms(ms)}" for ms, name in taken]
    parts += what_the_service_says(result)
    return "; ".join(parts)


def what_the_service_says(result: EndpointResult) -> list[str]:
    """From its Server-Timing header: ``the service says db 812 ms of 930 ms, 101 queries``, and N+1 where it shows."""
    described = result.server_timing_details.items()  # a label ("Database") tells no more than the name; a count does
    details = {name: clean(text, _LONGEST_DETAIL) for name, text in described if any(map(str.isdecimal, text))}
    spans = sorted(result.server_timing.items(), key=lambda span: (span[0] not in details, -span[1]))[:_MOST_SPANS]
    # Of the same slow requests as the spans, and up to the first byte, as the header can tell only what came before it.
    total = format_ms(result.phases_ms.wait or result.value_ms)
    told = [
        f"{name} {format_ms(ms)}" + (f" of {total}, {details[name]}" if name in details else "") for name, ms in spans
    ]
    told += [f"{name} {text}" for name, text in details.items() if name not in result.server_timing][:_MOST_SPANS]
    if not told:
        return []
    said = "the service says " + ("; " if details else ", ").join(told)
    alike = _statements_alike(result)
    return [said, f"likely cause: N+1, {alike} statements alike in one request"] if alike else [said]


def _statements_alike(result: EndpointResult) -> int:
    """How often one request sent the same statement, where the service says so and its database is part of the time."""
    share = result.server_timing.get("db", 0.0) / result.value_ms if result.value_ms else 0.0
    found = _IDENTICAL.search(result.server_timing_details.get("db", ""))
    return int(found.group(1)) if found and share >= _PART_OF_THE_TIME else 0


def evidence(result: EndpointResult, dash: str = EN_DASH) -> str:
    """How many requests the verdict rests on, stage by stage, the interval, and why it is undecided if it is."""
    if is_monitored(result):
        return _counted(result)
    if result.promise is Reference.BEFORE:
        return _held_against_before(result)
    if result.value_ms is None or not any(result.timeline.stage):
        return ""
    stages = [result.timeline.stage.count(stage) for stage in range(1, max(result.timeline.stage, default=0) + 1)]
    text = ", then ".join([f"{stages[0]} requests", *(f"{n} when measured again" for n in stages[1:])])
    ends = interval(result, dash)
    text += f"; {result.metric} in {ends} ms" if ends != "-" else ""
    undecided = [finding.message for finding in result.findings if finding.rule is Rule.UNDECIDED]
    return "; ".join([text, *undecided])


def _held_against_before(result: EndpointResult) -> str:
    if result.comparison is None:
        return ""
    interval_of_change = change_interval(result)
    lies = f"; the change lies in {interval_of_change}" if interval_of_change != "-" else ""
    return amount_compared(result) + lies


def _counted(result: EndpointResult) -> str:
    told = result.latency_ms
    named = [("mean", told.mean), ("median", told.median), ("p95", told.p95), ("p99", told.p99), ("max", told.max)]
    figures = [f"{name} {format_ms(ms)}" for name, ms in named if ms is not None]
    sent = result.requests.sent
    requests = [f"{sent} request{'s' * (sent != 1)} counted by the monitor"] if sent else []
    return "; ".join([*requests, ", ".join(figures)] if figures else requests)


def remedies(result: EndpointResult, told: set[str]) -> list[str]:
    """What to do, each once; ``told`` are remedies that stand above already, and those of latency join them."""
    found = list(dict.fromkeys(f.remedy for f in result.findings if f.remedy and f.remedy not in told))
    told.update(f.remedy for f in result.findings if f.remedy and f.rule.is_about_latency)
    return found


def baseline_lines(result: EndpointResult) -> list[int]:
    """Where to look in the baseline: at the broken promises, else where the endpoint begins; if it is in there."""
    lines = dict.fromkeys(f.line for f in result.findings if f.line and f.severity is not Severity.NOTE)
    return list(lines) or [result.line] * (result.line > 0)


def rerun(run: Run, name: str) -> str:
    """The command that checks this endpoint again, as a shell takes it: all of it, for what it only read."""
    if run.command[1:2] == ("run",) and any(one.name == name and is_monitored(one) for one in run.endpoints):
        return shlex.join(run.command)
    return shlex.join([*run.command, *(["--"] if name.startswith("-") else []), name])
