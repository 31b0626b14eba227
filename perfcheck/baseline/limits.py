"""The limits of an endpoint, from its target; contradictions among them are errors."""

from __future__ import annotations

from typing import Any, TypeVar

from yaml import Node

from perfcheck.baseline.context import Context, Entries, Entry
from perfcheck.baseline.entries import fields_of, is_wrong, value_of
from perfcheck.baseline.value_types import Limit
from perfcheck.model import CompareLimits, ErrorLimits, Unit
from perfcheck.units import format_figure, format_ms, format_percentage

WARNING = Limit(1.5, of_target=True)
CRITICAL = Limit(2.0, of_target=True)
_TIMEOUT_S = 10.0
_Shares = TypeVar("_Shares", ErrorLimits, CompareLimits)


def limits_of(context: Context, entry: Entry | None, kind: type[_Shares], message: str, example: str) -> _Shares:
    """``message``: of the error that the critical limit, {low}, is below that of the warning, {high}."""
    if entry is None or entry.value is None or is_wrong(entry.value, *entry.value):
        return kind()
    entries: Entries = entry.value
    limits = kind(**fields_of(entries))
    if limits.critical < limits.warning:
        node = entries["critical"].node if "critical" in entries else entry.node
        low, high = format_percentage(limits.critical), format_percentage(limits.warning)
        context.error(node, message.format(low=low, high=high), f"set both, for example {example}")
    return limits


class LimitResolver:
    """``own`` is what is written in the endpoint, ``merged`` includes what it inherits.

    A value that is wrong by itself has its error already, and is not compared with the others.
    """

    def __init__(self, context: Context, name: Node, own: Entries, merged: Entries, unit: Unit = Unit.TIME) -> None:
        self._context = context
        self._name = name
        self._own = own
        self._merged = merged
        self._unit = unit

    def resolve(self) -> dict[str, Any]:
        """Fields of the endpoint."""
        target: float | None = value_of(self._merged, "target")
        warning_ms = critical_ms = None
        if target is not None:
            warning_ms = value_of(self._merged, "warning", WARNING).ms(target)
            critical_ms = value_of(self._merged, "critical", CRITICAL).ms(target)
            self._check_order(target, value_of(self._merged, "ideal"), value_of(self._merged, "ceiling"))
            self._check_limits(target, warning_ms, critical_ms)
        elif not is_wrong(self._merged, "target"):
            self._check_without_target()
        message = "the critical error rate of {low} is below the warning error rate of {high}"
        example = "{warning: 1%, critical: 5%}"
        rates = limits_of(self._context, self._merged.get("error_rate"), ErrorLimits, message, example)
        return {"warning_ms": warning_ms, "critical_ms": critical_ms, "error_limits": rates}

    def _error(self, keys: tuple[str, ...], message: str, remedy: str) -> None:
        """At the first of the keys that the endpoint has itself, else the first that it inherits."""
        entry: Entry | None = next(
            (layer[key] for layer in (self._own, self._merged) for key in keys if key in layer), None
        )
        self._context.error(entry.node if entry else self._name, message, remedy)

    def _shown(self, value: float, distinct_from: float | None = None) -> str:
        return format_figure(value, self._unit, distinct_from=distinct_from)

    def _check_order(self, target: float, ideal: float | None, ceiling: float | None) -> None:
        of_target = f"the target of {self._shown(target)}"
        if ideal is not None and ideal > target:
            message = f"the ideal of {self._shown(ideal, target)} is above {of_target}"
            self._error(("ideal", "target"), message, "the ideal is the latency to aim for: at most the target")
        if ceiling is not None and ceiling < target:
            message = f"the ceiling of {self._shown(ceiling, target)} is below {of_target}"
            self._error(("ceiling", "target"), message, "raise the ceiling, or lower the target")
        timeout = round(value_of(self._merged, "timeout", _TIMEOUT_S) * 1000, 6)
        is_one_request = "steps" not in self._own and self._unit is Unit.TIME
        if is_one_request and not is_wrong(self._merged, "timeout") and timeout <= target:
            message = f"the timeout of {format_ms(timeout, distinct_from=target)} is not above {of_target}"
            self._error(("timeout", "target"), message, "raise it: a request that takes longer cannot be measured")

    def _check_limits(self, target: float, warning_ms: float, critical_ms: float) -> None:
        if not is_wrong(self._merged, "warning") and warning_ms <= target:
            warning = f"the warning limit of {self._shown(warning_ms, target)}"
            message = f"{warning} is not above the target of {self._shown(target)}"
            self._error(("warning", "target"), message, "raise it, or write a multiple such as 1.5x")
        if not is_wrong(self._merged, "warning", "critical") and critical_ms <= warning_ms:
            critical = f"the critical limit of {self._shown(critical_ms, warning_ms)}"
            message = f"{critical} is not above the warning limit of {self._shown(warning_ms)}"
            self._error(("critical", "warning", "target"), message, "the critical limit must be the higher one")

    def _check_without_target(self) -> None:
        for key in ("ideal", "warning", "critical"):
            if key in self._own and not is_wrong(self._merged, key):
                self._error((key,), f"'{key}' has no effect without a target", "add one, for example 'target: 300ms'")
