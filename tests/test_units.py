from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.units import (
    format_duration,
    format_ms,
    format_multiple,
    format_percentage,
    format_size,
    parse_duration_ms,
    parse_multiple,
    parse_percentage,
    parse_size,
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


def test_other_formats() -> None:
    assert format_multiple(1.72) == "1.72x"
    assert format_multiple(1.500001, distinct_from=1.5) == "1.500001x"
    assert [format_size(n) for n in (512, 12_345, 1_500_000, 2_000_000_000)] == ["512 B", "12.3 kB", "1.5 MB", "2 GB"]
    assert format_percentage(0.0123) == "1.23%"
    assert format_ms(1234.5, unit=False) == "1234"
