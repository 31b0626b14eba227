"""Which endpoints of a baseline are measured, and what the options of one run change in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Literal, TypeVar

from perfcheck.errors import UsageError
from perfcheck.model import Baseline, Endpoint, EndpointResult, ErrorProof, Metric, Run
from perfcheck.text import clean
from perfcheck.words import and_more, did_you_mean, did_you_mean_url, short_run

_MOST_NAMED = 10


T = TypeVar("T", Endpoint, EndpointResult)


def select_endpoints(baseline: Baseline, names: Sequence[str], groups: Sequence[str]) -> tuple[Endpoint, ...]:
    """The endpoints of these groups that have one of these names, or match one as a pattern. Neither given: all.

    Raises UsageError, with the nearest name, for one that the baseline does not have.
    """
    return _select(baseline.endpoints, names, groups, [group.name for group in baseline.groups], baseline.file)


def select_results(run: Run, names: Sequence[str], groups: Sequence[str]) -> tuple[EndpointResult, ...]:
    """The same for the results of a saved run."""
    known = dict.fromkeys(result.group for result in run.endpoints if result.group is not None)
    where = f"the run {clean(run.label) if run.label else short_run(run.id)}"
    return _select(run.endpoints, names, groups, list(known), where)


def select_names(known: Sequence[str], patterns: Sequence[str]) -> Sequence[str] | None:
    """The same for the names that a monitor reports; None for no patterns at all."""
    if not patterns:
        return None
    selected: list[str] = []
    for pattern in patterns:
        matches = _matches(pattern, known)
        if not matches:
            remedy = did_you_mean(pattern, known) or "'perfcheck health' without a name lists all"
            raise UsageError(f"the monitor has no endpoint '{pattern}'", remedy)
        selected += matches
    return selected


def _select(
    endpoints: Sequence[T], names: Sequence[str], groups: Sequence[str], known_groups: Sequence[str], where: str
) -> tuple[T, ...]:
    wanted: set[str] = set()
    known = [endpoint.name for endpoint in endpoints]
    for name in names:
        matches = _matches(name, known)
        if not matches:
            raise _unknown("endpoint", name, known, where)
        wanted.update(matches)
    for group in groups:
        if not any(endpoint.group == group for endpoint in endpoints):
            if group in known_groups:
                raise UsageError(f"the group '{group}' of {where} has no endpoints")
            raise _unknown("group", group, known_groups, where)
    chosen = tuple(
        endpoint
        for endpoint in endpoints
        if (not names or endpoint.name in wanted) and (not groups or endpoint.group in groups)
    )
    if not chosen:
        raise UsageError(f"no endpoint of {where} is in one of these groups and has one of these names")
    return chosen


def _matches(pattern: str, known: Sequence[str]) -> list[str]:
    return [pattern] if pattern in known else [name for name in known if fnmatchcase(name, pattern)]


def _unknown(kind: str, name: str, known: Sequence[str], where: str) -> UsageError:
    message = f"{where} has no {kind} '{name}'"
    if name.endswith((".yaml", ".yml")):
        return UsageError(message, f"did you mean '-f {name}'?")
    if hint := did_you_mean_url(name):
        return UsageError(message, hint)
    if not known:
        return UsageError(message, f"it has no {kind}s at all")
    return UsageError(message, did_you_mean(name, known) or f"it has: {and_more(known, _MOST_NAMED)}")


# --- Options of one run --------------------------------------------------------------------------------------------


def override(
    baseline: Baseline,
    *,
    metric: Metric | None = None,
    min_requests: int | None = None,
    budget_s: float | None = None,
    connections: int | Literal["auto"] | None = None,
    rate_per_s: float | None = None,
    errors: ErrorProof | None = None,
    confirm: int | None = None,
    monitor: str | None = None,
    insecure: bool = False,
    ready_timeout_s: float | None = None,
) -> Baseline:
    """The baseline with these values in place of its own.

    ``min_requests`` and ``ready_timeout_s`` are bounds: the one raises values, the other lowers them. Raises UsageError
    for a ``monitor`` that is not a path.
    """
    if monitor is not None and not monitor.startswith("/"):
        raise UsageError(f"not a path: --monitor {monitor}", f"did you mean '/{monitor}'?")
    service, sampling = baseline.service, baseline.sampling
    return replace(
        baseline,
        endpoints=tuple(
            replace(_judged_by(endpoint, metric), min_requests=max(endpoint.min_requests, min_requests or 0))
            for endpoint in baseline.endpoints
        ),
        sampling=replace(
            sampling,
            budget_s=sampling.budget_s if budget_s is None else budget_s,
            confirm=sampling.confirm if confirm is None else confirm,
            connections=None if connections == "auto" else connections or sampling.connections,
            errors=errors or sampling.errors,
            rate_per_s=rate_per_s or sampling.rate_per_s,
        ),
        service=replace(
            service,
            monitor=service.monitor if monitor is None else monitor,
            tls=replace(service.tls, verify=service.tls.verify and not insecure),
            ready_timeout_s=min(service.ready_timeout_s, ready_timeout_s or math.inf),
        ),
    )


def _judged_by(endpoint: Endpoint, metric: Metric | None) -> Endpoint:
    """With its steps and figures, which are judged by the same requests."""
    if metric is None:
        return endpoint
    return replace(
        endpoint,
        metric=metric,
        steps=tuple(_judged_by(step, metric) for step in endpoint.steps),
        figures=tuple(_judged_by(figure, metric) for figure in endpoint.figures),
    )
