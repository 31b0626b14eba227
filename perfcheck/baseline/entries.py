"""The values of a section, by their keys: a wrong one is there, with None."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from perfcheck.baseline.context import Entries

# A key of the file -> its field in the model, where the field has a unit.
_FIELDS = {
    "target": "target_ms",
    "ideal": "ideal_ms",
    "ceiling": "ceiling_ms",
    "slow": "slow_ms",
    "timeout": "timeout_s",
    "ready_timeout": "ready_timeout_s",
    "budget": "budget_s",
    "rate": "rate_per_s",
    "pause": "pause_ms",
    "min_difference": "min_difference_ms",
    "capture": "captures",
}


def value_of(entries: Entries, key: str, default: Any = None) -> Any:
    entry = entries.get(key)
    return default if entry is None or entry.value is None else entry.value


def is_wrong(entries: Entries, *keys: str) -> bool:
    """Whether one of the keys is given with a wrong value."""
    return any(key in entries and entries[key].value is None for key in keys)


def fields_of(entries: Entries, *, without: Container[str] = ()) -> dict[str, Any]:
    """The right values, by the names of the model's fields. What is not given has its default there."""
    return {
        _FIELDS.get(key, key): entry.value
        for key, entry in entries.items()
        if entry.value is not None and key not in without
    }
