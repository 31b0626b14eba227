"""The report of a period: types only. Their fields are those of its JSON, ``perfcheck.period/1``.

Times are UTC as a run file has them (RFC 3339); latencies are milliseconds, other figures in the unit of their metric;
rates, spreads and headroom are fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from perfcheck.history.model import BranchRuns, Note
from perfcheck.model import METRICS_BY_NAME, Changed, Source, Unit, Verdict

FORMAT = "perfcheck.period/1"


class PeriodKind(StrEnum):
    DAY = "day"  # the last 24 hours
    WEEK = "week"  # the last 7 days
    MONTH = "month"  # a calendar month, or the part of it so far
    RELEASE = "release"  # after one labelled run, up to and with another
    SPAN = "span"  # between two dates


@dataclass(frozen=True, slots=True)
class Period:
    """``since`` is in it, ``until`` is not."""

    kind: PeriodKind
    since: str
    until: str
    since_label: str | None = None  # of the two runs, for RELEASE
    until_label: str | None = None


@dataclass(frozen=True, slots=True)
class RunReference:
    """Enough of a run for a report to point to it."""

    run_id: str
    started_at: str
    label: str | None = None
    commit: str | None = None


class _HasMetric:
    __slots__ = ()
    metric: str

    @property
    def unit(self) -> Unit:
        """Of its figures, whatever their names end with."""
        return METRICS_BY_NAME[self.metric].unit


class ChangeKind(StrEnum):
    REGRESSION = "regression"  # a step up
    IMPROVEMENT = "improvement"  # a step down
    GETTING_SLOWER = "getting slower"  # a drift up
    GETTING_FASTER = "getting faster"


@dataclass(frozen=True, slots=True)
class LatencyChange(_HasMetric):
    """The level of one endpoint changed, in a step or, where ``kind`` is a drift, run by run."""

    kind: ChangeKind
    endpoint: str
    machine: str
    source: Source
    metric: str
    critical_path: bool
    at: RunReference  # the first run of the new level; of a drift, where it began
    previous: RunReference | None  # the last run of the level before
    before_ms: float
    after_ms: float
    ratio: float  # after / before; infinity from 0
    score: float | None  # of a step, in standard deviations of the rank test; None for a drift
    error_probability: float | None  # upper bound that chance alone gave such a step
    target_ms: float | None  # when it changed
    now_ms: float  # the level at the end of the period
    resolved: RunReference | None  # of a regression: the first run that was back at the level before
    lasted_runs: int | None  # until it was resolved: up to 10 make an incident
    stands: bool  # of a regression: not resolved, and the level at the end is not back either
    began_before: bool  # the period: it continues, was resolved in the period, or only its runs show it
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class _OfEndpoint:
    endpoint: str
    machine: str
    source: Source


@dataclass(frozen=True, slots=True)
class FormingChange(_OfEndpoint, _HasMetric):
    """The newest runs differ from those before, which may still be chance."""

    metric: str
    at: RunReference  # the first of them
    before_ms: float
    after_ms: float
    ratio: float  # after / before
    runs: int
    runs_needed: int  # at the newer level, until it is shown


@dataclass(frozen=True, slots=True)
class ConsistencyChange(_OfEndpoint):
    """The spread of one endpoint changed: interquartile range of a run's requests, over their median."""

    at: RunReference
    previous: RunReference | None
    before_spread: float
    after_spread: float
    ratio: float
    score: float
    error_probability: float


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """One run, or several neighbours: then their median, the least and the greatest, and the worst verdict."""

    started_at: str
    value_ms: float
    low_ms: float
    high_ms: float
    verdict: Verdict
    target_ms: float | None
    runs: int


@dataclass(frozen=True, slots=True)
class LatencyLevel:
    """The level of an endpoint from one change to the next. Begin and end differ only in a drift."""

    since: str
    until: str
    begin_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class EndpointSummary(_HasMetric):
    """One endpoint over the period, in one series: on one machine, by one baseline, request and metric.

    A value at the beginning is the median of the last five runs before the period, since the last change; without such,
    of the first five in it, up to the first change. A value at the end is that of the last five, since the last change.
    """

    name: str
    group: str | None
    series: str  # the key under which the history has it
    machine: str
    source: Source
    metric: str
    critical_path: bool
    runs: int  # in the period, that measured it
    first: RunReference
    last: RunReference
    begin_ms: float | None
    end_ms: float | None
    ratio: float | None  # end / begin
    changed: Changed  # as far as steps and drifts show; NO_CHANGE where they cancel out
    runs_needed: int | None  # while it is inconclusive, until it is not; None as well where 60 do not suffice
    steps: int  # found in the period
    begin_p95_ms: float | None
    end_p95_ms: float | None
    begin_spread: float | None
    end_spread: float | None
    error_rate: float | None  # over all requests of the period
    worst_error_rate: float | None  # of one run
    requests: int  # sent by the checks; those that the monitor counted where that is the source
    traffic: int | None  # all requests between two readings of the monitor in the period
    target_ms: float | None  # at the end
    ideal_ms: float | None
    begin_headroom: float | None  # 1 - begin / the target at the end: 0.2 is 20% below it
    end_headroom: float | None
    verdict: Verdict  # of the newest run
    verdicts: dict[str, int]  # how many runs had which
    is_notable: bool  # another part of the report mentions it
    is_current: bool  # no other series of this endpoint, machine and source began after this one ended
    points: tuple[ChartPoint, ...]  # including those before the period that were read for comparison
    levels: tuple[LatencyLevel, ...]
    marks: tuple[tuple[str, float], ...]  # (time of the first run, after / before) of all its steps
    block_runs: int  # how many neighbouring runs were combined to look for changes; 1: none


@dataclass(frozen=True, slots=True)
class SlowEndpoint(_OfEndpoint, _HasMetric):
    """WARNING or CRITICAL in its newest run."""

    verdict: Verdict
    metric: str
    value_ms: float | None
    target_ms: float | None
    ratio: float | None  # value / target
    error_rate: float | None
    since: RunReference  # the first of the runs in a row that were not OK, as far as was read
    runs: int  # in that row
    is_always: bool  # so in every run that was read
    critical_path: bool


@dataclass(frozen=True, slots=True)
class Recovery(_OfEndpoint):
    """Not OK in several runs in a row, and OK in the newest."""

    worst: Verdict
    began: RunReference
    ended: RunReference  # the first run that was OK again
    runs: int  # that were not


@dataclass(frozen=True, slots=True)
class NewEndpoint(_HasMetric):
    endpoint: str
    metric: str
    first: RunReference
    value_ms: float | None  # at the end
    has_target: bool
    is_monitored: bool | None  # whether the monitor in the service sees it; None: no monitor was read


@dataclass(frozen=True, slots=True)
class GoneEndpoint:
    endpoint: str
    last: RunReference
    runs_since: int  # that no longer measured it


class TargetKey(StrEnum):
    TARGET = "target"
    IDEAL = "ideal"


@dataclass(frozen=True, slots=True)
class TargetChange(_HasMetric):
    """A target that one commit of the baseline changed. None before: it was added; None after: it was removed."""

    endpoint: str
    key: TargetKey
    metric: str
    before_ms: float | None
    after_ms: float | None
    commit: str
    committed_at: str
    subject: str


@dataclass(frozen=True, slots=True)
class BaselineHistory:
    file: str
    changes: tuple[TargetChange, ...] = ()
    commits: int = 0  # of the baseline, in the period
    unreadable: int = 0  # of these, those without a readable baseline
    known_since: str | None = None  # in the period or later: a shallow clone has nothing before it
    message: str | None = None  # why its history is not known


class RankedBy(StrEnum):
    """The order of the endpoints in the focus of the next period."""

    TIME = "time"  # lost by all callers: milliseconds lost times the requests that the monitor counted
    SHARE = "share"  # of its target that an endpoint lost


@dataclass(frozen=True, slots=True)
class Focus(_OfEndpoint, _HasMetric):
    """One endpoint to work on next, and the reason."""

    metric: str
    end_ms: float
    target_ms: float | None
    end_headroom: float | None
    lost_ms: float  # since the beginning of the period; at least what it exceeds its target by
    lost_share: float | None  # of its target
    traffic: int | None
    lost_time_s: float | None  # of all callers in the period
    verdict: Verdict
    changed: Changed
    critical_path: bool


@dataclass(frozen=True, slots=True)
class MachineRuns:
    machine: str
    runs: int


@dataclass(frozen=True, slots=True)
class PeriodReport:
    """Everything about a period. Lists have the most important first."""

    format: str
    tool_version: str
    generated_at: str
    period: Period
    verdict: Verdict  # the worst at the end; a regression that still stands is at least a WARNING
    services: tuple[str, ...]  # addresses
    runs: int
    monitor_runs: int  # of these, readings of the monitor in the service
    incomplete_runs: int
    verdicts: dict[str, int]  # of the runs
    machines: tuple[MachineRuns, ...]
    branch: str | None  # of its runs; None: the runs without one
    other_branches: tuple[BranchRuns, ...]  # whose runs in the period are left out
    commits: int  # different ones
    labels: tuple[RunReference, ...]  # the first run with each label
    first: RunReference | None
    last: RunReference | None
    earlier_runs: int  # before the period, read for comparison
    endpoints: tuple[EndpointSummary, ...]
    regressions: tuple[LatencyChange, ...]
    improvements: tuple[LatencyChange, ...]
    drifts: tuple[LatencyChange, ...]
    forming: tuple[FormingChange, ...]
    consistency: tuple[ConsistencyChange, ...]
    slow: tuple[SlowEndpoint, ...]
    recoveries: tuple[Recovery, ...]
    new: tuple[NewEndpoint, ...]
    gone: tuple[GoneEndpoint, ...]
    other_notes: tuple[Note, ...]  # of runs and commits of the period that belong to none of the above
    baseline: BaselineHistory
    focus: tuple[Focus, ...]
    ranked_by: RankedBy
