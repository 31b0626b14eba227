from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.judge.server_timing import parse_descriptions, parse_server_timing


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", {}),
        ("db;dur=53", {"db": 53.0}),
        ("db;dur=53.5, app;dur=47.2", {"db": 53.5, "app": 47.2}),
        ('cache;desc="Cache; read, with commas";dur=23.2', {"cache": 23.2}),
        ('db;dur="12"', {"db": 12.0}),
        ("db ; dur = 12 , app ; dur=1", {"db": 12.0, "app": 1.0}),
        ("db;DUR=12", {"db": 12.0}),
        ("miss, db;dur=1", {"db": 1.0}),
        ("db;dur=1;dur=2", {"db": 1.0}),
        ("db;dur=1, db;dur=2", {"db": 3.0}),
        ("db;dur=fast, app;dur=1", {"app": 1.0}),
        ("db;dur=-1, app;dur=nan, x;dur=inf", {}),
        (",,;;==, app;dur=1", {"app": 1.0}),
        ('db;desc="no end, app;dur=1', {"app": 1.0}),
    ],
)
def test_parse(header: str, expected: dict[str, float]) -> None:
    assert parse_server_timing(header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", {}),
        ("db;dur=53", {}),
        ('db;dur=812;desc="101 queries, 100 alike", app;dur=30', {"db": "101 queries, 100 alike"}),
        ('cache;desc="12 hits, 3 misses"', {"cache": "12 hits, 3 misses"}),
        ("db;DESC=queries;dur=1", {"db": "queries"}),
        ('db;desc="one";desc="two", db;desc="three"', {"db": "one"}),
        (r'db;desc="a \"quoted\" \\ word"', {"db": r'a "quoted" \ word'}),
        ('db;desc="  ";dur=1, app;desc=""', {}),
    ],
)
def test_descriptions(header: str, expected: dict[str, str]) -> None:
    assert parse_descriptions(header) == expected


@given(st.text(alphabet='ab;,="\\ durx1.', max_size=200))
def test_any_header_is_parsed_or_passed_over(header: str) -> None:
    assert all(duration >= 0 for duration in parse_server_timing(header).values())
    assert all(parse_descriptions(header).values())
