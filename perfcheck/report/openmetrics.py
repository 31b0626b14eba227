"""OpenMetrics 1.0 text: for GitLab's metrics report, the textfile collector of Prometheus, a push gateway.

Base units throughout: seconds, bytes, ratios. What is not known is left out, since 0 would be a measurement.

GitLab splits a line as a shell does: the first word, labels included, is the name, the second the value, and a ``#``
begins a comment even within a label, where it leaves a quote open and the whole report is refused. It compares values
as text with those of the target branch and lists what changed first, in the order of the file. So no label holds a
``#``; what differs in every run (commit, start) stands in no label beside a figure; and verdicts come before latencies,
and these before what explains them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from perfcheck.model import Run, Verdict
from perfcheck.report.changes import figures
from perfcheck.report.metric_families import COMMENT, FAMILIES, Family, change_family, label
from perfcheck.report.names import LONGEST_NAME, distinct
from perfcheck.text import clean
from perfcheck.times import parse_time

_UNITS = {"seconds", "bytes", "ratio"}


def render(run: Run, previous: Run | None = None) -> str:
    """The run as OpenMetrics text; beside an earlier run, with the change of each latency that both measured.

    Figures are exact to a picosecond (12 decimals) and have no exponent. An endpoint whose name cannot stand in a label
    as it is, or not in 200 characters, has a short hash of it in its label.
    """
    labels = list(_labels(run))
    since = figures(run, previous)
    lines = _counts(run)
    for family in (*FAMILIES, change_family(since)):
        lines += _lines(family, run, labels)
    return "\n".join([*lines, *_of_the_run(run), "# EOF\n"])


def _labels(run: Run) -> Iterator[str]:
    names = distinct((result.name for result in run.endpoints), without=COMMENT)
    groups = list(dict.fromkeys(result.group for result in run.endpoints if result.group))
    shown = dict(zip(groups, distinct(groups, without=COMMENT), strict=True))
    for name, result in zip(names, run.endpoints, strict=True):
        group = f",{label('group', shown[result.group])}" if result.group else ""
        yield label("endpoint", name) + group


def _lines(family: Family, run: Run, labels: list[str]) -> list[str]:
    samples = [
        f"{family.name}{{{own}{further}}} {_number(value)}"
        for own, result in zip(labels, run.endpoints, strict=True)
        for further, value in family.values(result)
        if value is not None and math.isfinite(value)
    ]
    return [*_metadata(family.name, family.type, family.help), *samples] if samples else []


def _metadata(name: str, kind: str, told: str) -> list[str]:
    unit = name.rpartition("_")[2]
    lines = [f"# TYPE {name} {kind}", f"# HELP {name} {told}"]
    return [*lines, f"# UNIT {name} {unit}"] if unit in _UNITS else lines


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.12f}".rstrip("0").rstrip(".")


# --- The run -------------------------------------------------------------------------------------------------------


def _counts(run: Run) -> list[str]:
    counts = run.counts
    numbers = {
        Verdict.OK: counts.ok,
        Verdict.WARNING: counts.warning,
        Verdict.CRITICAL: counts.critical,
        Verdict.NOT_MEASURED: counts.not_measured,
    }
    samples = [f'perfcheck_endpoints{{verdict="{verdict}"}} {number}' for verdict, number in numbers.items()]
    return [*_metadata("perfcheck_endpoints", "gauge", "Endpoints by verdict."), *samples]


def _of_the_run(run: Run) -> Iterator[str]:
    figures: list[tuple[str, str, float | None]] = [
        ("perfcheck_run_exit_code", "The exit code of the check.", run.exit_code),
        ("perfcheck_run_duration_seconds", "How long the check took.", run.duration_ms / 1000),
        ("perfcheck_run_started_timestamp_seconds", "When the check began, Unix time.", _unix_time(run.started_at)),
    ]
    for name, told, value in figures:
        if value is not None:
            yield from (*_metadata(name, "gauge", told), f"{name} {_number(value)}")
    known = {
        "version": run.tool.version,
        "commit": run.environment.commit,
        "branch": run.environment.branch,
        "label": run.label,
    }
    shown = {name: clean(value or "", LONGEST_NAME).replace(COMMENT, "_") for name, value in known.items()}
    yield from _metadata("perfcheck_run", "info", "What was checked, and by which perfcheck.")
    yield f"perfcheck_run_info{{{','.join(label(name, value) for name, value in shown.items() if value)}}} 1"


def _unix_time(text: str) -> float | None:
    time = parse_time(text)
    return None if time is None else time.timestamp()
