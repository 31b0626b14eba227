"""The limits of one endpoint, resolved to milliseconds and fractions, and whether they make sense together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from perfcheck.baseline.context import Context, Entries, Entry
from perfcheck.baseline.kinds import Limit
from perfcheck.baseline.problems import Place
from perfcheck.model import ErrorLimits
from perfcheck.units import format_ms, format_percentage

_WARNING = Limit(1.5, of_target=True)
_CRITICAL = Limit(2.0, of_target=True)
_TIMEOUT_MS = 10_000.0


@dataclass(frozen=True, slots=True)
class Limits:
    target_ms: float | None
    ideal_ms: float | None
    warning_ms: float | None
    critical_ms: float | None
    ceiling_ms: float | None
    errors: ErrorLimits


class LimitReader:
    """``own`` is what the endpoint says itself, ``merged`` what is in force."""

    def __init__(self, context: Context, name: Place, own: Entries, merged: Entries) -> None:
        self._context = context
        self._name = name
        self._own = own
        self._merged = merged

    def read(self) -> Limits:
        """Tells what contradicts itself. What is wrong in itself has been told, and is not held against the rest."""
        target: float | None = self._value("target")
        ideal, ceiling = self._value("ideal"), self._value("ceiling")
        warning_ms = critical_ms = None
        if target is not None:
            warning_ms = self._value("warning", _WARNING).ms(target)
            critical_ms = self._value("critical", _CRITICAL).ms(target)
            self._check_order(target, warning_ms, critical_ms)
        elif not self._is_wrong("target"):
            self._check_without_target()
        return Limits(target, ideal, warning_ms, critical_ms, ceiling, self._error_limits())

    def _value(self, key: str, default: Any = None) -> Any:
        entry = self._merged.get(key)
        return default if entry is None or entry.value is None else entry.value

    def _is_wrong(self, *keys: str) -> bool:
        return any((entry := self._merged.get(key)) is not None and entry.value is None for key in keys)

    def _tell(self, keys: tuple[str, ...], message: str, remedy: str) -> None:
        """At the first of the keys that the endpoint has itself, else the first that it inherits."""
        entry: Entry | None = next(
            (layer[key] for layer in (self._own, self._merged) for key in keys if key in layer), None
        )
        self._context.wrong(entry.node if entry else self._name, message, remedy)

    def _check_order(self, target: float, warning_ms: float, critical_ms: float) -> None:
        promised = f"the target of {format_ms(target)}"
        ideal, ceiling = self._value("ideal"), self._value("ceiling")
        if ideal is not None and ideal > target:
            message = f"the ideal of {format_ms(ideal, beside=target)} is over {promised}"
            self._tell(("ideal", "target"), message, "the ideal is what is hoped for: at most the target")
        if ceiling is not None and ceiling < target:
            message = f"the ceiling of {format_ms(ceiling, beside=target)} is below {promised}"
            self._tell(("ceiling", "target"), message, "raise the ceiling, or lower the target")
        if not self._is_wrong("warning") and warning_ms <= target:
            message = f"the warning limit of {format_ms(warning_ms, beside=target)} is not above {promised}"
            self._tell(("warning", "target"), message, "raise it, or write a multiple such as 1.5x")
        if not self._is_wrong("warning", "critical") and critical_ms <= warning_ms:
            limits = f"{format_ms(critical_ms, beside=warning_ms)} is not above warning at {format_ms(warning_ms)}"
            self._tell(("critical", "warning", "target"), f"critical at {limits}", "let critical be the higher limit")
        timeout: float = self._value("timeout", _TIMEOUT_MS)
        if not self._is_wrong("timeout") and timeout <= target:
            message = f"the timeout of {format_ms(timeout, beside=target)} is not above {promised}"
            self._tell(("timeout", "target"), message, "raise it: a request that takes longer cannot be measured")

    def _check_without_target(self) -> None:
        for key in ("ideal", "warning", "critical"):
            if key in self._own and not self._is_wrong(key):
                self._tell((key,), f"'{key}' means nothing without a target", "add one, as in 'target: 300ms'")

    def _error_limits(self) -> ErrorLimits:
        entry, built_in = self._merged.get("error_rate"), ErrorLimits()
        if entry is None or entry.value is None:
            return built_in
        given: Entries = entry.value
        if any(part.value is None for part in given.values()):
            return built_in
        limits = ErrorLimits(**{key: part.value for key, part in given.items()})
        if limits.critical < limits.warning:
            low, high = format_percentage(limits.critical), format_percentage(limits.warning)
            place = given["critical"].node if "critical" in given else entry.node
            remedy = "write both, as in {warning: 1%, critical: 5%}"
            self._context.wrong(place, f"critical at an error rate of {low} is below warning at {high}", remedy)
        return limits
