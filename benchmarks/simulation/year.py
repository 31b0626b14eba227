"""A year of history to report on: daily runs of eight endpoints, in which is planted what a report has to find."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulation.runs import decision, endpoint, result, run, samples

from perfcheck.history.store import History
from perfcheck.model import EndpointResult, LatencySummary, Run, Verdict
from perfcheck.periods.model import Period, PeriodKind

BEGIN = datetime(2025, 12, 1, 3, 0, tzinfo=UTC)
DAYS = 365
NOISE = 0.03
OUTLIERS = 0.02
SEED = 1

# What was planted, as days from the beginning.
STEP_FIXED, FIXED = 99, 113  # videos.list: slower by 40%, for two weeks
STEP_STAYS = 199  # search.universal: slower by 30%
DRIFT_BEGINS = 260  # settings.get: slower by 40% until the end of the year
FASTER = 281  # artists.list: 35% faster


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


# --- In a store, with notes and a baseline -------------------------------------------------------------------------

SINCE, UNTIL = moment_of(0), moment_of(DAYS)


def fill(store: History, runs: Iterable[Run] | None = None) -> None:
    """The year, with what people wrote down: of the run, of the commit that fixed it, and of a commit nobody ran."""
    store.save_all(year() if runs is None else runs)
    store.add_note(
        run_id=run_id(STEP_FIXED),
        commit=None,
        incident="The list of videos became slow for everyone",
        cause="the artist was joined for every row, whatever the order requested",
        fix=None,
    )
    store.add_note(
        run_id=None,
        commit=commit_of(FIXED)[:12],
        incident="videos.list is as fast as before",
        cause=None,
        fix="join only when sorting by artist",
    )
    store.add_note(
        run_id=run_id(STEP_STAYS),
        commit=None,
        incident="Universal search scans the whole table",
        cause="an index got lost in the migration of June",
        fix=None,
    )


def month(text: str) -> Period:
    """``2026-03``: all of it."""
    begin = datetime.fromisoformat(f"{text}-01").replace(tzinfo=UTC)
    end = (begin + timedelta(days=32)).replace(day=1)
    return Period(PeriodKind.MONTH, *(time.strftime("%Y-%m-%dT%H:%M:%S.000Z") for time in (begin, end)))


def baseline_text(targets: dict[str, str]) -> str:
    lines = ["version: 1", "service: {base_url: http://localhost:5001}", "endpoints:"]
    return (
        "\n".join([*lines, *(f"  {name}: {{path: /{name}, target: {text}}}" for name, text in targets.items())]) + "\n"
    )


def commit_baseline(folder: Path, content: str, when: str, subject: str) -> str:
    """Into a repository in ``folder``, made where there is none; returns the commit."""
    (folder / "baselines.yaml").write_text(content, encoding="utf-8")
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when}
    env |= {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    commands = [["init", "-q", "."], ["add", "baselines.yaml"], ["commit", "-q", "-m", subject], ["rev-parse", "HEAD"]]
    for arguments in commands:
        done = subprocess.run(["git", *arguments], cwd=folder, env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip()
