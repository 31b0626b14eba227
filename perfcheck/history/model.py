"""What the history holds: the vocabulary of past runs and of what became of them over time.

Beside ``perfcheck.model``, and like it: types that every part may speak in, and nothing here does any work. Times are
UTC as a run file has them (RFC 3339), which sort as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

from perfcheck.model import Counts, Metric, Source, Verdict


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run, as a list of them shows it."""

    id: str
    label: str | None
    started_at: str
    duration_ms: float
    verdict: Verdict
    exit_code: int
    complete: bool
    counts: Counts
    source: Source  # measured, or read from the monitor inside the service
    commit: str | None
    branch: str | None
    dirty: bool | None
    ci: str | None
    machine: str  # platform and CPUs
    base_url: str
    baseline_file: str
    baseline_sha256: str


@dataclass(frozen=True, slots=True)
class PastMeasurement:
    """One endpoint in one past run."""

    run_id: str
    started_at: str
    label: str | None
    commit: str | None
    endpoint: str
    group: str | None
    series: str  # equal for those that may be compared: same machine, baseline, request and metric
    machine: str
    source: Source
    verdict: Verdict
    decided: bool
    metric: Metric
    value_ms: float | None
    interval_ms: tuple[float | None, float | None]
    median_ms: float | None
    p95_ms: float | None
    spread: float | None  # interquartile range of the samples over their median: consistency
    target_ms: float | None
    ideal_ms: float | None
    error_rate: float | None
    requests: int  # sent by the check; or, by the monitor's count, by everyone
    critical_path: bool


@dataclass(frozen=True, slots=True)
class Note:
    """An incident, its cause and its fix, as somebody wrote them down. Of a run, or of a commit."""

    id: int
    created_at: str
    run_id: str | None
    commit: str | None
    incident: str
    cause: str | None = None
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A promise that is to become another one; ``before_ms`` is None for a first one. ``why`` has the figures."""

    before_ms: float | None
    after_ms: float
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What past runs say that an endpoint can promise, beside what it promises today.

    Without moves, ``why`` says why there are none.
    """

    endpoint: str
    metric: Metric
    target_ms: float | None
    ideal_ms: float | None
    runs: int  # good ones that it rests on
    target: Move | None
    ideal: Move | None
    why: str

    @property
    def has_moves(self) -> bool:
        return self.target is not None or self.ideal is not None
