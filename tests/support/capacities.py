"""Capacities as a search finds them, and runs that have one."""

from __future__ import annotations

from dataclasses import replace

from simulation.runs import run

from perfcheck.capacity.model import Ending
from perfcheck.capacity.verdict import judge_capacity
from perfcheck.model import CapacityResult, CapacityStep, Counts, LoadModel, Run, ThinkTime, Verdict

Interval = tuple[float | None, float | None]
_STEPS = (
    CapacityStep(10, 74, 29.6, 11.2, 31.5, 0.0, 0.0, holds=True),
    CapacityStep(16, 118, 47.2, 12.0, 36.1, 0.0, 0.0, holds=True),
    CapacityStep(26, 190, 76.0, 15.8, 48.4, 0.004, 0.0, holds=True),
    CapacityStep(40, 712, 118.7, 32.5, 118.0, 0.035, 0.001, holds=True),
    CapacityStep(44, 764, 127.3, 45.1, 151.2, 0.052, 0.001, holds=False),
    CapacityStep(64, 160, 80.0, 412.0, 1240.0, 0.81, 0.02, holds=False),
    CapacityStep(100, 12, 24.0, None, None, 1.0, 1.0, holds=None),
)


def found(
    value: float | None = 42.0,
    interval: Interval = (39.0, 45.0),
    ended: Ending = Ending.PRECISE,
    *,
    at_least: float | None = None,
) -> CapacityResult:
    """Not judged yet."""
    return CapacityResult(
        model=LoadModel.USERS,
        verdict=Verdict.NOT_MEASURED,
        value=value,
        interval=interval,
        at_least=at_least,
        ended=str(ended),
        within={"videos.list": 0.95, "videos.get": 0.95},
        error_rate=0.01,
        mix={"videos.list": 3.0, "videos.get": 1.0},
        limits_ms={"videos.list": 150.0, "videos.get": 75.0},
        think_s=0.25,
        think_time=ThinkTime.FIXED,
        workers=1,
        seconds=84.5,
        steps=_STEPS,
    )


def capacity_run(
    result: CapacityResult | None = None, before: CapacityResult | None = None, *, label: str = "v1.2.3"
) -> Run:
    """With the findings of its verdict."""
    earlier = capacity_run(before, label="v1.2.2") if before else None
    result, findings, exit_code = judge_capacity(result or found(), earlier, Verdict.CRITICAL, 12)
    return replace(
        run([], *findings),
        label=label,
        verdict=result.verdict,
        exit_code=exit_code,
        counts=Counts(0, 0, 0, 0),
        complete=result.value is not None,
        capacity=result,
    )
