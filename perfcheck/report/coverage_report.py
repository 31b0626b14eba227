"""The coverage of a baseline as text, JSON, Markdown and JUnit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

from perfcheck.model.coverage import Coverage, Gone, Uncovered
from perfcheck.model.operation import Operation
from perfcheck.report.junit import add, finished
from perfcheck.report.markdown.escape import code, prose, table
from perfcheck.text import clean, distinct_names
from perfcheck.units import format_ms, format_percentage
from perfcheck.words import plural

FORMAT = "perfcheck.coverage/1"
_MOST_SHOWN = 10
_CLASS = "perfcheck.coverage"


def headline(coverage: Coverage, least: float | None) -> str:
    """The share, and whether it suffices."""
    share = _share(coverage, least)
    counted = f"{len(coverage.covered)} of {plural(coverage.counted, 'operation')}"
    required = "" if least is None else f", at least {format_percentage(least)} required"
    return f"coverage of {clean(coverage.file)}: {share}, {counted}{required}"


def is_enough(coverage: Coverage, least: float | None) -> bool:
    return least is None or coverage.share >= least


def _share(coverage: Coverage, least: float | None) -> str:
    """Rounded, but not to a share that suffices where it does not."""
    rounded = round(coverage.share, 2)
    return format_percentage(rounded if coverage.share in {0.0, 1.0} else coverage.share, distinct_from=least)


# --- Text ------------------------------------------------------------------------------------------------------------


def text(coverage: Coverage, least: float | None, *, verbose: bool = False) -> str:
    """Ends with a line break."""
    return "\n".join(_lines(coverage, least, verbose=verbose)) + "\n"


def _lines(coverage: Coverage, least: float | None, *, verbose: bool) -> Iterator[str]:
    yield headline(coverage, least)
    uncovered = coverage.uncovered
    shown = uncovered if verbose else uncovered[:_MOST_SHOWN]
    if shown:
        yield f"\nnot covered: {len(uncovered)}"
        yield from (f"  {clean(each.operation.request_line)}  {_why(each)}" for each in shown)
        if len(shown) < len(uncovered):
            yield f"  and {len(uncovered) - len(shown)} more: -v shows all"
    if any(each.stanza for each in shown):
        yield f"\nto be pasted below 'endpoints:' in {clean(coverage.file)}:\n"
        yield from (line for each in shown for line in each.stanza)
    if coverage.gone:
        yield f"\nno longer there: {len(coverage.gone)}"
        yield from (f"  {_gone(coverage, each)}" for each in coverage.gone)
    if coverage.not_counted:
        yield f"\nnot counted: {_not_counted(coverage)}"


def _why(each: Uncovered) -> str:
    seen = "" if each.operation.requests is None else f", {plural(each.operation.requests, 'request')} seen"
    if each.latency_ms is not None:
        return f"{format_ms(each.latency_ms)}{seen}"
    return f"{clean(each.reason or '')}{f' ({clean(each.remedy)})' if each.remedy else ''}{seen}"


def _gone(coverage: Coverage, gone: Gone) -> str:
    return f"{clean(coverage.file)}:{gone.line}: {clean(gone.endpoint)}: {clean(gone.reason)}"


def _not_counted(coverage: Coverage) -> str:
    """``5 operations: may change something 3, deprecated 2``."""
    counts = Counter(each.kind for each in coverage.not_counted)
    reasons = ", ".join(f"{clean(reason)} {count}" for reason, count in counts.most_common())
    return f"{plural(len(coverage.not_counted), 'operation')}: {reasons}"


# --- JSON ------------------------------------------------------------------------------------------------------------


def as_json(coverage: Coverage, least: float | None) -> str:
    """Ends with a line break."""
    document = {
        "format": FORMAT,
        "at": coverage.at,
        "baseline": clean(coverage.file, 4096),
        "service": {"base_url": coverage.base_url},
        "coverage": coverage.share,
        "required": least,
        "passed": is_enough(coverage, least),
        "counts": {
            "covered": len(coverage.covered),
            "uncovered": len(coverage.uncovered),
            "not_counted": len(coverage.not_counted),
            "gone": len(coverage.gone),
        },
        "covered": [_operation(operation) | {"endpoints": list(names)} for operation, names in coverage.covered],
        "uncovered": [_uncovered(each) for each in coverage.uncovered],
        "not_counted": [_operation(each.operation) | {"reason": clean(each.reason)} for each in coverage.not_counted],
        "gone": [
            {"endpoint": each.endpoint, "line": each.line, "reason": clean(each.reason)} for each in coverage.gone
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _operation(operation: Operation) -> dict[str, Any]:
    return {
        "method": operation.method,
        "template": operation.template,
        "found_in": list(operation.found_in),
        "requests": operation.requests,
    }


def _uncovered(each: Uncovered) -> dict[str, Any]:
    stanza = "".join(f"{line}\n" for line in each.stanza) or None
    outcome = {"latency_ms": each.latency_ms, "reason": each.reason, "remedy": each.remedy, "stanza": stanza}
    return _operation(each.operation) | outcome


# --- Markdown --------------------------------------------------------------------------------------------------------


def as_markdown(coverage: Coverage, least: float | None) -> str:
    """Ends with a line break."""
    return "\n".join(_markdown(coverage, least)) + "\n"


def _markdown(coverage: Coverage, least: float | None) -> Iterator[str]:
    mark = "\N{WHITE HEAVY CHECK MARK}" if is_enough(coverage, least) else "\N{CROSS MARK}"
    yield f"### {mark} {prose(headline(coverage, least), 400).replace('coverage', 'Coverage', 1)}"
    if coverage.uncovered:
        rows = [[code(clean(each.operation.request_line)), prose(_why(each), 400)] for each in coverage.uncovered]
        yield from ("", *table(["Not covered", "One request"], (), rows))
    lines = [line for each in coverage.uncovered for line in each.stanza]
    if lines:
        yield from ("", "<details><summary>To be pasted below <code>endpoints:</code></summary>", "", "```yaml")
        yield from (*lines, "```", "", "</details>")
    for each in coverage.gone:
        yield from ("", f"- No longer there: {prose(_gone(coverage, each), 400)}")
    if coverage.not_counted:
        yield from ("", f"Not counted: {prose(_not_counted(coverage), 400)}")


# --- JUnit -----------------------------------------------------------------------------------------------------------


def as_junit(coverage: Coverage, least: float | None) -> str:
    """One test case for each operation that counts, skipped where it is not covered; and one that fails where the
    share is too small.
    """
    covered = [(operation.request_line, None) for operation, _ in coverage.covered]
    uncovered = [(each.operation.request_line, f"not covered: {_why(each)}") for each in coverage.uncovered]
    cases: list[tuple[str, str | None]] = [*covered, *uncovered]
    *names, required = distinct_names([*(name for name, _ in cases), "the required coverage"])
    root = ET.Element("testsuites")
    suite = add(root, "testsuite")
    properties = add(suite, "properties")
    add(properties, "property", name="baseline", value=coverage.file)
    add(properties, "property", name="base_url", value=coverage.base_url)
    for name, (_, skipped) in zip(names, cases, strict=True):
        case = add(suite, "testcase", classname=_CLASS, name=name)
        if skipped is not None:
            add(case, "skipped", message=skipped)
    result = headline(coverage, least)
    if least is not None:
        case = add(suite, "testcase", classname=_CLASS, name=required)
        if not is_enough(coverage, least):
            add(
                case, "failure", [result], message=result, type="coverage"
            )  # as text as well: GitLab shows no attribute
    add(suite, "system-out", [result])
    return finished(root, suite, "perfcheck coverage", 0, coverage.at)
