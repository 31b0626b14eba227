"""What a check finds: verdicts, severities, and the rules that fired."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """OK < WARNING < CRITICAL. NOT_MEASURED stands beside them and is never OK."""

    OK = "OK"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    NOT_MEASURED = "not measured"


_RANK = {Verdict.OK: 0, Verdict.NOT_MEASURED: 1, Verdict.WARNING: 2, Verdict.CRITICAL: 3}


def worst(verdicts: tuple[Verdict, ...] | list[Verdict]) -> Verdict:
    """The worst of some verdicts; something not measured is worse than OK. NOT_MEASURED for none at all."""
    return max(verdicts, key=_RANK.__getitem__, default=Verdict.NOT_MEASURED)


class Severity(StrEnum):
    """How heavily a finding weighs. A note explains and never changes a verdict."""

    NOTE = "note"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that fired."""

    rule: str
    severity: Severity
    value: float | None
    limit: float | None
    unit: str | None  # "ms", "ratio", "bytes", "requests"
    message: str
    remedy: str | None
    line: int | None  # in the baseline
