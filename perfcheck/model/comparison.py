"""Two releases compared."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from perfcheck.model.baseline import CompareLimits, Metric, MetricOf, metric_name
from perfcheck.model.findings import Unit
from perfcheck.model.sample import TracedRequest


def change_ratio(now: float, before: float) -> float:
    """1.1: 10% more than before; infinity of something to 0, and 1 of 0 to 0."""
    if before:
        return now / before
    return math.inf if now else 1.0


class Changed(StrEnum):
    """The outcome of a comparison with an earlier release, for one endpoint."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_CHANGE = "no change"
    CANNOT_TELL = "cannot tell"  # too few samples, or too much noise: a state of its own


@dataclass(frozen=True, slots=True)
class Comparison:
    """One endpoint compared with an earlier release. ``ratio`` is after / before: 1.1 is 10% slower."""

    changed: Changed
    metric: Metric  # of the two figures, and of the ratio
    before_ms: float | None
    after_ms: float | None
    ratio: float | None  # None where there is none: one side is 0, or over the timeout
    ratio_interval: tuple[float | None, float | None]
    before_samples: int
    after_samples: int
    pairs: int | None = None  # of a live comparison; None for stored samples
    before_error_rate: float | None = None
    before_samples_ms: tuple[float | None, ...] = ()  # as samples_ms of the result, which are those after
    before_server_timing: dict[str, float] = field(default_factory=dict)  # likewise
    before_server_timing_details: dict[str, str] = field(default_factory=dict)
    more_samples: int | None = None  # about how many more samples or pairs would settle it
    metric_of: MetricOf = MetricOf.LATENCY
    before_traces: tuple[TracedRequest, ...] = ()

    @property
    def metric_name(self) -> str:
        return metric_name(self.metric, self.metric_of)

    @property
    def unit(self) -> Unit:
        return self.metric_of.unit

    @property
    def ratios(self) -> tuple[float | None, ...]:
        """The estimate and both ends of its interval, which are read together."""
        return (self.ratio, *self.ratio_interval)

    @property
    def is_clear(self) -> bool:
        """Whether the interval shows a change at all, however small."""
        low, high = self.ratio_interval
        return (low is not None and low > 1) or (high is not None and high < 1)


class ComparedHow(StrEnum):
    """What the two sides of a comparison are."""

    STORED = "stored"  # two runs, each measured in its own time
    LIVE = "live"  # two services, measured side by side
    SAME = "same"  # one service compared with itself: any difference is noise


@dataclass(frozen=True, slots=True)
class Against:
    """What a run was compared with."""

    how: ComparedHow
    label: str | None
    run_id: str | None  # of a stored run
    started_at: str | None
    commit: str | None
    base_url: str
    limits: CompareLimits
    with_targets: bool  # whether it was also judged by the targets of the baseline
    differences: tuple[str, ...] = ()  # of the two environments, in sentences: why the comparison may be worth little
    added: tuple[str, ...] = ()  # endpoints that only this run has
    removed: tuple[str, ...] = ()  # endpoints that only the other had


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """The metric of one endpoint in an earlier run and in this one."""

    before_ms: float
    now_ms: float
    clear: bool  # beyond what two runs of an unchanged service usually differ by
    comparison: Comparison | None = None  # what shows it; None where only the intervals of the two runs were compared
    steps: dict[str, EndpointChange] = field(default_factory=dict)  # of a workflow or page, by name
    unit: Unit = Unit.TIME

    @property
    def ratio(self) -> float:
        """1.1 is 10% slower than before; infinity where it was 0."""
        return change_ratio(self.now_ms, self.before_ms)


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """An earlier run, as far as a report shows the changes since."""

    label: str | None
    started_at: str
    changes: dict[str, EndpointChange]  # by name, for the endpoints that both runs measured by the same metric
    added: tuple[str, ...]  # endpoints that only this run has
    removed: tuple[str, ...]
