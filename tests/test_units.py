from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.units import (
    format_change,
    format_change_interval,
    format_duration,
    format_figure,
    format_from_to,
    format_limit,
    format_ms,
    format_multiple,
    format_percentage,
    format_rate,
    format_size,
    format_slower,
    parse_duration_ms,
    parse_multiple,
    parse_percentage,
    parse_rate,
    parse_size,
    shown_as_multiple,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("300ms", 300.0), ("1.5s", 1500.0), ("2m", 120_000.0), ("0.5 ms", 0.5), ("250us", 0.25), ("1h", 3_600_000.0)],
)
def test_durations(text: str, expected: float) -> None:
    assert parse_duration_ms(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("1MB", 1_000_000), ("1MiB", 1_048_576), ("500 kB", 500_000)])
def test_sizes(text: str, expected: int) -> None:
    assert parse_size(text) == expected


def test_percentages_and_multiples() -> None:
    assert parse_percentage("5%") == 0.05
    assert parse_percentage("0.1 %") == 0.001
    assert parse_multiple("1.5x") == 1.5


@pytest.mark.parametrize(
    ("text", "per_s", "shown"),
    [
        ("10/s", 10.0, "10/s"),
        ("600/min", 10.0, "10/s"),
        (" .5 / s ", 0.5, "30/min"),
        ("90/h", 0.025, "1.5/min"),
        ("1/h", 1 / 3600, "1/h"),
        ("1234.5/s", 1234.5, "1234.5/s"),
    ],
)
def test_rates(text: str, per_s: float, shown: str) -> None:
    assert parse_rate(text) == pytest.approx(per_s)
    assert format_rate(per_s) == shown


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_duration_ms, "300", "did you mean 300ms"),
        (parse_duration_ms, "300 mS", "did you mean 300ms"),
        (parse_duration_ms, "3 weeks", "unknown unit 'weeks': use one of us"),
        (parse_duration_ms, "-3ms", "expected a duration such as 300ms"),
        (parse_duration_ms, "fast", "expected a duration"),
        (parse_duration_ms, "1e400h", "expected a duration"),
        (parse_duration_ms, "9" * 400 + "h", "out of range"),
        (parse_size, "1", "did you mean 1MB"),
        (parse_percentage, "5", "did you mean 5%"),
        (parse_percentage, "101%", "between 0% and 100%"),
        (parse_multiple, "2", "did you mean 2x"),
        (parse_rate, "10", "did you mean 10/s"),
        (parse_rate, "10/", "did you mean 10/s"),
        (parse_rate, "10/day", "use one of /s, /min, /h"),
        (parse_rate, "0/s", "more than 0"),
        (parse_rate, "0.5/h", "out of range"),
        (parse_rate, "9" * 400 + "/s", "out of range"),
        (parse_rate, "-1/s", "expected a rate such as 10/s"),
    ],
)
def test_errors_suggest_the_remedy(parse: object, text: str, message: str) -> None:
    assert callable(parse)
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("value", "other", "expected"),
    [
        (None, None, "-"),
        (0.0, None, "0 ms"),
        (0.2345, None, "0.234 ms"),
        (12.345, None, "12.3 ms"),
        (412.4, None, "412 ms"),
        (1234.0, None, "1.23 s"),
        (450.0, 450.0, "450 ms"),
        (450.0003, 450.0, "450.0003 ms"),
        (449.7, 450.0, "449.7 ms"),
        (999.7, 1000.0, "0.9997 s"),
        (500.0, 499.5, "500.0 ms"),
        (1.0, 0.99999, "1.0 ms"),
        (1500.0, 1499.6, "1.50 s"),
    ],
)
def test_format_ms(value: float | None, other: float | None, expected: str) -> None:
    assert format_ms(value, distinct_from=other) == expected


@given(st.floats(min_value=0.001, max_value=1e6), st.floats(min_value=0.001, max_value=1e6))
def test_what_is_printed_never_hides_a_difference_from_the_limit(value: float, limit: float) -> None:
    if not math.isclose(value, limit, rel_tol=1e-9):
        assert format_ms(value, distinct_from=limit) != format_ms(limit)
        assert format_multiple(value, distinct_from=limit) != format_multiple(limit)


@pytest.mark.parametrize(
    ("value_ms", "like", "expected"),
    [
        (250, None, "250ms"),
        (0.5, None, "0.5ms"),
        (1200, None, "1.2s"),
        (800, "1.5s", "0.8s"),
        (80, "1.5s", "80ms"),
        (1200, "1500ms", "1200ms"),
        (12_000, "900ms", "12s"),
        (250, "300 ms", "250 ms"),
        (250, " .3 s ", "0.25 s"),
        (2.5, "5000us", "2500us"),
        (90_000, "2m", "1.5m"),
        (250, "fast", "250ms"),
        (0.0123, "1ms", "0.0123ms"),
    ],
)
def test_durations_as_a_baseline_has_them(value_ms: float, like: str | None, expected: str) -> None:
    assert format_duration(value_ms, like) == expected
    assert parse_duration_ms(format_duration(value_ms, like)) == value_ms


@pytest.mark.parametrize(
    ("low", "high", "multiple", "expected"),
    [
        (0.97, 1.02, False, "-3% to +2%"),
        (2.39, 3.9, True, "2.39x to 3.9x"),
        (0.8, 8.0, True, "0.8x to 8x"),
        (1.05, None, False, "over +5%"),
        (None, 1.05, False, "under +5%"),
        (None, None, False, "-"),
    ],
)
def test_both_ends_of_a_change_are_in_one_unit(
    low: float | None, high: float | None, *, multiple: bool, expected: str
) -> None:
    assert format_change_interval(low, high, multiple=multiple) == expected


@pytest.mark.parametrize(
    ("ratio", "limit", "change", "words"),
    [
        (1.27, None, "+27%", "27% slower"),
        (0.95, None, "-5%", "5% faster"),
        (3.4, None, "3.4x", "3.4 times as slow"),
        (1.004, None, "+0.4%", "0.4% slower"),  # not 0% slower
        (0.996, None, "-0.4%", "0.4% faster"),
        (0.64535, None, "-35%", "35% faster"),  # rounded once
        (1.0, None, "0%", "no slower"),
        (0.9996, None, "0%", "no slower"),
        (1.104, 1.1, "+10%", "10.4% slower"),  # not 10% slower, over 10%
        (1.1000001, 1.1, "+10%", "10.00001% slower"),
        (1.26, 1.25, "+26%", "26% slower"),
        (3.0001, 3.0, "3x", "3.0001 times as slow"),
    ],
)
def test_changes_never_look_like_what_they_are_not(ratio: float, limit: float | None, change: str, words: str) -> None:
    assert format_change(ratio) == change
    assert format_slower(ratio, distinct_from=limit) == words


def test_what_is_read_together_is_in_one_unit() -> None:
    assert shown_as_multiple(None, 1.2, 3.0)
    assert not shown_as_multiple(None, 1.2, 2.99)
    assert (format_change(2.84, multiple=True), format_change(2.84)) == ("2.84x", "+184%")
    assert format_slower(2.84, multiple=True) == "2.84 times as slow"


def test_other_formats() -> None:
    assert format_multiple(1.72) == "1.72x"
    assert format_multiple(1.500001, distinct_from=1.5) == "1.500001x"
    assert [format_size(n) for n in (512, 12_345, 1_500_000, 2_000_000_000)] == ["512 B", "12.3 kB", "1.5 MB", "2 GB"]
    assert format_percentage(0.0123) == "1.23%"
    assert format_percentage(0.010001, distinct_from=0.01) == "1.0001%"
    assert format_percentage(0.01, distinct_from=0.01) == "1%"
    assert format_ms(1234.5, unit=False) == "1234"


# --- Figures of pages ------------------------------------------------------------------------------------------------


def test_sizes_at_the_border_of_a_unit() -> None:
    assert [format_size(n) for n in (999, 999_499, 999_500, 999_999)] == ["999 B", "999 kB", "1 MB", "1 MB"]


@pytest.mark.parametrize(
    ("value", "unit", "other", "text", "in_column"),
    [
        (512_000.0, "bytes", None, "512 kB", "512 kB"),
        (512_100.0, "bytes", 512_000.0, "512.1 kB", "512.1 kB"),
        (0.0, "bytes", None, "0 B", "0 B"),
        (14.0, "number", None, "14", "14"),
        (0.025, "number", None, "0.025", "0.025"),
        (1500.0, "ms", None, "1.5 s", "1500"),
        (None, "bytes", None, "-", "-"),
    ],
)
def test_a_figure_in_its_unit(value: float | None, unit: str, other: float | None, text: str, in_column: str) -> None:
    assert format_figure(value, unit, distinct_from=other) == text
    assert format_figure(value, unit, distinct_from=other, in_ms=True) == in_column


def test_changes_of_figures() -> None:
    assert format_from_to(411.0, 407.0) == "411 -> 407 ms"
    assert format_from_to(512_000, 520_000, "bytes") == "512 -> 520 kB"
    assert format_from_to(512_000, 1_200_000, "bytes") == "512 kB -> 1.2 MB"
    assert format_from_to(0.0, 0.05, "number") == "0 -> 0.05"
    assert format_slower(1.3, unit="bytes", than="before") == "30% more than before"
    assert format_slower(4.0, unit="number", than="before") == "4 times as much as before"
    assert format_slower(4.0, than="before") == "4 times as slow as before"
    assert format_slower(0.5, unit="number") == "50% less"
    assert (format_slower(1.0, unit="bytes"), format_slower(math.inf, than="before")) == ("no more", "up from 0")
    assert format_change(math.inf) == "from 0"


@given(st.integers(1, 86_400_000), st.sampled_from(["bytes", "ms", "number"]))  # at most a day, as baselines have it
def test_a_limit_is_read_as_it_was(value: int, unit: str) -> None:
    parse: dict[str, Callable[[str], float]] = {"bytes": parse_size, "ms": parse_duration_ms, "number": float}
    assert parse[unit](format_limit(value, unit)) == value
