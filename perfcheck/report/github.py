"""The result for GitHub Actions: annotations beside the baseline, a job summary, and outputs for later steps."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from perfcheck.model import EndpointResult, Run, Severity, Verdict
from perfcheck.report import markdown
from perfcheck.report.changes import Change, changes
from perfcheck.report.glyphs import shorten
from perfcheck.report.wording import (
    baseline_lines,
    evidence,
    headline,
    in_order,
    needs_attention,
    reasons,
    requests_sent,
    rerun,
    where_the_time_went,
)
from perfcheck.report.workflow_commands import Kind, workflow_command
from perfcheck.text import clean
from perfcheck.units import format_ms

_MOST_OF_A_KIND = 10  # that GitHub shows of a step; it drops the rest without a word
_LONGEST_TITLE = 120
_LONGEST_LINE = 300
_MOST_NAMED = 10
_KINDS: tuple[Kind, ...] = ("error", "warning", "notice")
_OF_VERDICT: dict[Verdict, Kind] = {
    Verdict.CRITICAL: "error",
    Verdict.NOT_MEASURED: "error",  # it fails the run too
    Verdict.WARNING: "warning",
}
_OF_SEVERITY: dict[Severity, Kind] = {
    Severity.CRITICAL: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "notice",
}


@dataclass(frozen=True, slots=True)
class _Annotation:
    kind: Kind
    subject: str
    title: str
    message: str
    line: int | None = None  # in the baseline


def render(run: Run, previous: Run | None = None, *, workspace: Path | None = None) -> str:
    """Annotations as workflow commands, one a line, the worst first: at most ten of a kind, the last tells of more.

    An endpoint's stands at the line of the promise that was broken. ``workspace`` is the folder that the repository was
    checked out to (GITHUB_WORKSPACE), by default the current one; a baseline that lies elsewhere is not named. Nothing
    at all for a run in which all is well.
    """
    file = _within(workspace or Path(), run.baseline.file)
    found = list(_annotations(run, changes(run, previous)))
    shown = [one for kind in _KINDS for one in _first([one for one in found if one.kind == kind])]
    return "".join(
        workflow_command(
            one.kind,
            one.message,
            title=one.title,
            file=file if one.line else None,
            line=one.line if file else None,
        )
        + "\n"
        for one in shown
    )


def _annotations(run: Run, changed: Mapping[str, Change]) -> Iterator[_Annotation]:
    """Of the run as a whole first: they may explain the others."""
    if not run.endpoints:
        yield _Annotation("error", "the run", "perfcheck", headline(run))
    for finding in run.findings:
        message = _lines([finding.message, finding.remedy])
        yield _Annotation(_OF_SEVERITY[finding.severity], "the run", f"perfcheck: {finding.severity}", message)
    for result in in_order(run):
        if needs_attention(result):
            name = shorten(clean(result.name, len(result.name)), _LONGEST_TITLE, "...")
            message = _message(run, result, changed.get(result.name))
            line = next(iter(baseline_lines(result)), None)
            yield _Annotation(_OF_VERDICT[result.verdict], name, f"{result.verdict}: {name}", message, line)


def _message(run: Run, result: EndpointResult, change: Change | None) -> str:
    told = [finding.message for finding in reasons(result)]
    if change is not None:
        told.append(f"{format_ms(change.now_ms)}, was {format_ms(change.before_ms)} ({change.text})")
    told += [where_the_time_went(result), evidence(result)]
    told += [finding.remedy or "" for finding in result.findings]
    return _lines([*told, f"rerun: {rerun(run, result.name)}"])


def _lines(texts: Sequence[str | None]) -> str:
    """Those that say something, a line each, none twice."""
    return "\n".join(dict.fromkeys(clean(text, _LONGEST_LINE) for text in texts if text))


def _first(found: Sequence[_Annotation]) -> list[_Annotation]:
    if len(found) <= _MOST_OF_A_KIND:
        return list(found)
    shown, rest = found[: _MOST_OF_A_KIND - 1], found[_MOST_OF_A_KIND - 1 :]
    names = ", ".join(one.subject for one in rest[:_MOST_NAMED]) + (", ..." if len(rest) > _MOST_NAMED else "")
    message = f"GitHub shows ten of a kind. The job summary and the other reports have the rest: {names}"
    return [*shown, _Annotation(found[0].kind, "", f"{len(rest)} more like these", message)]


def _within(workspace: Path, file: str) -> str | None:
    """The file relative to the workspace, with forward slashes; None for one elsewhere, and for what is no file.

    A run may be reported where its baseline is not, so a name that ends like one of a file is taken for one.
    """
    try:
        path = Path(file)
        place = path.parent.resolve() / path.name
        relative = place.relative_to(workspace.resolve()).as_posix()
        a_file = bool(path.suffix) or place.is_file()
    except (OSError, ValueError, RuntimeError):  # elsewhere, a loop of links, or no such thing as a path
        return None
    return relative if a_file and relative.isprintable() else None


def summary(run: Run, previous: Run | None = None, *, room: int) -> str:
    """For the job summary, in at most ``room`` bytes: GitHub shows none at all when it is longer than 1 MiB a step.

    Begins with a blank line, since something else may stand there already.
    """
    text = markdown.render(run, previous, limit=room - len("\n"))
    return f"\n{text}" if text else ""


def outputs(run: Run, reports: Mapping[str, Path]) -> str:
    """What to append to the file GITHUB_OUTPUT: verdict, counts and paths for the steps that follow.

    ``reports`` are the files by format: ``report-html`` and so on, and ``run-file`` for the format ``json``. Foreign
    text stands between two lines that nobody can guess, so that it cannot end early and set another output.
    """
    counts = run.counts
    own = {
        "verdict": run.verdict,
        "exit-code": run.exit_code,
        "ok": counts.ok,
        "warning": counts.warning,
        "critical": counts.critical,
        "not-measured": counts.not_measured,
        "requests": requests_sent(run),
        "duration-ms": round(run.duration_ms),
    }
    foreign = {"headline": headline(run)}
    for report, path in reports.items():
        name = "run-file" if report == "json" else f"report-{report}"
        foreign[name] = os.fsencode(path).decode("utf-8", "replace")
    fence = f"perfcheck_{secrets.token_hex(16)}"
    lines = [f"{name}={value}" for name, value in own.items()]
    lines += [f"{name}<<{fence}\n{value}\n{fence}" for name, value in foreign.items()]
    return "".join(line + "\n" for line in lines)
