"""What a lint came to, as text, JSON, or annotations of GitHub Actions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from perfcheck.lint.model import Finding, Framework, Place, Remark, Result, Route
from perfcheck.report.workflow_commands import file_in, workflow_command
from perfcheck.text import clean

FORMAT = "perfcheck.lint/1"
_LONGEST = 400  # characters of a message or a path
_TITLE = "Not monitored"
_INIT = {
    Framework.FLASK: "from perfcheck.monitor.flask import init_app",
    Framework.FASTAPI: "from perfcheck.monitor.fastapi import init_app",
    Framework.STARLETTE: "from perfcheck.monitor.fastapi import init_app",
}
_DJANGO = 'MIDDLEWARE = ["perfcheck.monitor.django.middleware.MonitorMiddleware", ...]'


def text(result: Result) -> str:
    """A line for each finding and note, then what to do about them, then the count. Ends with a line break."""
    lines = sorted(
        [
            *((finding.place, finding.message) for finding in result.findings),
            *((remark.place, remark.message) for remark in result.wrong_ignores),
            *((remark.place, f"note: {remark.message}") for remark in result.notes),
        ]
    )
    shown = [f"{_at(place)}: {clean(message, _LONGEST)}" for place, message in lines]
    return "\n".join([*shown, *_remedy(result), _summary(result)]) + "\n"


def problems(result: Result) -> Iterator[str]:
    """A line for each file that could not be read."""
    for problem in result.problems:
        yield f"{_at(problem.place)}: {clean(problem.message, _LONGEST)}"


def as_json(result: Result) -> str:
    """Every finding, note and problem, with the counts. Ends with a line break."""
    document = {
        "format": FORMAT,
        "summary": {
            "files": result.files,
            "handlers": result.handlers,
            "monitored": result.monitored,
            "ignored": result.ignored,
            "not_monitored": len(result.findings),
        },
        "findings": [_finding(finding) for finding in result.findings],
        "wrong_ignores": [_remark(remark) for remark in result.wrong_ignores],
        "notes": [_remark(remark) for remark in result.notes],
        "problems": [_remark(remark) for remark in result.problems],
    }
    return json.dumps(document, indent=2) + "\n"


def as_github(result: Result, workspace: Path | None) -> str:
    """A line for each annotation: findings are warnings, files that could not be read are errors."""
    lines = [
        *(_annotation("warning", finding.place, finding.message, workspace) for finding in result.findings),
        *(_annotation("warning", remark.place, remark.message, workspace, "Ignore") for remark in result.wrong_ignores),
        *(_annotation("notice", remark.place, remark.message, workspace, "Ignore") for remark in result.notes),
        *(_annotation("error", remark.place, remark.message, workspace, "Not read") for remark in result.problems),
    ]
    return "".join(line + "\n" for line in lines)


def _annotation(kind: Any, place: Place, message: str, workspace: Path | None, title: str = _TITLE) -> str:
    return workflow_command(
        kind,
        clean(message, _LONGEST),
        title=title,
        file=clean(file_in(workspace, place.file), 4096),
        line=place.line,
        col=place.column,
    )


def _at(place: Place) -> str:
    return f"{clean(place.file, 4096)}:{place.line}:{place.column}"


def _summary(result: Result) -> str:
    handlers = _count(result.handlers, "handler")
    files = _count(result.files, "file")
    counts = f"{result.monitored} monitored, {result.ignored} ignored, {len(result.findings)} not"
    unread = f"; {_count(len(result.problems), 'file')} could not be read" if result.problems else ""
    return f"{handlers} in {files}: {counts}{unread}"


def _remedy(result: Result) -> Iterator[str]:
    """For the framework with the most findings: two lines monitor a whole app."""
    if not result.findings:
        return
    counted = Counter(finding.framework for finding in result.findings)
    framework = min(counted, key=lambda one: (-counted[one], one))
    if framework is Framework.DJANGO:
        yield f"help: in settings.py, {_DJANGO} monitors every view;"
    else:
        yield f"help: `{_INIT[framework]}` and `init_app(app)` monitor every route of an app;"
    yield "      one handler alone: @monitor_performance below its route, or # perfcheck: ignore[why not]"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        **asdict(finding.place),
        "handler": finding.handler,
        "framework": str(finding.framework),
        "routes": [_route(route) for route in finding.routes],
        "message": finding.message,
    }


def _route(route: Route) -> dict[str, Any]:
    return {"methods": list(route.methods), "path": route.path, **asdict(route.place)}


def _remark(remark: Remark) -> dict[str, Any]:
    return {**asdict(remark.place), "message": remark.message}
