"""The facts of a run next to its verdict: when and where it was made, with what, and how well."""

from __future__ import annotations

from dataclasses import dataclass

from perfcheck.model import Run
from perfcheck.report.run_summary import effort, exit_meaning
from perfcheck.text import clean
from perfcheck.times import parse_time, rfc3339
from perfcheck.units import format_ms, format_percentage
from perfcheck.words import minute, short_commit

LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    text: str
    machine: str = ""  # the same as a machine reads it, of a time
    code: bool = False


def summary_facts(run: Run) -> list[Fact]:
    """For the head of the page."""
    environment = run.environment
    commit = short_commit(environment.commit or "") + (" (with uncommitted changes)" if environment.dirty else "")
    facts = [
        Fact("Service", run.service.base_url),
        Fact("Label", run.label or ""),
        Fact("Commit", commit if environment.commit else "", code=True),
        Fact("Branch", environment.branch or "", code=True),
        Fact("Started", minute(run.started_at), machine=_machine(run.started_at)),
        Fact("Read" if run.is_of_monitor else "Measured", effort(run)),
        Fact("Result", exit_meaning(run)),
    ]
    return _known(facts)


def about(run: Run) -> list[Fact]:
    """For the foot: enough to make the run again, and to judge the machine that made it."""
    environment, runner = run.environment, run.runner
    shares = [("waited for a CPU", runner.run_queue_share), ("taken by the hypervisor", runner.steal_share)]
    health = [f"{name} {format_percentage(share)} of the time" for name, share in shares if share is not None]
    if runner.cpu_ms_per_request is not None:
        health.insert(0, f"own CPU {format_ms(runner.cpu_ms_per_request)} per request")
    if runner.load_average is not None:
        health.append(f"load average {runner.load_average:.2f}")
    facts = [
        Fact("perfcheck", f"{run.tool.version}, {run.tool.client}, Python {run.tool.python}"),
        Fact("Machine", f"{environment.platform}, {environment.cpus} CPUs"),
        Fact("CI", environment.ci or ""),
        Fact("Runner", ", ".join(health)),
        Fact("Baseline", clean(run.baseline.file, LONGEST_NAME), code=True),
        Fact("Baseline SHA-256", run.baseline.sha256, code=True),
        Fact("Seed", str(run.seed), code=True),
        Fact("Run", run.id, code=True),
    ]
    return _known(facts)


def _known(facts: list[Fact]) -> list[Fact]:
    return [fact for fact in facts if clean(fact.text)]


def _machine(text: str) -> str:
    time = parse_time(text)
    return "" if time is None else rfc3339(time)
