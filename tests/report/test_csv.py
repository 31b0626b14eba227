from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation.runs import big_run, example_results, hostile_names, hostile_run, run
from support.comparisons import comparison_run, hostile_comparison
from support.golden import check_golden

from perfcheck.judge.compare_runs import changes_since
from perfcheck.model import EndpointResult, Run
from perfcheck.report.csv import render
from perfcheck.report.explain import baseline_lines, reasons
from perfcheck.text import clean

GOLDEN = Path(__file__).parent / "golden"
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # surrogates included
SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
FORMULAS = st.from_regex(rf"""[ ;"']{{0,4}}[{SIGNS}][ ;"'{SIGNS}a1]{{0,8}}""", fullmatch=True)


def read(one: Run, previous: Run | None = None) -> list[dict[str, str]]:
    return list(
        csv.DictReader(
            io.StringIO(render(one, changes_since(one, previous) if previous else None), newline=""), strict=True
        )
    )


def original(cell: str) -> str:
    """As the documentation says to undo what makes formulas inert."""
    return re.sub(rf"""(^|;)([ "]*)'('*[{SIGNS}])""", r"\1\2\3", cell)


FIGURES: dict[str, Callable[[EndpointResult], float | None]] = {
    "value_ms": lambda one: one.value_ms,
    "interval_low_ms": lambda one: one.interval_ms[0],
    "interval_high_ms": lambda one: one.interval_ms[1],
    "ratio": lambda one: one.ratio,
    "error_rate": lambda one: one.error_rate,
    "error_rate_bound": lambda one: one.error_rate_bound,
    "body_bytes": lambda one: one.body_bytes,
}


def check_values(one: Run) -> None:
    rows = read(one)
    assert len(rows) == len(one.endpoints)
    for row, told in zip(rows, one.endpoints, strict=True):
        assert original(row["verdict"]) == told.verdict
        assert row["decided"] == ("true" if told.decided else "false")
        assert row["over_timeout"] == ("true" if told.over_timeout else "false")
        assert row["metric"] == told.metric
        assert row["metric_of"] == told.metric_of
        assert row["unit"] == told.metric_of.unit
        assert original(row["reason"]) == next((clean(finding.message, 2000) for finding in reasons(told)), "")
        assert row["errors"] == ", ".join(f"{kind}: {count}" for kind, count in told.errors.items())
        assert int(row["baseline_line"]) == baseline_lines(told)[0]
        figures = {name: figure(told) for name, figure in FIGURES.items()}
        for limit in ("target_ms", "ideal_ms", "warning_ms", "critical_ms", "ceiling_ms"):
            figures[limit] = getattr(told, limit)
        figures["concurrency"] = told.concurrency
        for count in ("sent", "succeeded", "failed", "warmup", "judged"):
            figures[f"requests_{count}"] = getattr(told.requests, count)
        for statistic in ("min", "mean", "stdev", "median", "p75", "p90", "p95", "p99", "max"):
            figures[f"latency_{statistic}_ms"] = getattr(told.latency_ms, statistic)
        for phase in ("dns", "connect", "tls", "wait", "download"):
            figures[f"phase_{phase}_ms"] = getattr(told.phases_ms, phase)
        for name, expected in figures.items():
            assert (float(row[name]) if row[name] else None) == expected, name
        texts = {
            "name",
            "group",
            "method",
            "url",
            "verdict",
            "decided",
            "metric",
            "metric_of",
            "steps",
            "unit",
            "over_timeout",
            "errors",
            "reason",
            "unconfirmed",
        }
        later = {name for name in row if name.startswith(("baseline_", "change_", "run_"))}
        assert row.keys() == texts | figures.keys() | later


def test_report() -> None:
    check_golden(GOLDEN / "endpoints.csv", render(run()))


def test_every_value_is_read_back() -> None:
    check_values(run())
    check_values(hostile_run())


def test_values_of_a_big_run_are_read_back() -> None:
    check_values(big_run(200, 50))


def test_lines_end_in_lf_and_columns_are_always_the_same() -> None:
    assert "\r" not in render(run())
    header = render(run()).splitlines()[0]
    assert render(run([])) == f"{header}\n"
    assert render(run(), changes_since(run(), run())).splitlines()[0] == header


def test_every_row_names_its_run() -> None:
    rows = read(run())
    assert {row["run_started_at"] for row in rows} == {"2026-11-23T12:00:00.000Z"}
    assert {row["run_commit"] for row in rows} == {"0123abcdef" * 4}
    assert {row["baseline_file"] for row in rows} == {"baselines.yaml"}


def test_change_since_an_earlier_run() -> None:
    before = run([replace(told, value_ms=told.value_ms and told.value_ms / 2) for told in example_results()[:2]])
    rows = {row["name"]: row for row in read(run(), before)}
    changed = [rows["videos.list"][f"change_{part}"] for part in ("from_ms", "ratio", "clear")]
    assert changed == ["406.125", "2.0", "false"]
    for name, row in rows.items():
        assert bool(row["change_ratio"]) is (name in {"videos.list", "videos.by_date"})
    assert {row["change_ratio"] for row in read(run())} == {""}


# --- Foreign text --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ('=HYPERLINK("http://localhost")', '\'=HYPERLINK("http://localhost")'),
        ("+1", "'+1"),
        ("-v", "'-v"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\uff1d1", "'\uff1d1"),
        ("'=1", "''=1"),
        ("a;=1", "a;'=1"),
        ('a; "-1', "a; \"'-1"),
        ("'quoted'", "'quoted'"),
        ("a=1", "a=1"),
        ("GET /videos?a=1;b=2", "GET /videos?a=1;b=2"),
    ],
)
def test_formulas_are_made_inert_and_can_be_restored(name: str, written: str) -> None:
    told = replace(example_results()[0], name=name, group=name)
    (row,) = read(run([told]))
    assert row["name"] == row["group"] == written
    assert original(written) == name


@pytest.mark.parametrize("name", ["\t=1", "\r=1", "\n=1", "\x00=1", "\u200b=1"])
def test_hidden_characters_do_not_shield_a_formula(name: str) -> None:
    (row,) = read(run([replace(example_results()[0], name=name)]))
    assert row["name"].startswith("'=1 ~")


def test_comparisons_are_the_same_columns() -> None:
    rows = {row["name"]: row for row in read(comparison_run(with_targets=True))}
    plain = read(run())[0]
    assert list(rows["videos.list"]) == list(plain)
    assert float(rows["videos.list"]["change_ratio"]) == pytest.approx(2.1, rel=0.1)
    assert rows["videos.list"]["change_clear"] == "true"
    assert rows["artists.list"]["change_clear"] == "false"
    assert rows["search.new"]["change_ratio"] == ""
    check_values(hostile_comparison())


def test_hostile_names_are_whole_and_apart() -> None:
    one = hostile_run()
    rows = read(one)
    names = [original(row["name"]) for row in rows]
    assert len(set(names)) == len(one.endpoints)
    assert "long." + "x" * 10_000 + ".one" in names
    assert "\x1b" not in render(one)
    assert len(render(one).splitlines()) == len(rows) + 1


def test_no_cell_is_longer_than_a_spreadsheet_or_the_csv_module_takes() -> None:
    long = "=" + "x;=" * 100_000
    told = replace(
        example_results()[0], name=long, group=long, url=long, errors=dict.fromkeys(map(str, range(20_000)), 1)
    )
    (row,) = read(replace(run([told]), label=long))
    assert max(map(len, row.values())) <= 32_767
    assert row["name"].startswith("'=x;'=x")


@given(st.lists(ANY_TEXT | FORMULAS | st.sampled_from(hostile_names()), min_size=1, max_size=8))
def test_any_text_is_read_back_and_runs_nowhere(texts: list[str]) -> None:
    told = example_results()
    results = [
        replace(told[i % len(told)], name=text, group=text, method=text, url=text) for i, text in enumerate(texts)
    ]
    rows = read(replace(run(results), label=texts[0]))
    assert len({row["name"] for row in rows}) == len(texts)
    for row, text in zip(rows, texts, strict=True):
        assert original(row["group"]) == clean(text)
        assert original(row["run_label"]) == clean(texts[0])
        if clean(text) == text != "" and texts.count(text) == 1:
            assert original(row["name"]) == text
        for cell in row.values():
            assert not re.search(rf"""(^|;)[ "]*[{SIGNS}]""", cell)
