"""The result for GitHub Actions: annotations at the baseline, a job summary, and outputs for later steps."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from perfcheck.errors import EXIT_NOT_MEASURED
from perfcheck.model import EarlierRun, EndpointResult, Run, Severity, Verdict
from perfcheck.report import markdown
from perfcheck.report.explain import Label, baseline_lines, explain, qualified_verdict
from perfcheck.report.glyphs import shorten
from perfcheck.report.run_summary import changes_to_show, headline, in_order, may_pass, requests_sent
from perfcheck.report.workflow_commands import Level, file_in, workflow_command
from perfcheck.text import clean
from perfcheck.words import and_more

_MOST_OF_A_LEVEL = 10  # that GitHub shows of a step; it drops the rest silently
_LONGEST_TITLE = 120
_LONGEST_LINE = 300
_MOST_NAMED = 10
_LEFT_OUT = {Label.REQUEST, Label.NOTE, Label.STEP, Label.SLOW_STEP, Label.PAGE, Label.FILE, Label.BASELINE}
_LEVELS: tuple[Level, ...] = ("error", "warning", "notice")
# A severity equals the verdict of that name.
_LEVEL_OF: dict[Verdict | Severity, Level] = {
    Verdict.CRITICAL: "error",
    Verdict.NOT_MEASURED: "error",  # it fails the run too
    Verdict.WARNING: "warning",
    Severity.NOTE: "notice",
}


@dataclass(frozen=True, slots=True)
class _Annotation:
    level: Level
    subject: str
    title: str
    message: str
    line: int | None = None  # in the baseline


def render(run: Run, earlier: EarlierRun | None = None, *, workspace: Path | None = None) -> str:
    """Annotations as workflow commands, one a line, the worst first: at most ten of a level, the last for the rest.

    An endpoint's is at the line of the limit that was broken. ``workspace`` is the folder that the repository was
    checked out to (GITHUB_WORKSPACE), by default the current one; a baseline outside of it is not named. Empty for a
    run in which all is well.
    """
    file = _within(workspace or Path(), run.baseline.file)
    annotations = list(_annotations(run, changes_to_show(run, earlier)))
    by_level = ([annotation for annotation in annotations if annotation.level == level] for level in _LEVELS)
    return "".join(_command(annotation, file) + "\n" for of_level in by_level for annotation in _first(of_level))


def _command(annotation: _Annotation, file: str | None) -> str:
    return workflow_command(
        annotation.level,
        annotation.message,
        title=annotation.title,
        file=file if annotation.line else None,
        line=annotation.line if file else None,
    )


def _annotations(run: Run, since: EarlierRun | None) -> Iterator[_Annotation]:
    """Of the run itself first: they may explain the others."""
    if not run.endpoints:
        yield _Annotation("error", "the run", "perfcheck", headline(run))
    for finding in run.findings:
        message = _joined([finding.message, finding.remedy or ""])
        yield _Annotation(_LEVEL_OF[finding.severity], "the run", f"perfcheck: {finding.severity}", message)
    for result in in_order(run):
        if result.needs_attention:
            name = shorten(clean(result.name, len(result.name)), _LONGEST_TITLE, "...")
            message = _message(run, result, since)
            line = next(iter(baseline_lines(result)), None)
            yield _Annotation(_level(run, result), name, f"{qualified_verdict(result)}: {name}", message, line)


def _level(run: Run, result: EndpointResult) -> Level:
    if may_pass(run, result):
        return "warning"
    return "error" if result.unconfirmed and run.exit_code == EXIT_NOT_MEASURED else _LEVEL_OF[result.verdict]


def _message(run: Run, result: EndpointResult, since: EarlierRun | None) -> str:
    """Without the notes and the request, for which an annotation has no room; its place is that in the baseline."""
    lines = [line for line in explain(run, result, since) if line.label not in _LEFT_OUT]
    return _joined([text if label is Label.WHY else f"{label}: {text}" for label, text in lines])


def _joined(texts: Sequence[str]) -> str:
    """The texts that are not empty, one a line, none twice."""
    return "\n".join(dict.fromkeys(clean(text, _LONGEST_LINE) for text in texts if text))


def _first(annotations: Sequence[_Annotation]) -> list[_Annotation]:
    if len(annotations) <= _MOST_OF_A_LEVEL:
        return list(annotations)
    shown, rest = annotations[: _MOST_OF_A_LEVEL - 1], annotations[_MOST_OF_A_LEVEL - 1 :]
    names = and_more([annotation.subject for annotation in rest], _MOST_NAMED)
    message = f"GitHub shows at most ten of each level; the job summary and the other reports have the rest: {names}"
    return [*shown, _Annotation(annotations[0].level, "", f"{len(rest)} more like these", message)]


def _within(workspace: Path, file: str) -> str | None:
    """The file relative to the workspace, with forward slashes; None for one elsewhere, and for what is not a file.

    A run may be reported where its baseline is not, so a name with a suffix is taken for a file.
    """
    try:
        relative = file_in(workspace, file)
        is_file = bool(Path(file).suffix) or Path(file).is_file()
    except (OSError, ValueError):  # not a path at all
        return None
    return relative if relative and is_file and relative.isprintable() else None


def summary(run: Run, earlier: EarlierRun | None = None, *, room: int) -> str:
    """For the job summary, in at most ``room`` bytes: GitHub shows none at all when it is longer than 1 MiB a step.

    Begins with a blank line, since the summary may have other content already.
    """
    text = markdown.render(run, earlier, limit=room - len("\n"))
    return f"\n{text}" if text else ""


def outputs(run: Run, reports: Mapping[str, Path]) -> str:
    """What to append to the file GITHUB_OUTPUT: verdict, counts and paths for the steps that follow.

    ``reports`` are the files by format: ``report-html`` and so on, and ``run-file`` for the format ``json``. Foreign
    text is put between two lines that nobody can guess, so that it cannot end early and set another output.
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
