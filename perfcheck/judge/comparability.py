"""How much a comparison of two stored runs is worth: what was different beside the service itself."""

from __future__ import annotations

from collections.abc import Iterator

from perfcheck.model import EndpointResult, Run
from perfcheck.text import clean
from perfcheck.times import parse_time

_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S
_AT_ONCE_S = 60.0


def differences(before: Run, after: Run) -> tuple[str, ...]:
    """Sentences on what may have changed the figures and is not the service, the weightiest first."""
    return tuple(_differences(before, after))


def _differences(before: Run, after: Run) -> Iterator[str]:
    one, other = before.environment, after.environment
    if (one.platform, one.cpus) != (other.platform, other.cpus):
        yield (
            f"measured on another machine ({_machine(before)}, now {_machine(after)}): how fast the machines are is in "
            "every figure, so this says next to nothing about the service"
        )
    if one.ci != other.ci:
        yield f"measured in another place ({_place(before)}, now {_place(after)})"
    for when, run in (("before", before), ("now", after)):
        if run.runner.message:
            yield f"the machine was busy {when}: {clean(run.runner.message)}"
        if not run.complete:
            yield f"the run {when} is not complete"
    versions = [clean(run.tool.version) for run in (before, after)]
    if versions[0] != versions[1]:
        yield f"measured by another version of perfcheck ({versions[0]}, now {versions[1]})"
    protocols = [clean(run.tool.client.rpartition(", ")[2]) for run in (before, after)]
    if protocols[0] != protocols[1]:
        yield f"spoken over another protocol ({protocols[0]}, now {protocols[1]})"


def asked_differently(before: EndpointResult, after: EndpointResult) -> str | None:
    """What is different about the request itself, in a phrase; None where it is the same."""
    if before.method != after.method:
        return f"{clean(before.method)} before, {clean(after.method)} now"
    one, other = (_path(result.url) for result in (before, after))
    return None if one == other else f"{clean(one)} before, {clean(other)} now"


def apart(before: Run, after: Run) -> str | None:
    """``3 days``: how long lies between two runs; None when it is next to nothing, or cannot be read."""
    started, ended = (parse_time(run.started_at) for run in (before, after))
    if started is None or ended is None:
        return None
    seconds = abs((ended - started).total_seconds())
    if seconds < _AT_ONCE_S:
        return None
    for size, word in ((_DAY_S, "day"), (_HOUR_S, "hour"), (_AT_ONCE_S, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {word}{'s' * (count != 1)}"
    return None


def _machine(run: Run) -> str:
    return f"{clean(run.environment.platform)} with {run.environment.cpus} CPUs"


def _place(run: Run) -> str:
    return clean(run.environment.ci) if run.environment.ci else "no CI"


def _path(url: str) -> str:
    """Of a URL, without the server, which has another name or port in every run."""
    return "/" + url.partition("://")[2].partition("/")[2]
