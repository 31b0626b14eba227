"""Endpoints in Markdown: a table of them, and a block for each that needs an explanation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perfcheck.model import EarlierRun, EndpointResult, Run, Verdict
from perfcheck.report.columns import Column, Report, columns_of
from perfcheck.report.explain import LONGEST_TEXT, Label, explain
from perfcheck.report.markdown.escape import cell, code, prose, prose_cell, shorten_name, table

SIGNS = {Verdict.OK: "🟢", Verdict.WARNING: "🟡", Verdict.CRITICAL: "🔴", Verdict.NOT_MEASURED: "⚪"}
_WIDTH_IN_TABLE = 48
_WIDTH_IN_HEADING = 120
_LONGEST_REASON = 72
_LONGEST_REQUEST = 400


def rows(
    run: Run, results: Sequence[EndpointResult], since: EarlierRun | None, *, with_verdict: bool
) -> tuple[str, list[str]]:
    """The head of a table and its rows, each with the end of its line."""
    columns = [one for one in columns_of(run, Report.MARKDOWN, since) if with_verdict or one.key != "verdict"]
    headings = [
        "note" if column.key == "why" and not with_verdict else column.title(Report.MARKDOWN) for column in columns
    ]
    cells = [[_cell(column, result, since) for column in columns] for result in results]
    lines = table(headings, {column.title(Report.MARKDOWN) for column in columns if column.right}, cells)
    return "\n".join(lines[:2]) + "\n", [line + "\n" for line in lines[2:]]


def _cell(column: Column, result: EndpointResult, since: EarlierRun | None) -> str:
    if column.key == "verdict":
        return f"{SIGNS[result.verdict]} {result.verdict}"
    if column.key == "endpoint":
        return cell(shorten_name(result.name, _WIDTH_IN_TABLE))
    if column.key == "change" and since and result.name in since.added:
        return "new"
    text = column.text(result, since.changes.get(result.name) if since else None)
    if column.key == "why":
        return prose_cell(text, _LONGEST_REASON) if text else "-"
    return text


def blocks(run: Run, results: Sequence[EndpointResult], since: EarlierRun | None) -> Iterator[str]:
    """What explains each verdict, with a blank line before it; a remedy for latency comes once."""
    shown: set[str] = set()
    for result in results:
        verdict = f"{SIGNS[result.verdict]} {result.verdict}{', undecided' if result.is_undecided else ''}"
        heading = f"\n#### {verdict}: {code(shorten_name(result.name, _WIDTH_IN_HEADING))}\n\n"
        lines = [f"- **{label}**: {_shown(label, text)}\n" for label, text in explain(run, result, since, shown=shown)]
        yield heading + "".join(lines)


def _shown(label: Label, text: str) -> str:
    if label is Label.REQUEST:
        return code(text, _LONGEST_REQUEST)
    return code(text, LONGEST_TEXT) if label.is_code else prose(text, LONGEST_TEXT)
