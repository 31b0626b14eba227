"""The result of a lint as text, JSON, or annotations of GitHub Actions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from perfcheck.lint.vocabulary import Framework, LintResult, Remark, SourceLocation, UnmonitoredHandler
from perfcheck.report.workflow_commands import file_in, workflow_command
from perfcheck.text import clean
from perfcheck.words import plural

FORMAT = "perfcheck.lint/1"
_LONGEST = 400  # characters of a message or a path
_INIT = "help: `from perfcheck.monitor.{} import init_app` and `init_app(app)` monitor every route of an app;"
_DJANGO = 'MIDDLEWARE = ["perfcheck.monitor.django.middleware.MonitorMiddleware", ...]'
_HELP = {
    Framework.FLASK: _INIT.format("flask"),
    Framework.FASTAPI: _INIT.format("fastapi"),
    Framework.STARLETTE: _INIT.format("fastapi"),
    Framework.DJANGO: f"help: in settings.py, {_DJANGO} monitors every view;",
}


def text(result: LintResult) -> str:
    """A line for each finding and note, then the remedy, then the counts. Ends with a line break."""
    lines = sorted(
        [
            *((finding.location, finding.message) for finding in (*result.findings, *result.unknown)),
            *((remark.location, remark.message) for remark in result.wrong_ignores),
            *((remark.location, f"note: {remark.message}") for remark in result.notes),
        ]
    )
    shown = [f"{_at(location)}: {clean(message, _LONGEST)}" for location, message in lines]
    return "\n".join([*shown, *_remedy(result), _summary(result)]) + "\n"


def problems(result: LintResult) -> Iterator[str]:
    """A line for each file that could not be read."""
    for problem in result.problems:
        yield f"{_at(problem.location)}: {clean(problem.message, _LONGEST)}"


def as_json(result: LintResult) -> str:
    """Every finding, note and problem, with the counts. Ends with a line break."""
    document = {
        "format": FORMAT,
        "summary": {
            "files": result.files,
            "handlers": result.handlers,
            "monitored": result.monitored,
            "ignored": result.ignored,
            "not_monitored": len(result.findings),
            "unknown": len(result.unknown),
        },
        "findings": [_finding(finding) for finding in result.findings],
        "unknown": [_finding(finding) for finding in result.unknown],
        "apps_without_monitor": [{**asdict(app.location), "app": app.message} for app in result.apps],
        "wrong_ignores": [_remark(remark) for remark in result.wrong_ignores],
        "notes": [_remark(remark) for remark in result.notes],
        "problems": [_remark(remark) for remark in result.problems],
    }
    return json.dumps(document, indent=2) + "\n"


def as_github(result: LintResult, workspace: Path | None) -> str:
    """A line for each annotation: findings are warnings, files that could not be read are errors."""
    lists: list[tuple[Any, str, Sequence[UnmonitoredHandler | Remark]]] = [
        ("warning", "Not monitored", result.findings),
        ("warning", "Unknown whether monitored", result.unknown),
        ("warning", "Ignore", result.wrong_ignores),
        ("notice", "Ignore", result.notes),
        ("error", "Not read", result.problems),
    ]
    commands = (
        workflow_command(
            kind,
            clean(item.message, _LONGEST),
            title=title,
            file=clean(file_in(workspace, item.location.file) or item.location.file, 4096),
            line=item.location.line,
            col=item.location.column,
        )
        for kind, title, items in lists
        for item in items
    )
    return "".join(command + "\n" for command in commands)


def _at(location: SourceLocation) -> str:
    return f"{clean(location.file, 4096)}:{location.line}:{location.column}"


def _summary(result: LintResult) -> str:
    handlers = plural(result.handlers, "handler")
    files = plural(result.files, "file")
    counts = f"{result.monitored} monitored, {result.ignored} ignored, {len(result.findings)} not monitored"
    counts += f", {len(result.unknown)} unknown" if result.unknown else ""
    unread = f"; {plural(len(result.problems), 'file')} could not be read" if result.problems else ""
    return f"{handlers} in {files}: {counts}{unread}"


def _remedy(result: LintResult) -> Iterator[str]:
    """For the framework with the most findings: two lines monitor a whole app."""
    counted = Counter(finding.framework for finding in (*result.findings, *result.unknown))
    if not counted:
        return
    yield _HELP[min(counted, key=lambda framework: (-counted[framework], framework))]
    yield "      for a single handler: @monitor_performance below its route, or # perfcheck: ignore[reason]"
    if result.apps:
        apps = ", ".join(f"{app.message} ({_at(app.location)})" for app in result.apps)
        yield f"      without a monitor: {clean(apps, _LONGEST)}"


def _finding(finding: UnmonitoredHandler) -> dict[str, Any]:
    return {
        **asdict(finding.location),
        "handler": finding.handler,
        "framework": str(finding.framework),
        "routes": [
            {"methods": list(route.methods), "path": route.path, **asdict(route.location)} for route in finding.routes
        ],
        "message": finding.message,
    }


def _remark(remark: Remark) -> dict[str, Any]:
    return {**asdict(remark.location), "message": remark.message}
