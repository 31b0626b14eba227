"""CSV, one row an endpoint: for spreadsheets, data frames, ``awk`` and ``join``."""

from __future__ import annotations

import csv
import io
import re

from perfcheck.model import CAPACITY, CapacityResult, EarlierRun, Run, Severity, Verdict, heaviest_first
from perfcheck.report.columns import CSV_CHANGE_COLUMNS, CSV_COLUMNS, CsvValue
from perfcheck.report.explain import LONGEST_TEXT
from perfcheck.report.run_summary import changes_to_show
from perfcheck.text import clean, distinct_names

# A cell of a spreadsheet holds 32,767 characters, and a field as Python's csv module reads it 131,072. Made inert, a
# text may become half as long again.
_LONGEST_NAME = 20_000
# What a spreadsheet takes for a formula (the full-width forms count as the plain ones), at the start of a cell; and
# after a semicolon, which separates cells where the comma is the decimal sign, whatever is in quotes.
_FORMULA = re.compile("(^|;)([ \"]*)('*[=+\\-@\uff1d\uff0b\uff0d\uff20])")


def render(run: Run, earlier: EarlierRun | None = None) -> str:
    """The run as CSV after RFC 4180, save that lines end in LF: every reader takes it, and no diff trips over it.

    Columns are named after the fields of the run file with the unit last, and are the same for every run. Unknown
    values are empty, figures have all their digits, booleans are ``true`` and ``false``. The ``change`` columns are
    filled for endpoints that the earlier run measured by the same metric.

    Text that a spreadsheet would run as a formula has an apostrophe put before its sign, as OWASP advises against CSV
    injection; and so has text that looks like that already, so that to take one away again restores what it was.
    """
    names = distinct_names((result.name for result in run.endpoints), _LONGEST_NAME)
    since = changes_to_show(run, earlier)
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(["name", *CSV_COLUMNS, *CSV_CHANGE_COLUMNS, "baseline_file", *_of_the_run(run)])
    of_the_run = [clean(run.baseline.file, LONGEST_TEXT), *_of_the_run(run).values()]
    for name, result in zip(names, run.endpoints, strict=True):
        figures = [value(result) for value in CSV_COLUMNS.values()]
        change = since.changes.get(result.name) if since else None
        changed = [value(change) if change else None for value in CSV_CHANGE_COLUMNS.values()]
        writer.writerow(map(_written, [name, *figures, *changed, *of_the_run]))
    if run.capacity is not None:
        figures = [_of_the_capacity(run, run.capacity).get(column) for column in CSV_COLUMNS]
        writer.writerow(map(_written, [CAPACITY, *figures, *[None] * len(CSV_CHANGE_COLUMNS), *of_the_run]))
    return page.getvalue()


def _of_the_capacity(run: Run, capacity: CapacityResult) -> dict[str, CsvValue]:
    """As of one more endpoint, in the unit of its load."""
    low, high = capacity.interval
    heavy = [finding for finding in heaviest_first(run.findings) if finding.severity is not Severity.NOTE]
    return {
        "verdict": capacity.verdict,
        "decided": capacity.verdict in {Verdict.OK, Verdict.CRITICAL},
        "value_ms": capacity.value,
        "interval_low_ms": low,
        "interval_high_ms": high,
        "target_ms": capacity.at_least,
        "ratio": capacity.value / capacity.at_least if capacity.value and capacity.at_least else None,
        "requests_judged": sum(step.requests for step in capacity.steps),
        "reason": clean("".join(finding.message for finding in heavy[:1]), LONGEST_TEXT),
        "metric_of": capacity.model.metric_name,
        "unit": capacity.model.unit,
    }


def _written(cell: CsvValue) -> CsvValue:
    if isinstance(cell, str):
        return _FORMULA.sub(r"\1\2'\3", cell)
    return str(cell).lower() if isinstance(cell, bool) else cell


def _of_the_run(run: Run) -> dict[str, CsvValue]:
    """On every row, so that the files of many runs can be put together."""
    return {
        "run_started_at": clean(run.started_at),
        "run_label": clean(run.label or ""),
        "run_commit": clean(run.environment.commit or ""),
        "run_branch": clean(run.environment.branch or ""),
    }
