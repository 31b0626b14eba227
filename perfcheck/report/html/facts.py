"""The facts about a run: at the head of its page, and at the foot."""

from __future__ import annotations

from typing import NamedTuple

from perfcheck.model import Run
from perfcheck.report.run_summary import before_and_now, effort, exit_meaning
from perfcheck.text import clean
from perfcheck.times import parse_time, rfc3339
from perfcheck.units import format_ms, format_percentage
from perfcheck.words import minute, plural, short_commit

_LONGEST_NAME = 120
_NOTABLE = 0.001  # share of the time: below it, digits mean nothing


class Fact(NamedTuple):
    label: str
    text: str
    machine: str = ""  # the same as a machine reads it, of a time
    code: bool = False


def subject(run: Run) -> str:
    """Label or address; of a comparison both labels."""
    subject = clean(run.label or run.service.base_url, _LONGEST_NAME)
    before = run.against.label if run.is_comparison and run.against else None
    return f"{clean(before, _LONGEST_NAME)} -> {subject}" if before else subject


def summary_facts(run: Run) -> list[Fact]:
    """When and where it was made, and what of: for the head of the page."""
    environment = run.environment
    commit = short_commit(environment.commit or "") + (" (with uncommitted changes)" if environment.dirty else "")
    started = parse_time(run.started_at)
    before, now = before_and_now(run) if run.is_comparison else ("", "")
    return [
        Fact("Before", before),
        Fact("Now", now),
        Fact("Service", "" if run.is_comparison else run.service.base_url),
        Fact("Label", "" if run.is_comparison else run.label or ""),
        Fact("Commit", commit if environment.commit else "", code=True),
        Fact("Branch", environment.branch or "", code=True),
        Fact("Started", minute(run.started_at), machine=rfc3339(started) if started else ""),
        Fact("Read" if run.is_of_monitor else "Measured", effort(run)),
        Fact("Result", exit_meaning(run)),
    ]


def _share(share: float) -> str:
    return format_percentage(share) if share >= _NOTABLE or not share else f"under {format_percentage(_NOTABLE)}"


def about(run: Run) -> list[Fact]:
    """For the foot: enough to make the run again, and to judge the machine that made it."""
    environment, runner = run.environment, run.runner
    shares = [("waited for a CPU", runner.run_queue_share), ("taken by the hypervisor", runner.steal_share)]
    health = [f"{name} {_share(share)} of the time" for name, share in shares if share is not None]
    if runner.cpu_ms_per_request is not None:
        health.insert(0, f"own CPU {format_ms(runner.cpu_ms_per_request)} per request")
    if runner.load_average is not None:
        health.append(f"load average {runner.load_average:.2f}")
    return [
        Fact("perfcheck", f"{run.tool.version}, {run.tool.client}, Python {run.tool.python}"),
        Fact("Machine", f"{environment.platform}, {plural(environment.cpus, 'CPU')}"),
        Fact("CI", environment.ci or ""),
        Fact("Runner", ", ".join(health)),
        Fact("Baseline", clean(run.baseline.file, _LONGEST_NAME), code=True),
        Fact("Baseline SHA-256", run.baseline.sha256, code=True),
        Fact("Seed", str(run.seed), code=True),
        Fact("Run", run.id, code=True),
    ]
