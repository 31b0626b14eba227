"""A year of history to report on: daily runs of eight endpoints, in which is planted what a report has to find."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.runs import decision, endpoint, hostile_names, result, run, samples

from perfcheck.judge.period import judge_period, tally_runs
from perfcheck.model import EndpointResult, LatencySummary, Run, Source, Verdict
from perfcheck.period import BaselineHistory, Period, PeriodKind, PeriodReport, TargetChange, TargetKey

BEGIN = datetime(2025, 12, 1, 3, 0, tzinfo=UTC)
DAYS = 365
NOISE = 0.03
OUTLIERS = 0.02
SEED = 20251201

# What was planted, as days from the beginning.
STEP_FIXED, FIXED = 99, 113  # videos.list: slower by 40 %, for two weeks
STEP_STAYS = 199  # search.universal: slower by 30 %
DRIFT_BEGINS = 260  # settings.get: slower by 40 % until the end of the year
FASTER = 281  # artists.list: 35 % faster


@dataclass(frozen=True, slots=True)
class Planted:
    name: str
    level_ms: float
    target_ms: float

    def level(self, number: int) -> float:
        """On the day of this number."""
        if self.name == "videos.list" and STEP_FIXED <= number < FIXED:
            return self.level_ms * 1.4
        if self.name == "search.universal" and number >= STEP_STAYS:
            return self.level_ms * 1.3
        if self.name == "settings.get" and number >= DRIFT_BEGINS:
            return self.level_ms * (1 + 0.4 * (number - DRIFT_BEGINS) / (DAYS - DRIFT_BEGINS))
        if self.name == "artists.list" and number >= FASTER:
            return self.level_ms * 0.65
        return self.level_ms


ENDPOINTS = (
    Planted("videos.list", 180.0, 300.0),
    Planted("videos.by_artist", 410.0, 250.0),  # slow all the time, and steady
    Planted("videos.page", 120.0, 250.0),
    Planted("search.videos", 260.0, 500.0),
    Planted("search.universal", 640.0, 800.0),
    Planted("settings.get", 55.0, 100.0),
    Planted("artists.list", 310.0, 400.0),
    Planted("health", 12.0, 50.0),
)


def moment_of(number: int) -> str:
    return (BEGIN + timedelta(days=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run_id(number: int) -> str:
    return str(uuid.UUID(hashlib.sha256(str(number).encode()).hexdigest()[:32], version=4))


def commit_of(number: int) -> str:
    return hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()


def year(days: int = DAYS, seed: int = SEED) -> Iterator[Run]:
    """A run a day, with a label every four weeks."""
    rng = random.Random(seed)
    templates = {one.name: _template(one) for one in ENDPOINTS}
    for number in range(days):
        results = [_result(templates[one.name], one, number, rng) for one in ENDPOINTS]
        made = run(results)
        yield replace(
            made,
            id=run_id(number),
            label=f"v2.{number // 28}.0" if number % 28 == 0 else None,
            started_at=moment_of(number),
            finished_at=moment_of(number),
            environment=replace(made.environment, commit=commit_of(number)),
        )


def _template(one: Planted) -> EndpointResult:
    verdict = Verdict.WARNING if one.level_ms > one.target_ms * 1.5 else Verdict.OK
    value = one.level_ms
    return result(endpoint(one.name, target=one.target_ms), samples(1, [value] * 5), decision(verdict, value))


def _result(template: EndpointResult, one: Planted, number: int, rng: random.Random) -> EndpointResult:
    value = one.level(number) * rng.lognormvariate(0, NOISE)
    if rng.random() < OUTLIERS:
        value *= rng.uniform(1.3, 2.0)
    wide = 0.03 * rng.lognormvariate(0, 0.25)
    measured = tuple(value * (1 + wide * step) for step in (0, -1, 1, -2, 2))
    ratio = value / one.target_ms
    return replace(
        template,
        verdict=Verdict.CRITICAL if ratio > 2 else Verdict.WARNING if ratio > 1.5 else Verdict.OK,
        value_ms=value,
        interval_ms=(min(measured), max(measured)),
        ratio=ratio,
        samples_ms=measured,
        latency_ms=LatencySummary(min=min(measured), median=value, p95=max(measured), max=max(measured)),
    )
