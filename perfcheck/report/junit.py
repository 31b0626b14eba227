"""JUnit XML, for the test tabs of CI systems: the dialect that Jenkins, GitLab, Azure Pipelines and Buildkite share.

One suite for the run, and one test case for each endpoint. Jenkins groups by ``classname`` and GitLab shows nothing but
``classname`` and ``name``, so a suite for each group would add nothing there; Azure would lose the name of the run by
it, and Jenkins would count the duration of the run once for each suite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree as ET

from perfcheck.model import EarlierRun, EndpointResult, Finding, Rule, Run, Severity, Unit, Verdict
from perfcheck.report.claims import certainty
from perfcheck.report.explain import LONGEST_TEXT, Label, explain, qualified_verdict, reason, reasons
from perfcheck.report.run_summary import (
    before_and_now,
    changes_to_show,
    compared_with,
    critical_path,
    exit_meaning,
    headline,
    may_pass,
)
from perfcheck.text import clean, distinct_names

_NAME = "perfcheck"
_RUN = "the run"
_CAPACITY = "capacity"
_BRACKETS = re.compile(r"\[(?=\[)")
_OTHER_TYPES = {Rule.ERROR_RATE, Rule.BODY_SIZE}  # a closed list: GitLab interprets some words here


def render(run: Run, earlier: EarlierRun | None = None) -> str:
    """The run as JUnit XML; with an earlier run, the texts include the changes since.

    CRITICAL is a failure and not measured an error, or skipped where the run passes without it; WARNING and OK pass.
    ``time`` of a test case is the metric that was measured, in seconds, since test tabs sort and chart by it: the
    timeout, where the metric lies over it, and absent where no time was measured. ``time`` of the suite is the duration
    of the run, in seconds. A run that did not pass although all its endpoints do, or that measured nothing, has one
    more test case for that: a test tab must not be green when the job is red.
    """
    of_run = _RUN if run.capacity is None else _CAPACITY
    *names, run_name = distinct_names([*(result.name for result in run.endpoints), of_run])
    since = changes_to_show(run, earlier)
    root = ET.Element("testsuites")
    suite = add(root, "testsuite")
    _properties(suite, run)
    for name, result in zip(names, run.endpoints, strict=True):
        _case(suite, name, run, result, since)
    if _needs_a_case_of_its_own(run):
        _run_case(suite, run_name, run)
    _suite_texts(suite, run, since)
    return finished(root, suite, _NAME, run.duration_ms, run.started_at)


def finished(root: ET.Element, suite: ET.Element, name: str, duration_ms: float, started_at: str) -> str:
    """The document, with the number of its test cases."""
    counted = {"tests": "testcase", "failures": "testcase/failure", "errors": "testcase/error"}
    skipped = str(len(suite.findall("testcase/skipped")))
    totals = {"name": name} | {key: str(len(suite.findall(path))) for key, path in counted.items()}
    totals["time"] = _seconds(duration_ms)
    root.attrib.update(totals)
    # Without a zone, which some readers do not take; they assume UTC.
    started = clean(started_at).removesuffix("Z").partition(".")[0]
    suite.attrib.update({**totals, "skipped": skipped, "timestamp": started})
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _properties(suite: ET.Element, run: Run) -> None:
    named = {
        "version": run.tool.version,
        "client": run.tool.client,
        "base_url": run.service.base_url,
        "baseline": run.baseline.file,
        "before": before_and_now(run)[0] if run.is_comparison else None,
        "label": run.label,
        "commit": run.environment.commit,
        "branch": run.environment.branch,
        "seed": str(run.seed),
        "run": run.id,
    }
    properties = add(suite, "properties")
    for name, value in named.items():
        if value:
            add(properties, "property", name=name, value=value)


# --- An endpoint ---------------------------------------------------------------------------------------------------


def _case(suite: ET.Element, name: str, run: Run, result: EndpointResult, since: EarlierRun | None) -> None:
    group = clean(result.group) if result.group else ""
    case = add(suite, "testcase", classname=group or _NAME, name=name)
    if result.value_ms is not None and result.unit is Unit.TIME:
        case.set("time", _seconds(result.value_ms))
    lines = list(_lines(run, result, since))
    message = reason(result) or str(result.verdict)
    if result.verdict is Verdict.CRITICAL:
        add(case, "failure", lines, type=_type(result), message=message)
    elif may_pass(run, result):
        add(case, "skipped", message=message)
    elif result.verdict is Verdict.NOT_MEASURED:
        add(case, "error", lines, type="not-measured", message=message)
    elif lines:
        add(case, "system-out", lines)


def _type(result: EndpointResult) -> str:
    rules = [finding.rule for finding in reasons(result)]
    if not rules or rules[0].is_about_latency:
        return "latency"
    return rules[0] if rules[0] in _OTHER_TYPES else "other"


def _lines(run: Run, result: EndpointResult, since: EarlierRun | None) -> Iterator[str]:
    """The verdict and the reason first: GitLab shows this text, and no attribute of the element."""
    lines = explain(run, result, since)
    if not result.needs_attention:
        change = since.changes.get(result.name) if since else None
        shown = {Label.NOTE, Label.CHANGE} if change and change.clear else {Label.NOTE}
        yield from (f"{label}: {text}" for label, text in lines if label in shown)
        return
    why = [text for label, text in lines if label is Label.WHY]
    yield ": ".join([qualified_verdict(result), *why[:1]])
    yield from (f"{Label.WHY}: {text}" for text in why[1:])
    yield from (f"{label}: {text}" for label, text in lines if label is not Label.WHY)


# --- The run -------------------------------------------------------------------------------------------------------


def _needs_a_case_of_its_own(run: Run) -> bool:
    red = {Verdict.CRITICAL, Verdict.NOT_MEASURED}
    if run.capacity is not None:
        return True  # its only one
    is_red = any(result.verdict in red and not may_pass(run, result) for result in run.endpoints)
    return not run.endpoints or (run.exit_code != 0 and not is_red)


def _run_case(suite: ET.Element, name: str, run: Run) -> None:
    case = add(suite, "testcase", classname=_NAME, name=name)
    if run.exit_code == 0 and run.capacity is not None:
        return
    judged = run.verdict in {Verdict.WARNING, Verdict.CRITICAL} and run.exit_code == 1
    lines = [headline(run), exit_meaning(run), *map(_finding_text, run.findings)]
    add(case, "failure" if judged else "error", lines, type="run", message=exit_meaning(run))


def _suite_texts(suite: ET.Element, run: Run, since: EarlierRun | None) -> None:
    parts = [critical_path(run), headline(run), certainty(run), exit_meaning(run), compared_with(run, since)]
    notes = [_finding_text(finding) for finding in run.findings if finding.severity is Severity.NOTE]
    warnings = [_finding_text(finding) for finding in run.findings if finding.severity is not Severity.NOTE]
    add(suite, "system-out", [*filter(None, parts), *notes])
    if warnings:
        add(suite, "system-err", warnings)


def _finding_text(finding: Finding) -> str:
    return "; ".join(filter(None, (f"{finding.severity}: {finding.message}", finding.remedy)))


# --- XML -----------------------------------------------------------------------------------------------------------


def add(parent: ET.Element, tag: str, lines: Iterable[str] = (), **attributes: str) -> ET.Element:
    """The one way for foreign text into the document: cleaned of what XML cannot hold, which ElementTree does not do.

    Some test tabs (GitLab's, Jenkins with its attachments plugin) link or attach the file that ``[[ATTACHMENT|path]]``
    in a text names. A response of the service under test must not choose a file, so no two brackets stay together.
    """
    element = ET.SubElement(parent, tag, {name: clean(value, LONGEST_TEXT) for name, value in attributes.items()})
    element.text = "\n".join(_BRACKETS.sub("[ ", clean(line, LONGEST_TEXT)) for line in lines) or None
    return element


def _seconds(ms: float) -> str:
    """``0.812250``: microseconds, and never an exponent."""
    return f"{ms / 1000:.6f}"
