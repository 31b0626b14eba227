"""Past runs, their measurements, notes on them, and targets proposed from them.

Types only. Times are UTC as a run file has them (RFC 3339), which sort as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from perfcheck.errors import UsageError
from perfcheck.model import METRICS_BY_NAME, Counts, LoadModel, MetricOf, Source, Unit, Verdict


class NoSuchRunError(UsageError):
    """No run in the history has this id or label, or there is no history yet."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run, without its measurements."""

    id: str
    label: str | None
    started_at: str
    duration_ms: float
    verdict: Verdict
    exit_code: int
    complete: bool
    counts: Counts
    source: Source  # measured, read from the monitor inside the service, or a search for the capacity
    commit: str | None
    branch: str | None
    dirty: bool | None
    ci: str | None
    machine: str  # platform and CPUs
    base_url: str
    baseline_file: str
    baseline_sha256: str


@dataclass(frozen=True, slots=True)
class BranchRuns:
    """How many runs a branch has; None: those without a branch."""

    branch: str | None
    runs: int


class PastMeasurement(NamedTuple):
    """One endpoint in one past run, or the capacity of the service.

    A tuple, since there may be hundreds of thousands, and no class is made as fast.
    """

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
    metric: str  # with what it is of: "median", "p95 to first byte", "median bytes"
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

    @property
    def metric_of(self) -> MetricOf | LoadModel:
        return METRICS_BY_NAME[self.metric]

    @property
    def unit(self) -> Unit:
        return self.metric_of.unit


@dataclass(frozen=True, slots=True)
class Note:
    """An incident of a run or of a commit, with its cause and its fix, as a user recorded them."""

    id: int
    created_at: str
    run_id: str | None
    commit: str | None
    incident: str
    cause: str | None = None
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class ProposedValue:
    """A new target or ideal; ``before_ms`` is None for a first one. ``why`` has the figures."""

    before_ms: float | None
    after_ms: float
    why: str

    @property
    def is_looser(self) -> bool:
        return self.before_ms is not None and self.after_ms > self.before_ms


@dataclass(frozen=True, slots=True)
class Proposal:
    """The target and ideal of an endpoint today, and what past runs suggest instead.

    Where nothing is proposed, ``why`` gives the reason.
    """

    endpoint: str
    metric: str
    target_ms: float | None
    ideal_ms: float | None
    runs: int  # good ones that it is based on
    target: ProposedValue | None
    ideal: ProposedValue | None
    why: str

    @property
    def unit(self) -> Unit:
        return METRICS_BY_NAME[self.metric].unit

    @property
    def values(self) -> tuple[ProposedValue, ...]:
        return tuple(value for value in (self.target, self.ideal) if value is not None)
