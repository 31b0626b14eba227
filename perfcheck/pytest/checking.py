"""A check as the fixture needs it: the baseline found from the rootdir, and what came out as text."""

from __future__ import annotations

import gc
import os
import re
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from perfcheck.baseline import find_baseline, load_baseline
from perfcheck.baseline.arguments import baseline_of
from perfcheck.engine.in_process import check_in_process
from perfcheck.engine.selection import select_endpoints
from perfcheck.engine.session import Outcome
from perfcheck.errors import EXIT_INTERRUPTED, PerfcheckError, UsageError
from perfcheck.model import Baseline, Endpoint, EndpointResult, Run, Verdict
from perfcheck.report.explain import LONGEST_TEXT, Label, explain, in_short
from perfcheck.text import clean
from perfcheck.units import format_figure
from perfcheck.words import did_you_mean, plural

_REQUEST = re.compile(r"(?:([A-Za-z]+) +)?(/.*)")
_OF_A_NAME = ("target", "warning", "critical", "metric")  # the keys that replace those of the baseline
_BASE_URL = "http://localhost"  # which is replaced
_INI = "perfcheck_baseline"
_FAIL_ON = {"critical": Verdict.CRITICAL, "warning": Verdict.WARNING, "never": None}
_MOST_FRAMES = 8
_LOOKS = 10_000  # take longer than the resolution of any clock


@dataclass(frozen=True, slots=True)
class Checked:
    """``line`` is for the summary of the session; ``failure`` is why the test fails, empty where it does not.

    ``traceback`` is of what the application raised, where the test fails.
    """

    failure: str
    result: EndpointResult | None = None
    line: str = ""
    traceback: str = ""


def check_endpoint(endpoint: str, application: object, options: Mapping[str, Any], config: pytest.Config) -> Checked:
    """Whatever keeps it from being measured is a failure."""
    raised: list[BaseException] = []
    try:
        outcome = _check(endpoint, application, dict(options), config, raised)
        if outcome.error is not None:
            raise outcome.error
    except PerfcheckError as error:
        raised += [error.__cause__] if error.__cause__ else []
        failure = "\n".join([f"perfcheck: {error.message}", *_help(error.remedy)])
        return Checked(failure, traceback=_first(raised))
    if outcome.run.exit_code == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    (result,) = outcome.run.endpoints
    line = f"{result.verdict:<8} {_in_one_line(result)}, {_effort(result)}"
    if not outcome.run.exit_code:
        return Checked("", result, line)
    return Checked("\n".join(_explanation(outcome.run, result)), result, line, _first(raised))


def _check(
    endpoint: str, application: object, keys: dict[str, Any], config: pytest.Config, raised: list[BaseException]
) -> Outcome:
    """Raises UsageError."""
    if _clock_stands_still():
        raise UsageError("the clock stands still in this test", "freeze the time around other lines only")
    fail_on, lifespan = _fail_on(keys.pop("fail_on", "critical")), bool(keys.pop("lifespan", True))
    baseline, name = _request(endpoint, keys) or _named(endpoint, keys, config)
    with _without_what_tests_left():
        return check_in_process(
            baseline, application, names=[name], fail_on=fail_on, lifespan=lifespan, raised=raised.append
        )


@contextmanager
def _without_what_tests_left() -> Iterator[None]:
    """The garbage collector works as in a server, but does not search the objects of all the tests before.

    With three million of them one request in 400 took 750 ms instead of 1 ms.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _clock_stands_still() -> bool:
    """As freezegun makes it do: every latency would be 0."""
    before_ns = time.perf_counter_ns()
    return not any(time.perf_counter_ns() > before_ns for _ in range(_LOOKS))


# --- Which endpoint ------------------------------------------------------------------------------------------------


def _request(text: str, keys: Mapping[str, Any]) -> tuple[Baseline, str] | None:
    """``GET /api/videos/`` without a baseline; None of what is a name."""
    match = _REQUEST.fullmatch(text.strip())
    if match is None:
        return None
    method, path = match.groups()
    name = f"{(method or 'GET').upper()} {path}"
    return baseline_of(name, {"path": path, "method": method or "GET", **keys}, base_url=_BASE_URL), name


def _named(name: str, keys: Mapping[str, Any], config: pytest.Config) -> tuple[Baseline, str]:
    """The baseline, with ``keys`` in the endpoint of this name."""
    baseline = _load(config)
    (endpoint, *others) = select_endpoints(baseline, [name], [])
    if others:
        raise UsageError(f"'{name}' matches {plural(len(others) + 1, 'endpoint')}", "name one of them")
    if foreign := [key for key in keys if key not in _OF_A_NAME]:
        remedy = did_you_mean(foreign[0], _OF_A_NAME) or f"write it in {baseline.file}:{endpoint.line}"
        raise UsageError(f"'{foreign[0]}' cannot be given with the name of an endpoint", remedy)
    replaced = _with_keys(endpoint, keys) if keys else endpoint
    return replace(baseline, endpoints=(replaced,)), endpoint.name


def _with_keys(endpoint: Endpoint, keys: Mapping[str, Any]) -> Endpoint:
    own = baseline_of(endpoint.name, {"path": "/", **keys}, base_url=_BASE_URL).endpoints[0]
    if "metric" in keys:
        endpoint = replace(endpoint, metric=own.metric)
    if "target" in keys:
        endpoint = replace(
            endpoint,
            target_ms=own.target_ms,
            warning_ms=own.warning_ms,
            critical_ms=own.critical_ms,
            ideal_ms=None,
            lines={},
        )
    return endpoint


def _load(config: pytest.Config) -> Baseline:
    named = config.getini(_INI)
    try:
        file = config.rootpath / named if named else find_baseline(None, os.environ, config.rootpath)
    except UsageError as error:
        remedy = f"name it in {_INI} of the pytest configuration, or check a path: perfcheck.check('/health', ...)"
        raise UsageError(error.message, remedy) from None
    return load_baseline(Path(os.path.relpath(file)), os.environ)


def _fail_on(value: object) -> Verdict | None:
    if value not in _FAIL_ON:
        raise UsageError(f"fail_on: {clean(repr(value))}", f"one of {', '.join(map(repr, _FAIL_ON))}")
    return _FAIL_ON[str(value)]


# --- What came out -------------------------------------------------------------------------------------------------


def _in_one_line(result: EndpointResult) -> str:
    """``videos.list: median 80 ms, over its limit of 75 ms``."""
    figure = partial(format_figure, unit=result.unit)
    value = f"{result.metric_name} {figure(result.value_ms)}" if result.value_ms is not None else ""
    target = f"target {figure(result.target_ms)}" if result.target_ms else "no target"
    return f"{clean(result.name)}: {', '.join(filter(None, [value, in_short(result) or target]))}"


def _effort(result: EndpointResult) -> str:
    return plural(result.requests.sent + result.requests.warmup, "request")


def _explanation(run: Run, result: EndpointResult) -> Iterator[str]:
    yield f"perfcheck: {result.verdict} {_in_one_line(result)}"
    absent = {Label.RERUN} if run.baseline.file else {Label.RERUN, Label.BASELINE}  # a test has a name of its own
    for label, text in explain(run, result):
        if label not in absent:
            yield _labelled(label, text)
    for finding in run.findings:
        yield _labelled(finding.severity.lower(), finding.message)


def _labelled(label: str, text: str) -> str:
    return f"  {label:<9} {clean(text, LONGEST_TEXT)}"


def _help(remedy: str | None) -> list[str]:
    return [_labelled(Label.HELP, remedy)] if remedy else []


def _first(raised: Sequence[BaseException]) -> str:
    """The end of the traceback of what the application raised first; empty if it raised nothing."""
    return "".join(traceback.format_exception(raised[0], limit=-_MOST_FRAMES)) if raised else ""
