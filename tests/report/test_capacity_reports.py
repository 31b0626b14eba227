"""A capacity in every report, from one run; and in the run file."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console
from support.capacities import capacity_run, found
from support.golden import check_golden

from perfcheck.capacity.model import Ending
from perfcheck.model import CapacityResult, LoadModel, Run
from perfcheck.report import csv as to_csv
from perfcheck.report import html, junit, markdown, openmetrics
from perfcheck.report.console import render_console
from perfcheck.report.glyphs import UNICODE
from perfcheck.report.run_summary import exit_meaning
from perfcheck.runfile import decode_run, encode_run

GOLDEN = Path(__file__).parent / "golden"
OK = found(at_least=39)
TOO_LITTLE = found(at_least=50)
UNKNOWN = found(None, (None, None), Ending.RARE, at_least=50)


def console_text(run: Run) -> str:
    console = Console(width=100, color_system=None, file=io.StringIO())
    with console.capture() as capture:
        console.print(render_console(run, UNICODE, 100))
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def test_the_console() -> None:
    check_golden(GOLDEN / "capacity.txt", console_text(capacity_run(TOO_LITTLE, found(60, (55, 65)))))


def test_the_comment() -> None:
    check_golden(GOLDEN / "capacity.md", markdown.render(capacity_run(TOO_LITTLE)))


def test_openmetrics() -> None:
    lines = openmetrics.render(capacity_run(TOO_LITTLE)).splitlines()
    assert [line for line in lines if line.startswith("perfcheck_capacity")] == [
        'perfcheck_capacity_verdict{perfcheck_capacity_verdict="OK"} 0',
        'perfcheck_capacity_verdict{perfcheck_capacity_verdict="WARNING"} 0',
        'perfcheck_capacity_verdict{perfcheck_capacity_verdict="CRITICAL"} 1',
        'perfcheck_capacity_verdict{perfcheck_capacity_verdict="not measured"} 0',
        'perfcheck_capacity{model="users"} 42',
        'perfcheck_capacity_interval_low{model="users"} 39',
        'perfcheck_capacity_interval_high{model="users"} 45',
        'perfcheck_capacity_at_least{model="users"} 50',
    ]
    assert "perfcheck_capacity{" not in openmetrics.render(capacity_run(UNKNOWN))


def test_csv() -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv.render(capacity_run(TOO_LITTLE))))
    known = {name: value for name, value in row.items() if value and not name.startswith(("run_", "baseline_"))}
    assert known == {
        "name": "capacity",
        "verdict": "CRITICAL",
        "decided": "true",
        "value_ms": "42.0",
        "interval_low_ms": "39.0",
        "interval_high_ms": "45.0",
        "target_ms": "50",
        "ratio": "0.84",
        "requests_judged": "2030",
        "reason": "the limits hold for 42 users (39 to 45 users); needed: at least 50 users",
        "metric_of": "user capacity",
        "unit": "users",
    }


def test_the_page() -> None:
    page = html.render(capacity_run(OK))
    start = page.index('<section aria-labelledby="capacity">')
    check_golden(GOLDEN / "capacity.html", page[start : page.index("</section>", start)])


@pytest.mark.parametrize(
    ("result", "child"), [(OK, None), (TOO_LITTLE, "failure"), (found(at_least=42), "error"), (UNKNOWN, "error")]
)
def test_the_test_case(result: CapacityResult, child: str | None) -> None:
    (case,) = ET.fromstring(junit.render(capacity_run(result))).iter("testcase")
    assert case.get("name") == "capacity"
    assert [element.tag for element in case] == ([child] if child else [])


@pytest.mark.parametrize(
    ("result", "meaning"),
    [
        (OK, "exit 0: passed"),
        (TOO_LITTLE, "exit 1: CRITICAL fails the check"),
        (found(at_least=42), "exit 3: it is not proven"),
        (UNKNOWN, "exit 3: the capacity is not known"),
    ],
)
def test_the_exit_code_in_words(result: CapacityResult, meaning: str) -> None:
    assert exit_meaning(capacity_run(result)) == meaning


@pytest.mark.parametrize("result", [OK, TOO_LITTLE, UNKNOWN, replace(found(212.4), model=LoadModel.RATE)])
def test_the_run_file_keeps_all_of_it(result: CapacityResult) -> None:
    run = capacity_run(result, found(60, (55, 65)))
    assert decode_run(encode_run(run), "run.json") == run


def test_a_run_file_without_one_is_read_as_before() -> None:
    values = json.loads(encode_run(replace(capacity_run(), capacity=None)))
    del values["capacity"]
    assert decode_run(json.dumps(values).encode(), "run.json").capacity is None


def test_an_error_of_the_generator_does_not_make_a_verdict_unproven() -> None:
    run = replace(capacity_run(OK), exit_code=3, complete=False)
    assert exit_meaning(run) == "exit 3: the search did not come to its end"


def pages(run: Run) -> str:
    return "".join((html.render(run), markdown.render(run), console_text(run)))


def test_nothing_but_the_failure_is_shown_where_no_load_was_made() -> None:
    run = capacity_run(replace(UNKNOWN, steps=(), limits_ms={}))
    assert "cannot tell in this time" in pages(run)
