"""What a check finds: verdicts, severities, and the rules that fired."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """OK < WARNING < CRITICAL. NOT_MEASURED is a state of its own and never OK."""

    OK = "OK"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    NOT_MEASURED = "not measured"


BREACHES = frozenset({Verdict.WARNING, Verdict.CRITICAL})  # of a limit
_RANK = {Verdict.OK: 0, Verdict.NOT_MEASURED: 1, Verdict.WARNING: 2, Verdict.CRITICAL: 3}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts; something not measured is worse than OK. NOT_MEASURED for none at all."""
    return max(verdicts, key=_RANK.__getitem__, default=Verdict.NOT_MEASURED)


class Severity(StrEnum):
    """How heavily a finding weighs. A note explains and never changes a verdict."""

    NOTE = "note"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


class Unit(StrEnum):
    """Of a figure that is judged; the value is what the run file calls it."""

    TIME = "ms"
    SIZE = "bytes"
    NUMBER = "number"
    USERS = "users"
    PER_SECOND = "per second"

    @property
    def is_load(self) -> bool:
        """Whether it is of a capacity, of which more is better."""
        return self in {Unit.USERS, Unit.PER_SECOND}

    def worsening(self, ratio: float) -> float:
        """Of a figure after / before: over 1 where it became worse, which a capacity does when it is less."""
        if not self.is_load:
            return ratio
        return 1 / ratio if ratio else math.inf


class Rule(StrEnum):
    """What a finding is about. The values are part of the run file.

    A rule that this version does not know is a member of its own that equals none of these: a run file of another
    version is read, reported and written again with the rule as it is.
    """

    # Latency against the limits of the baseline
    LATENCY = "latency"
    CEILING = "ceiling"
    NEW_SLOW_ENDPOINT = "new-slow-endpoint"
    OVER_TARGET = "over-target"
    UNDECIDED = "undecided"
    MOMENTARY = "momentary"
    # Latency against an earlier release
    SLOWER = "slower"
    FASTER = "faster"
    SMALL_DIFFERENCE = "small-difference"
    CANNOT_TELL = "cannot-tell"
    ADDED = "added"
    NOT_COMPARED = "not-compared"
    COMPARABILITY = "comparability"
    ENDPOINTS = "endpoints"
    METRIC = "metric"
    NOISE = "noise"
    # Everything else about an endpoint
    NOT_MEASURED = "not-measured"
    ERROR_RATE = "error-rate"
    ERRORS_SEEN = "errors-seen"
    BODY_SIZE = "body-size"
    DELAYED_ACK = "delayed-ack"
    N_PLUS_ONE = "n-plus-one"
    # The monitor inside the service
    MONITOR = "monitor"
    MONITOR_STATE = "monitor-state"
    DEGRADED = "degraded"
    NEVER_SEEN = "never-seen"
    COUNTED_TOGETHER = "counted-together"
    OTHER_METRIC = "other-metric"
    COVERAGE = "coverage"
    # The load that a service holds its targets for
    CAPACITY = "capacity"
    # The run itself
    NO_TARGET = "no-target"
    INTERRUPTED = "interrupted"
    PARTIAL = "partial"
    SERVICE = "service"
    BUG = "defect"  # in perfcheck
    CONNECTION = "connection"
    RUNNER = "runner"
    COMMIT = "commit"

    @classmethod
    def _missing_(cls, value: object) -> Rule | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = "UNKNOWN"
        unknown._value_ = value
        return unknown

    @property
    def is_about_latency(self) -> bool:
        """Whether it fires because an endpoint is slow."""
        return self in {Rule.LATENCY, Rule.CEILING, Rule.NEW_SLOW_ENDPOINT, Rule.SLOWER}


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that fired."""

    rule: Rule
    severity: Severity
    _: KW_ONLY
    value: float | None = None
    limit: float | None = None
    unit: str | None = None  # a Unit, "ratio" or "requests"
    message: str
    remedy: str | None = None
    line: int | None = None  # in the baseline
    step: str | None = None  # of a workflow, or figure of a page, that it is about

    @classmethod
    def note(
        cls,
        rule: Rule,
        message: str,
        *,
        value: float | None = None,
        limit: float | None = None,
        unit: str | None = None,
        remedy: str | None = None,
        line: int | None = None,
    ) -> Finding:
        """What explains, and changes no verdict."""
        return cls(rule, Severity.NOTE, value=value, limit=limit, unit=unit, message=message, remedy=remedy, line=line)

    @classmethod
    def warning(cls, rule: Rule, message: str, *, remedy: str | None = None, line: int | None = None) -> Finding:
        """What makes a verdict WARNING, and has no figure."""
        return cls(rule, Severity.WARNING, message=message, remedy=remedy, line=line)


_HEAVIEST_FIRST = (Severity.CRITICAL, Severity.WARNING, Severity.NOTE)


def heaviest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sorted by severity; the order among equals is kept."""
    return tuple(sorted(findings, key=lambda finding: _HEAVIEST_FIRST.index(finding.severity)))


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """The verdict that these findings amount to: OK for none, and for notes alone."""
    heavy = (Verdict(finding.severity.value) for finding in findings if finding.severity is not Severity.NOTE)
    return worst((Verdict.OK, *heavy))
