"""JUnit XML, for the test tabs of CI systems: the dialect that Jenkins, GitLab, Azure Pipelines and Buildkite share.

One suite for the run, and one test case for each endpoint. Jenkins groups by ``classname`` and GitLab shows nothing but
``classname`` and ``name``, so a suite for each group would add nothing there; Azure would lose the name of the run by
it, and Jenkins would count the duration of the run once for each suite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree as ET

from perfcheck.model import EndpointResult, Finding, Rule, Run, Severity, Verdict
from perfcheck.report.changes import Change, changes, since
from perfcheck.report.comparison_words import what_grew
from perfcheck.report.names import distinct
from perfcheck.report.wording import (
    LONGEST_TEXT,
    baseline_lines,
    certainty,
    critical_path,
    evidence,
    exit_meaning,
    headline,
    needs_attention,
    reasons,
    rerun,
    where_the_time_went,
)
from perfcheck.text import clean
from perfcheck.units import format_ms

_NAME = "perfcheck"
_RUN = "the run as a whole"
_BRACKETS = re.compile(r"\[(?=\[)")
_OTHER_TYPES = {Rule.ERROR_RATE, Rule.BODY_SIZE}  # a closed list: GitLab obeys some words here, and refuses "yaml"


def render(run: Run, previous: Run | None = None) -> str:
    """The run as JUnit XML; beside an earlier run, the texts say what changed since.

    CRITICAL is a failure and not measured an error; WARNING and OK pass. ``time`` of a test case is the metric that was
    measured, in seconds, since test tabs sort and chart by it: the timeout, where the metric lies over it, and absent
    where nothing was measured. ``time`` of the suite is the duration of the run, in seconds. A run that did not pass
    although all its endpoints do, or that measured nothing, has one more test case that says so: a test tab is not to
    be green beside a job that is red.
    """
    *names, run_name = distinct([*(result.name for result in run.endpoints), _RUN])
    since = changes(run, previous)
    root = ET.Element("testsuites")
    suite = _add(root, "testsuite")
    _properties(suite, run)
    for name, result in zip(names, run.endpoints, strict=True):
        _case(suite, name, run, result, since.get(result.name))
    if _needs_a_case_of_its_own(run):
        _run_case(suite, run_name, run)
    _suite_texts(suite, run, previous)
    _count(root, suite, run)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _count(root: ET.Element, suite: ET.Element, run: Run) -> None:
    totals = {
        "name": _NAME,
        "tests": str(len(suite.findall("testcase"))),
        "failures": str(len(suite.findall("testcase/failure"))),
        "errors": str(len(suite.findall("testcase/error"))),
        "time": _seconds(run.duration_ms),
    }
    root.attrib.update(totals)
    # Without a zone, which some readers do not take; they assume UTC.
    started = clean(run.started_at).removesuffix("Z").partition(".")[0]
    suite.attrib.update({**totals, "skipped": "0", "timestamp": started})


def _properties(suite: ET.Element, run: Run) -> None:
    named = {
        "version": run.tool.version,
        "client": run.tool.client,
        "base_url": run.service.base_url,
        "baseline": run.baseline.file,
        "label": run.label,
        "commit": run.environment.commit,
        "branch": run.environment.branch,
        "seed": str(run.seed),
        "run": run.id,
    }
    properties = _add(suite, "properties")
    for name, value in named.items():
        if value:
            _add(properties, "property", name=name, value=value)


# --- An endpoint ---------------------------------------------------------------------------------------------------


def _case(suite: ET.Element, name: str, run: Run, result: EndpointResult, change: Change | None) -> None:
    group = clean(result.group) if result.group else ""
    case = _add(suite, "testcase", classname=group or _NAME, name=name)
    if result.value_ms is not None:
        case.set("time", _seconds(result.value_ms))
    lines = list(_lines(run, result, change))
    if result.verdict is Verdict.CRITICAL:
        _add(case, "failure", lines, type=_type(result), message=_message(result))
    elif result.verdict is Verdict.NOT_MEASURED:
        _add(case, "error", lines, type="not-measured", message=_message(result))
    elif lines:
        _add(case, "system-out", lines)


def _message(result: EndpointResult) -> str:
    found = [clean(finding.message, LONGEST_TEXT) for finding in reasons(result)]
    return next(filter(None, found), str(result.verdict))


def _type(result: EndpointResult) -> str:
    rules = [finding.rule for finding in reasons(result)]
    if not rules or rules[0].is_about_latency:
        return "latency"
    return rules[0] if rules[0] in _OTHER_TYPES else "other"


def _lines(run: Run, result: EndpointResult, change: Change | None) -> Iterator[str]:
    """What there is to say, the reason first: GitLab shows this text, and no attribute of the element."""
    if not needs_attention(result):
        yield from (_told(finding) for finding in result.findings)
        if change and change.clear:
            yield _changed(change)
        return
    if not reasons(result):
        yield f"{result.verdict}"
    yield from (_told(finding) for finding in result.findings if finding.rule is not Rule.UNDECIDED)
    yield f"request: {result.method} {result.url}"
    if where := where_the_time_went(result):
        yield f"where: {where}"
    if grown := what_grew(result):
        yield f"grew: {grown}"
    if seen := evidence(result):
        yield f"evidence: {seen}"
    if change:
        yield _changed(change)
    yield from (f"help: {remedy}" for remedy in dict.fromkeys(f.remedy for f in result.findings) if remedy)
    if places := baseline_lines(result):
        yield "baseline: " + ", ".join(f"{run.baseline.file}:{line}" for line in places)
    yield f"rerun: {rerun(run, result.name)}"


def _told(finding: Finding) -> str:
    label = "not measured" if finding.rule is Rule.NOT_MEASURED else finding.severity
    return f"{label}: {finding.message}"


def _changed(change: Change) -> str:
    return f"change: {change.text}, {format_ms(change.before_ms)} before, {format_ms(change.now_ms)} now"


# --- The run -------------------------------------------------------------------------------------------------------


def _needs_a_case_of_its_own(run: Run) -> bool:
    red = {Verdict.CRITICAL, Verdict.NOT_MEASURED}
    return not run.endpoints or (run.exit_code != 0 and not any(result.verdict in red for result in run.endpoints))


def _run_case(suite: ET.Element, name: str, run: Run) -> None:
    case = _add(suite, "testcase", classname=_NAME, name=name)
    judged = run.verdict in {Verdict.WARNING, Verdict.CRITICAL} and run.exit_code == 1
    lines = [headline(run), exit_meaning(run), *map(_with_remedy, run.findings)]
    _add(case, "failure" if judged else "error", lines, type="run", message=exit_meaning(run))


def _suite_texts(suite: ET.Element, run: Run, previous: Run | None) -> None:
    lines = [headline(run), certainty(run), exit_meaning(run)]
    if path := critical_path(run):
        lines.insert(0, path)
    if earlier := since(run, previous):
        lines.append(f"Changes are since {clean(earlier.label or '') or 'the run'} of {earlier.started_at}.")
    warnings = [finding for finding in run.findings if finding.severity is not Severity.NOTE]
    notes = [finding for finding in run.findings if finding.severity is Severity.NOTE]
    _add(suite, "system-out", [*lines, *map(_with_remedy, notes)])
    if warnings:
        _add(suite, "system-err", map(_with_remedy, warnings))


def _with_remedy(finding: Finding) -> str:
    return "; ".join(part for part in (_told(finding), finding.remedy) if part)


# --- XML -----------------------------------------------------------------------------------------------------------


def _add(parent: ET.Element, tag: str, lines: Iterable[str] = (), **attributes: str) -> ET.Element:
    """The one way for foreign text into the document: cleaned of what XML may not hold, unlike by ElementTree itself.

    Some test tabs (GitLab's, Jenkins with its attachments plugin) link or attach the file that ``[[ATTACHMENT|path]]``
    in a text names. An answer of the service under test is not to choose a file, so no two brackets stay together.
    """
    element = ET.SubElement(parent, tag, {name: clean(value, LONGEST_TEXT) for name, value in attributes.items()})
    element.text = "\n".join(_BRACKETS.sub("[ ", clean(line, LONGEST_TEXT)) for line in lines) or None
    return element


def _seconds(ms: float) -> str:
    """``0.812250``: microseconds, and never an exponent."""
    return f"{ms / 1000:.6f}"
