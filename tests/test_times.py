from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from perfcheck.times import parse_time, rfc3339, typed_time

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01", "2026-11-01T00:00:00.000Z"),
        ("2026-11-01T09:30", "2026-11-01T09:30:00.000Z"),
        ("2026-11-01T09:30:00+02:00", "2026-11-01T07:30:00.000Z"),
        ("12h", "2026-11-23T00:00:00.000Z"),
        ("7d", "2026-11-16T12:00:00.000Z"),
        ("4w", "2026-10-26T12:00:00.000Z"),
        ("1m", "2026-10-24T12:00:00.000Z"),
        ("1y", "2025-11-23T12:00:00.000Z"),
    ],
)
def test_typed_times(text: str, expected: str) -> None:
    assert typed_time(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "soon", "7", "d", "2026-13-01", "7 days", "999999y", "-1d"])
def test_what_is_not_a_time(text: str) -> None:
    with pytest.raises(ValueError, match="expected a date such as 2026-11-01, or how long ago: 12h"):
        typed_time(text, NOW)


def test_times_are_written_in_utc_with_milliseconds() -> None:
    assert rfc3339(datetime(2026, 11, 1, 9, 30, 0, 123_456)) == "2026-11-01T09:30:00.123Z"  # noqa: DTZ001 - without a zone
    assert rfc3339(datetime(2026, 11, 1, 9, tzinfo=timezone(timedelta(hours=2)))) == "2026-11-01T07:00:00.000Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-01T25:00:00Z", "9999-12-31T23:59:59-23:00"])
def test_what_is_not_a_timestamp_is_none(text: str) -> None:
    assert parse_time(text) is None


def test_timestamps_are_read_in_utc() -> None:
    assert parse_time("2026-11-23T14:00:00+02:00") == parse_time("2026-11-23T12:00:00") == NOW
