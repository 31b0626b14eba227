"""CSV, one row an endpoint: for spreadsheets, data frames, ``awk`` and ``join``."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

from perfcheck.model import EndpointResult, Run
from perfcheck.report.changes import Change, figures
from perfcheck.report.names import distinct
from perfcheck.report.wording import LONGEST_TEXT, baseline_lines, reasons
from perfcheck.text import clean

# A cell of a spreadsheet holds 32,767 characters, and a field as Python's csv module reads it 131,072. Made inert, a
# text may become half as long again.
_LONGEST_NAME = 20_000
# What a spreadsheet takes for a formula (the full-width forms count as the plain ones), at the start of a cell; and
# after a semicolon, which separates cells where the comma is the decimal sign, whatever stands in quotes.
_FORMULA = re.compile("(^|;)([ \"]*)('*[=+\\-@\uff1d\uff0b\uff0d\uff20])")
_Cell = str | float | bool | None


def render(run: Run, previous: Run | None = None) -> str:
    """The run as CSV after RFC 4180, save that lines end in LF: every reader takes it, and no diff trips over it.

    Columns are named after the fields of the run file with the unit last, and are the same for every run. What is not
    known is empty, figures have all their digits, truths are ``true`` and ``false``. The ``change`` columns are filled
    for endpoints that the earlier run measured by the same metric.

    Text that a spreadsheet would run as a formula has an apostrophe put before its sign, as OWASP advises against CSV
    injection; and so has text that looks like that already, so that to take one away again restores what it was.
    """
    names = distinct((result.name for result in run.endpoints), _LONGEST_NAME)
    since = figures(run, previous)
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(["name", *_OF_AN_ENDPOINT, *_OF_A_CHANGE, "baseline_file", *_of_the_run(run)])
    after = [clean(run.baseline.file, LONGEST_TEXT), *_of_the_run(run).values()]
    for name, result in zip(names, run.endpoints, strict=True):
        told = [tell(result) for tell in _OF_AN_ENDPOINT.values()]
        change = since.get(result.name)
        changed = [tell(change) if change else None for tell in _OF_A_CHANGE.values()]
        writer.writerow(map(_written, [name, *told, *changed, *after]))
    return page.getvalue()


def _written(cell: _Cell) -> _Cell:
    if isinstance(cell, str):
        return _FORMULA.sub(r"\1\2'\3", cell)
    return str(cell).lower() if isinstance(cell, bool) else cell


def _of_the_run(run: Run) -> dict[str, _Cell]:
    """On every row, so that the files of many runs can be put together."""
    return {
        "run_started_at": clean(run.started_at),
        "run_label": clean(run.label or ""),
        "run_commit": clean(run.environment.commit or ""),
        "run_branch": clean(run.environment.branch or ""),
    }


def _errors(result: EndpointResult) -> str:
    """``status: 3, timeout: 1``."""
    return clean(", ".join(f"{kind}: {count}" for kind, count in result.errors.items()), LONGEST_TEXT)


def _reason(result: EndpointResult) -> str:
    return next((clean(finding.message, LONGEST_TEXT) for finding in reasons(result)), "")


_OF_AN_ENDPOINT: dict[str, Callable[[EndpointResult], _Cell]] = {
    "group": lambda one: clean(one.group or ""),
    "method": lambda one: clean(one.method),
    "url": lambda one: clean(one.url, LONGEST_TEXT),
    "verdict": lambda one: one.verdict,
    "decided": lambda one: one.decided,
    "metric": lambda one: one.metric,
    "value_ms": lambda one: one.value_ms,
    "over_timeout": lambda one: one.over_timeout,
    "interval_low_ms": lambda one: one.interval_ms[0],
    "interval_high_ms": lambda one: one.interval_ms[1],
    "target_ms": lambda one: one.target_ms,
    "ideal_ms": lambda one: one.ideal_ms,
    "warning_ms": lambda one: one.warning_ms,
    "critical_ms": lambda one: one.critical_ms,
    "ceiling_ms": lambda one: one.ceiling_ms,
    "ratio": lambda one: one.ratio,
    "requests_sent": lambda one: one.requests.sent,
    "requests_succeeded": lambda one: one.requests.succeeded,
    "requests_failed": lambda one: one.requests.failed,
    "requests_warmup": lambda one: one.requests.warmup,
    "requests_judged": lambda one: one.requests.judged,
    "error_rate": lambda one: one.error_rate,
    "error_rate_bound": lambda one: one.error_rate_bound,
    "errors": _errors,
    "latency_min_ms": lambda one: one.latency_ms.min,
    "latency_mean_ms": lambda one: one.latency_ms.mean,
    "latency_stdev_ms": lambda one: one.latency_ms.stdev,
    "latency_median_ms": lambda one: one.latency_ms.median,
    "latency_p75_ms": lambda one: one.latency_ms.p75,
    "latency_p90_ms": lambda one: one.latency_ms.p90,
    "latency_p95_ms": lambda one: one.latency_ms.p95,
    "latency_p99_ms": lambda one: one.latency_ms.p99,
    "latency_max_ms": lambda one: one.latency_ms.max,
    "phase_dns_ms": lambda one: one.phases_ms.dns,
    "phase_connect_ms": lambda one: one.phases_ms.connect,
    "phase_tls_ms": lambda one: one.phases_ms.tls,
    "phase_wait_ms": lambda one: one.phases_ms.wait,
    "phase_download_ms": lambda one: one.phases_ms.download,
    "body_bytes": lambda one: one.body_bytes,
    "reason": _reason,
    "baseline_line": lambda one: next(iter(baseline_lines(one)), None),
}
_OF_A_CHANGE: dict[str, Callable[[Change], _Cell]] = {
    "change_from_ms": lambda change: change.before_ms,
    "change_ratio": lambda change: change.ratio,
    "change_clear": lambda change: change.clear,
}
