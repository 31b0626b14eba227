"""A run put together from its parts: the same for a check, a comparison, and a reading of the monitor."""

from __future__ import annotations

import platform
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from perfcheck import __version__
from perfcheck.client.client import Client
from perfcheck.engine.session import Course
from perfcheck.model import (
    Against,
    Baseline,
    BaselineInfo,
    Counts,
    EndpointResult,
    Environment,
    Finding,
    Run,
    ServiceInfo,
    Tool,
    Verdict,
)
from perfcheck.runfile import FORMAT
from perfcheck.stats.boundaries import ALPHA
from perfcheck.text import Redactor
from perfcheck.times import rfc3339

_LONGEST_PATH = 4096


@dataclass(frozen=True, slots=True)
class Outcome:
    run: Run
    defect: Exception | None  # what cut the run short, or kept it from starting: to be raised after the reports


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run comes from, and what it was to be."""

    client: Client
    environment: Environment
    baseline: Baseline | None
    redact: Redactor
    label: str | None
    command: tuple[str, ...]  # words that, with a name behind them, check that endpoint again
    course: Course
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """What it came to."""

    results: Sequence[EndpointResult]
    verdict: Verdict
    counts: Counts
    exit_code: int
    complete: bool
    findings: Sequence[Finding]  # of the run as a whole


def assemble_run(origin: Origin, judged: Judged, against: Against | None = None) -> Run:
    """With an id of its own; it ends now."""
    baseline = origin.baseline
    return Run(
        format=FORMAT,
        id=str(uuid.uuid4()),
        label=origin.label,
        started_at=rfc3339(origin.course.started_at),
        finished_at=rfc3339(datetime.now(UTC)),
        duration_ms=origin.course.duration_ms,
        tool=Tool(__version__, origin.client.description, platform.python_version()),
        environment=origin.environment,
        service=ServiceInfo(origin.client.base_url_shown),
        baseline=_about(baseline, origin.redact),
        seed=origin.seed,
        alpha=ALPHA,
        verdict=judged.verdict,
        exit_code=judged.exit_code,
        complete=judged.complete,
        counts=judged.counts,
        runner=origin.course.runner,
        findings=tuple(judged.findings),
        endpoints=tuple(judged.results),
        command=origin.command,
        groups={g.name: g.title for g in baseline.groups if g.title != g.name} if baseline else {},
        against=against,
    )


def _about(baseline: Baseline | None, redact: Redactor) -> BaselineInfo:
    if baseline is None:
        return BaselineInfo("", "")
    return BaselineInfo(redact.clean(baseline.file, _LONGEST_PATH), baseline.sha256)
