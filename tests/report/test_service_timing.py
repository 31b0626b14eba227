"""What a report says of where the service itself spent its time."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from simulation.runs import decision, endpoint, result, run, samples

from perfcheck.model import EndpointResult, Verdict
from perfcheck.report.explain import likely_cause, where_the_time_went
from perfcheck.runfile import encode_run


def slow(header: str | None) -> EndpointResult:
    measured = [(stage, replace(sample, server_timing=header)) for stage, sample in samples(1, [930.0] * 5)]
    return result(endpoint("videos.list"), measured, decision(Verdict.CRITICAL, 930.0))


@pytest.mark.parametrize(
    ("header", "account"),
    [
        ('app;dur=925, db;dur=812;desc="101 queries"', "Server-Timing: db 812 ms of 930 ms (101 queries), app 925 ms"),
        (
            'app;dur=925, db;dur=812;desc="101 queries, 100 identical"',
            "Server-Timing: db 812 ms of 930 ms (101 queries, 100 identical), app 925 ms",
        ),
        (
            'db;dur=5;desc="101 queries, 100 alike", app;dur=925',  # not where the time went
            "Server-Timing: db 5 ms of 930 ms (101 queries, 100 alike), app 925 ms",
        ),
        (
            'app;dur=925, cache;desc="12 hits, 3 misses"',
            "Server-Timing: app 925 ms, cache (12 hits, 3 misses)",
        ),
        ('db;dur=812;desc="Database", app;dur=30', "Server-Timing: db 812 ms, app 30 ms"),
        ("cache;desc=hit", None),
        (None, None),
    ],
)
def test_the_account_of_the_service_is_next_to_the_phases(header: str | None, account: str | None) -> None:
    phases = "waiting for the first byte 930 ms; download 93 ms"
    assert where_the_time_went(slow(header)) == (f"{phases}; {account}" if account else phases)


@pytest.mark.parametrize(
    ("header", "cause"),
    [
        (
            'app;dur=925, db;dur=812;desc="101 queries, 100 identical"',
            "likely N+1: 100 identical statements in one request",
        ),
        ('db;dur=812;desc="101 queries, 100 alike"', "likely N+1: 100 identical statements in one request"),
        ('db;dur=5;desc="101 queries, 100 identical", app;dur=925', ""),  # not where the time went
        ('db;dur=812;desc="101 queries"', ""),
        (None, ""),
    ],
)
def test_repeated_statements_are_the_likely_cause(header: str | None, cause: str) -> None:
    assert likely_cause(slow(header)) == cause


def test_words_of_a_service_are_made_safe() -> None:
    told = where_the_time_went(slow('db;dur=812;desc="1 \x1b[31mred\u202e' + "x" * 500 + '"'))
    assert told.isprintable()
    assert len(told) < 250


def test_the_words_are_in_the_run_file() -> None:
    encoded = encode_run(run([slow('db;dur=812;desc="101 queries"')]))
    assert json.loads(encoded)["endpoints"][0]["server_timing_details"] == {"db": "101 queries"}
    assert json.loads(encoded)["endpoints"][0]["server_timing"] == {"db": 812.0}
