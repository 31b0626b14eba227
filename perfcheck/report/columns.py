"""The columns of every table of endpoints: what is in a cell, under which heading, and in which reports."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from operator import attrgetter

from perfcheck.model import EarlierRun, EndpointChange, EndpointResult, Run
from perfcheck.report.explain import LONGEST_TEXT, baseline_lines, in_short, reason
from perfcheck.report.figures import (
    change_interval,
    change_text,
    compared_text,
    in_ms,
    interval,
    measured,
    ratio_to_target,
    reference_text,
)
from perfcheck.text import clean
from perfcheck.words import plural

CsvValue = str | float | bool | None


class Report(Flag):
    """The reports that have tables."""

    CONSOLE = auto()
    MARKDOWN = auto()
    HTML = auto()


_ALL = ~Report(0)


class JudgedBy(Flag):
    """What a run is judged by; a column may fit one of them only."""

    TARGETS = auto()
    COMPARISON = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the tables that people read."""

    key: str
    text: Callable[[EndpointResult, EndpointChange | None], str]
    reports: Report = _ALL
    judged_by: JudgedBy = ~JudgedBy(0)
    heading: str | None = None  # the key, if not another
    short: str | None = None  # the heading on a terminal, if not the same
    right: bool = True
    dropped: int = 0  # on a terminal: 1 is the first to go when it is narrow; 0 stays

    def title(self, report: Report) -> str:
        heading = self.key if self.heading is None else self.heading
        return self.short if report is Report.CONSOLE and self.short is not None else heading


_TARGETS, _COMPARISON = JudgedBy
_CONSOLE, _MARKDOWN, _HTML = Report

COLUMNS = (
    Column("verdict", lambda result, _: result.verdict, short="", right=False),
    Column("endpoint", lambda result, _: clean(result.name), right=False),
    Column(
        "path",
        lambda result, _: "critical" if result.critical_path else "",
        _CONSOLE | _MARKDOWN,
        _TARGETS,
        right=False,
    ),
    Column("measured", lambda result, _: measured(result), _ALL, _TARGETS, "measured ms", "ms"),
    Column("interval", lambda result, _: interval(result), _ALL, _TARGETS, dropped=3),
    Column("target", lambda result, _: reference_text(result), _ALL, _TARGETS),
    Column("ideal", lambda result, _: in_ms(result.ideal_ms, result), _CONSOLE, _TARGETS, dropped=2),
    Column("ratio", lambda result, _: ratio_to_target(result), _ALL, _TARGETS),
    Column(
        "before",
        lambda result, change: in_ms(change.before_ms, result) if change else "-",
        _MARKDOWN,
        _TARGETS,
        "before ms",
    ),
    Column("change", lambda _, change: change_text(change) if change else "-", _ALL, _TARGETS),
    Column("before", lambda result, _: reference_text(result), _ALL, _COMPARISON, "before ms", "before"),
    Column("measured", lambda result, _: measured(result), _ALL, _COMPARISON, "now ms", "now"),
    Column("change", lambda result, _: compared_text(result), _ALL, _COMPARISON),
    Column("interval", lambda result, _: change_interval(result), _ALL, _COMPARISON, dropped=2),
    Column("compared", lambda result, _: _compared(result), _CONSOLE, _COMPARISON, dropped=3),
    Column("requests", lambda result, _: str(result.requests.sent), _HTML),
    Column("reqs", lambda result, _: str(result.requests.sent), _CONSOLE, _TARGETS, dropped=4),
    Column("spread", lambda _, __: "", _CONSOLE | _HTML, right=False, dropped=1),  # a picture
    Column("why", lambda result, _: in_short(result), _MARKDOWN, right=False),
)


def columns_of(run: Run, report: Report, earlier: EarlierRun | None) -> list[Column]:
    """Those of a report that have something in them; ``earlier`` is what changes are shown since."""
    judged_by = JudgedBy.COMPARISON if run.is_comparison else JudgedBy.TARGETS
    empty = set() if run.has_critical_path else {"path"}
    if judged_by is JudgedBy.TARGETS and earlier is None:
        empty |= {"before", "change"}
    if run.is_of_monitor:
        empty.add("interval")
    columns = (column for column in COLUMNS if report in column.reports and judged_by in column.judged_by)
    return [column for column in columns if column.key not in empty]


def _compared(result: EndpointResult) -> str:
    """``23 pairs``, ``67, 67``: how much there is to compare."""
    comparison = result.comparison
    if comparison is None:
        return "-"
    if comparison.pairs is not None:
        return plural(comparison.pairs, "pair")
    return f"{comparison.before_samples}, {comparison.after_samples}"


# --- CSV -----------------------------------------------------------------------------------------------------------


def _errors(result: EndpointResult) -> str:
    """``status: 3, timeout: 1``."""
    return clean(", ".join(f"{kind}: {count}" for kind, count in result.errors.items()), LONGEST_TEXT)


def _steps(result: EndpointResult) -> str:
    """``login: 5.2, search: 32.1``: in milliseconds; of a page each figure in its unit."""
    named = ((step.name, "-" if step.value_ms is None else f"{step.value_ms:.6g}") for step in result.steps)
    return clean(", ".join(f"{name}: {value}" for name, value in named), LONGEST_TEXT)


_COUNTS = ("sent", "succeeded", "failed", "warmup", "judged")
_PHASES = ("dns", "connect", "tls", "wait", "download")
_STATISTICS = ("min", "mean", "stdev", "median", "p75", "p90", "p95", "p99", "max")
CSV_COLUMNS: dict[str, Callable[[EndpointResult], CsvValue]] = {
    "group": lambda result: clean(result.group or ""),
    "method": lambda result: clean(result.method),
    "url": lambda result: clean("" if result.is_workflow else result.url, LONGEST_TEXT),
    **{name: attrgetter(name) for name in ("verdict", "decided", "metric", "value_ms", "over_timeout")},
    "interval_low_ms": lambda result: result.interval_ms[0],
    "interval_high_ms": lambda result: result.interval_ms[1],
    **{f"{name}_ms": attrgetter(f"{name}_ms") for name in ("target", "ideal", "warning", "critical", "ceiling")},
    "ratio": lambda result: result.ratio,
    **{f"requests_{name}": attrgetter(f"requests.{name}") for name in _COUNTS},
    "error_rate": lambda result: result.error_rate,
    "error_rate_bound": lambda result: result.error_rate_bound,
    "errors": _errors,
    **{f"latency_{name}_ms": attrgetter(f"latency_ms.{name}") for name in _STATISTICS},
    **{f"phase_{name}_ms": attrgetter(f"phases_ms.{name}") for name in _PHASES},
    "body_bytes": lambda result: result.body_bytes,
    "reason": reason,
    "baseline_line": lambda result: next(iter(baseline_lines(result)), None),
    "concurrency": lambda result: result.concurrency,
    "unconfirmed": lambda result: result.unconfirmed,
    "metric_of": lambda result: result.metric_of,
    "steps": _steps,
    "unit": lambda result: result.unit,
}
CSV_CHANGE_COLUMNS: dict[str, Callable[[EndpointChange], CsvValue]] = {
    "change_from_ms": lambda change: change.before_ms,
    "change_ratio": lambda change: change.ratio if math.isfinite(change.ratio) else None,
    "change_clear": lambda change: change.clear,
}
