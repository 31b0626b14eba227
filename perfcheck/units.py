"""Durations, sizes, percentages and multiples, in and out. Imports nothing but the standard library."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

_MS = {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "min": 60_000.0, "h": 3_600_000.0}
_LEAST_IN_UNIT, _MOST_IN_UNIT = 0.1, 10_000.0  # as people write a duration: 0.5s, 1500ms
_BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_NUMBER_AND_UNIT = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-zµ%]*)\s*", re.ASCII | re.IGNORECASE)


_EXAMPLES = {"ms": "300ms or 1.5s", "s": "60s or 2m", "MB": "1MB or 500KiB", "%": "5%", "x": "1.5x"}


class WrongValueError(ValueError):
    """A value whose error is known, with the remedy where there is one. As text: ``message: remedy``."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(f"{message}: {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy


def parse_duration_ms(text: str, usual: str = "ms") -> float:
    """``300ms`` -> 300.0, ``1.5s`` -> 1500.0. Raises ValueError with a message that suggests the ``usual`` unit."""
    return _parse(text, _MS, "a duration", usual)


def parse_size(text: str) -> int:
    """``1MB`` -> 1_000_000 bytes, ``1MiB`` -> 1_048_576. Raises ValueError with a message that suggests the unit."""
    return round(_parse(text, _BYTES, "a size", "MB"))


def parse_percentage(text: str) -> float:
    """``5%`` -> 0.05. Raises ValueError with a message that suggests the unit."""
    value = _parse(text, {"%": 1.0}, "a percentage", "%")
    if value > 100:  # noqa: PLR2004
        raise WrongValueError("a percentage must be between 0% and 100%")
    return round(value / 100, 12)


def parse_multiple(text: str) -> float:
    """``1.5x`` -> 1.5. Raises ValueError with a message that suggests the unit."""
    return _parse(text, {"x": 1.0}, "a multiple", "x")


_PER = {"s": 1.0, "min": 60.0, "h": 3600.0}
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(?:/\s*([A-Za-z]*)\s*)?", re.ASCII)


def parse_rate(text: str) -> float:
    """``10/s``, ``600/min`` -> 10.0 per second. Raises ValueError with a message that suggests the unit."""
    match = _RATE.fullmatch(text)
    if not match:
        raise ValueError("expected a rate such as 10/s or 600/min")
    number, unit = match.groups()
    if not unit:
        raise WrongValueError("a rate needs a unit", f"did you mean {number}/s?")
    if unit not in _PER:
        raise WrongValueError(f"unknown unit '/{unit}'", f"use one of /{', /'.join(_PER)}")
    rate = float(number) / _PER[unit]
    if rate == 0:
        raise WrongValueError("a rate must be more than 0", "write, for example, 10/s")
    if not 1 / _PER["h"] <= rate < math.inf:
        raise WrongValueError("a rate this large or small is out of range", "write, for example, 10/s")
    return rate


def format_rate(per_s: float, *, digits: int = 5) -> str:
    """``10/s``, ``90/min``: per second, or in the shortest time in which it is at least 1."""
    unit = next((unit for unit, seconds in _PER.items() if round(per_s * seconds, 6) >= 1), "h")
    amount = per_s * _PER[unit]
    return f"{round(amount, digits - 1 - math.floor(math.log10(amount))):g}/{unit}"


_USERS = re.compile(r"\s*(\d{1,9})\s*(?:(users?)\s*)?", re.ASCII)


def parse_users(text: str) -> int:
    """``50 users`` -> 50. Raises ValueError with a message that suggests the unit."""
    match = _USERS.fullmatch(text)
    if not match:
        raise ValueError("expected a load such as 50 users or 200/s")
    number, unit = match.groups()
    if not unit:
        raise WrongValueError("a load needs a unit", f"did you mean {number} users, or {number}/s?")
    if not int(number):
        raise WrongValueError("a load must be more than 0", "write, for example, 50 users")
    return int(number)


def format_load(amount: float, *, is_rate: bool) -> str:
    """``50 users``, ``212/s``: users are whole, and of a rate three digits are shown."""
    if is_rate:
        return format_rate(amount, digits=3)
    return f"{amount:,.0f} user{'' if round(amount) == 1 else 's'}"


def _parse(text: str, units: dict[str, float] | dict[str, int], what: str, usual: str) -> float:
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if not match:
        raise ValueError(f"expected {what} such as {_EXAMPLES[usual]}")
    number, unit = match.groups()
    if not unit:
        raise WrongValueError(f"{what} needs a unit", f"did you mean {number}{usual}?")
    if unit not in units:
        fitting = next((known for known in units if known.lower() == unit.lower()), None)
        remedy = f"did you mean {number}{fitting}?" if fitting else f"use one of {', '.join(units)}"
        raise WrongValueError(f"unknown unit '{unit}'", remedy)
    value = round(float(number) * units[unit], 9)
    if not math.isfinite(value):
        raise WrongValueError(f"{what} this large is out of range")
    return value


_LEAST_MINUTES = 2


def format_ms(value: float | None, *, distinct_from: float | None = None, unit: bool = True) -> str:
    """``0.234 ms``, ``12.3 ms``, ``412 ms``, ``1.23 s``: three digits, or more.

    A value that rounds to the limit it exceeds would contradict its own verdict, so digits are added until it looks
    different from ``distinct_from``. Without ``unit`` the number is in milliseconds, whatever its size, for a column
    that names its unit.
    """
    if value is None:
        return "-"
    return _distinct(value, distinct_from, _milliseconds_or_seconds if unit else _three_digits)


def format_figure(value: float | None, unit: str, *, distinct_from: float | None = None, in_ms: bool = False) -> str:
    """A figure in its ``unit``: milliseconds as ``format_ms`` has them, ``12.3 kB``, ``50 users``, or a mere number.

    ``in_ms``: in a column of milliseconds, where the others carry their own unit.
    """
    if unit == "ms" or value is None:
        return format_ms(value, distinct_from=distinct_from, unit=not in_ms)
    return _distinct(value, distinct_from, _RENDERED.get(unit, _three_digits))


def _users(value: float, digits: int) -> str:
    return format_load(value, is_rate=False) if digits == 3 else f"{_three_digits(value, digits)} users"  # noqa: PLR2004


def _per_second(value: float, digits: int) -> str:
    return format_rate(value, digits=digits) if value else "0/s"


def format_from_to(before: float, after: float, unit: str = "ms") -> str:
    """``411 -> 407 ms``, ``950 ms -> 1.2 s``: with as many digits as it takes to make them look different.

    Of other figures in their ``unit``, as ``format_figure`` has them.
    """
    shown = format_figure(before, unit, distinct_from=after), format_figure(after, unit, distinct_from=before)
    number, _, suffix = shown[0].partition(" ")
    return f"{number if shown[1].endswith(f' {suffix}') else shown[0]} -> {shown[1]}"


def format_duration(value_ms: float, like: str | None = None) -> str:
    """``250ms``, ``1.2s``: as a baseline has it, in the unit and with the space of ``like`` where that suits it."""
    unit, space = ("ms", "") if value_ms < 1000 else ("s", "")  # noqa: PLR2004
    match = _NUMBER_AND_UNIT.fullmatch(like or "")
    if match and match[2] in _MS:
        space = " " if (like or "").strip() != match[1] + match[2] else ""
        amount = value_ms / _MS[match[2]]
        unit = match[2] if _LEAST_IN_UNIT <= amount < _MOST_IN_UNIT else unit
    return f"{round(value_ms / _MS[unit], 9):.9f}".rstrip("0").rstrip(".") + space + unit


def format_limit(value: float, unit: str, like: str | None = None) -> str:
    """``250ms``, ``700kB``, ``0.02``: as a baseline has it; a time in the unit of ``like`` where that suits it."""
    if unit == "ms":
        return format_duration(value, like)
    suffix = next((size for size in ("MB", "kB", "B") if value >= _BYTES[size]), "B") if unit == "bytes" else ""
    return f"{round(value / _BYTES.get(suffix, 1), 9):.9f}".rstrip("0").rstrip(".") + suffix


def format_about(seconds: float) -> str:
    """``35 s``, ``6 min``: for a forecast, which is no more exact than that."""
    return f"{seconds:.0f} s" if round(seconds) < _LEAST_MINUTES * 60 else f"{seconds / 60:.0f} min"


def format_multiple(value: float, *, distinct_from: float | None = None) -> str:
    """``1.72x``, ``33.3x``: three digits, or as many as it takes to look different from ``distinct_from``."""
    return _distinct(value, distinct_from, _three_digits) + "x"


_LEAST_MULTIPLE = 3.0  # from here on a multiple is clearer than a percentage
_CHANGE_DIGITS = 3  # of a ratio: what is closer to 1 is no change


def shown_as_multiple(*ratios: float | None) -> bool:
    """Whether one of these ratios is shown as a multiple, and so all that are read together."""
    return any(ratio is not None and ratio >= _LEAST_MULTIPLE for ratio in ratios)


def format_change(ratio: float, *, multiple: bool | None = None) -> str:
    """``+27%``, ``-5%``, ``3.4x``: after / before, as a change; by default whichever is clearer. ``from 0`` of one."""
    if math.isinf(ratio):
        return "from 0"
    if shown_as_multiple(ratio) if multiple is None else multiple:
        return format_multiple(ratio)
    percentage = _percentage(ratio)
    return percentage if percentage == "0%" else f"{'-' if ratio < 1 else '+'}{percentage}"


def format_change_interval(low: float | None, high: float | None, *, multiple: bool) -> str:
    """``-3% to +2%``, ``2.4x to 3.9x``; ``over +5%`` where it is open above, ``-`` without any end."""
    ends = [format_change(end, multiple=multiple) for end in (low, high) if end is not None]
    if len(ends) == 1:
        return f"{'under' if low is None else 'over'} {ends[0]}"
    return " to ".join(ends) or "-"


_IN_TIME, _IN_AMOUNT, _IN_LOAD = ("slower", "faster", "slow"), ("more", "less", "much"), ("higher", "lower", "high")
_IN_WORDS = {"ms": _IN_TIME, "users": _IN_LOAD, "per second": _IN_LOAD}


def format_slower(
    ratio: float,
    *,
    than: str = "",
    unit: str = "ms",
    distinct_from: float | None = None,
    multiple: bool | None = None,
) -> str:
    """``27% slower``, ``5% faster``, ``no slower``, ``3.4 times as slow``: after / before, in words.

    Of a figure in another ``unit`` ``27% more``, ``5% less``, ``3.4 times as much``, of a load ``27% higher``; of one
    that was 0 ``up from 0``.
    With ``than`` "before": ``27% slower than before``, ``3.4 times as slow as before``.
    """
    slower, faster, slow = _IN_WORDS.get(unit, _IN_AMOUNT)
    if math.isinf(ratio):
        return "up from 0"
    if ratio >= 1 and (shown_as_multiple(ratio) if multiple is None else multiple):
        times = format_multiple(ratio, distinct_from=distinct_from)[:-1]
        return f"{times} times as {slow}" + (f" as {than}" if than else "")
    percentage = _percentage(ratio, distinct_from)
    change = f"no {slower}" if percentage == "0%" else f"{percentage} {slower if ratio >= 1 else faster}"
    return change + (f" than {than}" if than else "")


def _percentage(ratio: float, distinct_from: float | None = None) -> str:
    """Without its sign: ``27%``; ``0.4%``, since that is not 0; ``10.4%``, where it is distinct from 10%."""
    if distinct_from is None:
        ratio, distinct_from = 1.0 if round(ratio, _CHANGE_DIGITS) == 1 else ratio, 1.0
    return _distinct(ratio, distinct_from, lambda value, digits: f"{abs(value - 1) * 100:.{digits - 3}f}%")


def _distinct(value: float, other: float | None, render: Callable[[float, int], str]) -> str:
    """``value`` with no more digits than it takes to look different from ``other``, if it is.

    ``other`` is usually shown next to it with three digits, and may round to ``value`` itself: ``500.0 ms`` is over the
    limit of 499.5 ms, shown as ``500 ms``.
    """
    if other is None or value == other:
        return render(value, 3)
    for digits in range(3, 13):
        if (shown := render(value, digits)) not in {render(other, digits), render(other, 3)}:
            return shown
    number, space, unit = shown.partition(" ")
    return f"{number}{'0' if '.' in number else '.0'}{space}{unit}"


def _milliseconds_or_seconds(value: float, digits: int) -> str:
    if value >= 999.5:  # noqa: PLR2004 - where three digits become 1000 ms
        return f"{_three_digits(value / 1000, digits)} s"
    return f"{_three_digits(value, digits)} ms"


def _three_digits(value: float, digits: int) -> str:
    """At least ``digits`` significant digits; whole numbers are never rounded, trailing zeros are dropped."""
    if value == 0 or math.isinf(value):
        return "0" if value == 0 else "inf"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(decimals, 3 if digits == 3 else 12)}f}"  # noqa: PLR2004 - no more than microseconds at first
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_size(value: int) -> str:
    """``512 B``, ``12.3 kB``, ``1.5 MB``."""
    return _bytes(value, 3)


def _bytes(value: float, digits: int) -> str:
    for unit in ("B", "kB", "MB"):
        if value < 999.5:  # noqa: PLR2004 - where three digits become 1000
            return f"{_three_digits(value, digits)} {unit}"
        value /= 1000
    return f"{_three_digits(value, digits)} GB"


_RENDERED = {"bytes": _bytes, "users": _users, "per second": _per_second}


def format_percentage(fraction: float, *, distinct_from: float | None = None) -> str:
    """``0.05`` -> ``5%``, ``0.0123`` -> ``1.23%``; as many digits as it takes to look different from another one."""
    return _distinct(100 * fraction, None if distinct_from is None else 100 * distinct_from, _three_digits) + "%"
