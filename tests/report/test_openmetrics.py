from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric as MetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from simulation.runs import (
    big_run,
    decision,
    endpoint,
    example_results,
    hostile_names,
    hostile_run,
    result,
    run,
    samples,
    spread,
)
from support.comparisons import comparison_run, hostile_comparison
from support.golden import check_golden

from perfcheck.judge.compare_runs import changes_since
from perfcheck.model import EndpointResult, Metric, Run, Verdict
from perfcheck.report.openmetrics import render
from perfcheck.text import clean

GOLDEN = Path(__file__).parent / "golden"
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # surrogates included
Series = tuple[str, frozenset[tuple[str, str]]]


def families_of(text: str) -> list[MetricFamily]:
    return list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def read(one: Run, previous: Run | None = None) -> dict[Series, float]:
    """All samples, as Prometheus' own parser reads them."""
    found: dict[Series, float] = {}
    for family in families_of(render(one, changes_since(one, previous) if previous else None)):
        for sample in family.samples:
            series = (sample.name, frozenset(sample.labels.items()))
            assert series not in found
            found[series] = sample.value
    return found


def read_by_gitlab(text: str) -> dict[str, str]:
    """Name and value of each line as GitLab's parser takes them: without comments, split as by a shell."""
    lines = (shlex.split(re.sub("#.*", "", line)) for line in text.splitlines())
    return {words[0]: words[1] for words in lines if words}


def value(found: dict[Series, float], name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def figures(one: EndpointResult) -> Iterable[tuple[str, dict[str, str], float | None]]:
    """Name, labels and value (in the unit of the run) of all that is told of an endpoint, but for its verdict."""
    metric = {"metric": str(one.metric)}
    for name, ms in (
        ("perfcheck_latency_seconds", one.value_ms),
        ("perfcheck_latency_interval_low_seconds", one.interval_ms[0]),
        ("perfcheck_latency_interval_high_seconds", one.interval_ms[1]),
        ("perfcheck_ratio", one.ratio),
    ):
        yield name, metric, ms
    judged = one.verdict is not Verdict.NOT_MEASURED
    for name, plain in (
        ("perfcheck_target_seconds", one.target_ms),
        ("perfcheck_ideal_seconds", one.ideal_ms),
        ("perfcheck_latency_mean_seconds", one.latency_ms.mean),
        ("perfcheck_latency_stdev_seconds", one.latency_ms.stdev),
        ("perfcheck_error_ratio", one.error_rate),
        ("perfcheck_error_bound_ratio", one.error_rate_bound),
        ("perfcheck_body_bytes", one.body_bytes),
        ("perfcheck_judged_requests", one.requests.judged),
        ("perfcheck_decided", one.decided if judged else None),
        ("perfcheck_over_timeout", one.over_timeout if one.value_ms is not None else None),
    ):
        yield name, {}, plain
    for limit in ("warning", "critical", "ceiling"):
        yield "perfcheck_limit_seconds", {"limit": limit}, getattr(one, f"{limit}_ms")
    for phase in ("dns", "connect", "tls", "wait", "download"):
        yield "perfcheck_phase_seconds", {"phase": phase}, getattr(one.phases_ms, phase)
    quantiles = {"0.0": "min", "0.5": "median", "0.75": "p75", "0.9": "p90", "0.95": "p95", "0.99": "p99", "1.0": "max"}
    for quantile, field in quantiles.items():
        yield "perfcheck_latency_quantile_seconds", {"quantile": quantile}, getattr(one.latency_ms, field)
    for outcome in ("succeeded", "failed", "warmup"):
        yield "perfcheck_requests", {"outcome": outcome}, getattr(one.requests, outcome)
    for kind, count in one.errors.items():
        yield "perfcheck_errors", {"kind": kind}, count


def check_values(one: Run) -> None:
    """Every value of the run is there, exactly, and nothing else of any endpoint is."""
    found = read(one)
    found = {series: number for series, number in found.items() if any(label == "endpoint" for label, _ in series[1])}
    for told in one.endpoints:
        own = {"endpoint": told.name, **({"group": told.group} if told.group else {})}
        for verdict in Verdict:
            series = ("perfcheck_verdict", frozenset({**own, "perfcheck_verdict": str(verdict)}.items()))
            assert found.pop(series) == (verdict is told.verdict)
        for name, labels, expected in figures(told):
            number = found.pop((name, frozenset({**own, **labels}.items())), None)
            if expected is None:
                assert number is None
            else:
                scale = 1000 if name.endswith("_seconds") else 1
                assert number == pytest.approx(expected / scale, rel=0, abs=5.1e-13)
    assert not found


def test_report() -> None:
    check_golden(GOLDEN / "metrics.txt", render(run()))


def test_every_value_is_read_back() -> None:
    check_values(run())
    check_values(run([replace(told, group=None) for told in example_results()]))


def test_values_of_a_big_run_are_read_back() -> None:
    check_values(big_run(100, 50))


def test_run_without_endpoints() -> None:
    found = read(run([]))
    assert value(found, "perfcheck_endpoints", verdict="OK") == 0
    assert value(found, "perfcheck_run_exit_code") == 3
    assert not any(label == "endpoint" for _, labels in found for label, _ in labels)
    assert render(run([])).endswith("\n# EOF\n")


def test_run_is_reported_once_and_its_commit_next_to_no_figure() -> None:
    found = read(run())
    assert value(found, "perfcheck_run_duration_seconds") == 12.3456
    assert value(found, "perfcheck_run_started_timestamp_seconds") == 1795435200
    assert (
        value(found, "perfcheck_run_info", version="0.1.0", commit="0123abcdef" * 4, branch="main", label="v1.2.3") == 1
    )
    assert value(found, "perfcheck_endpoints", verdict="CRITICAL") == 3
    assert value(found, "perfcheck_endpoints", verdict="not measured") == 1
    lines = render(run()).splitlines()
    assert [line for line in lines if "0123abcdef" in line] == [lines[-2]]


@pytest.fixture
def elsewhere() -> Iterator[None]:
    """A machine that is nine hours from UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "XXX-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("started", "expected"),
    [("2026-11-23T12:00:00", 1795435200), ("2026-11-23T13:00:00.5+01:00", 1795435200.5), ("yesterday", None)],
)
@pytest.mark.usefixtures("elsewhere")
def test_start_is_read_as_utc_or_left_out(started: str, expected: float | None) -> None:
    found = read(replace(run(), started_at=started))
    assert value(found, "perfcheck_run_started_timestamp_seconds") == expected


def test_units_are_those_of_the_names() -> None:
    families = {family.name: family for family in families_of(render(run()))}
    assert families["perfcheck_latency_seconds"].unit == "seconds"
    assert families["perfcheck_body_bytes"].unit == "bytes"
    assert families["perfcheck_error_ratio"].unit == "ratio"
    assert families["perfcheck_verdict"].type == "stateset"
    assert families["perfcheck_latency_quantile_seconds"].type == "summary"
    assert all(family.documentation for family in families.values())


@pytest.mark.parametrize(
    ("ms", "written"),
    [
        (450.0003, "0.4500003"),
        (1.1, "0.0011"),
        (0.0004, "0.0000004"),
        (1e-12, "0"),
        (300.0, "0.3"),
        (2e10, "20000000"),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_figures_are_decimal_and_finite(ms: float, written: str | None) -> None:
    """Equal figures must read equal, since GitLab compares text; and what is not finite is not known."""
    one = run([replace(example_results()[0], value_ms=ms)])
    latency = 'perfcheck_latency_seconds{endpoint="videos.list",group="videos",metric="median"} '
    found = [line.removeprefix(latency) for line in render(one).splitlines() if line.startswith(latency)]
    assert found == ([written] if written else [])


def test_change_since_an_earlier_run() -> None:
    before = run([replace(told, value_ms=told.value_ms and told.value_ms / 2) for told in example_results()])
    found = read(run(), before)
    own = {"endpoint": "videos.list", "group": "videos", "metric": "median"}
    assert value(found, "perfcheck_change_ratio", **own) == 2
    assert not any(name == "perfcheck_change_ratio" and ("endpoint", "artists.never") in of for name, of in found)
    assert not any(name == "perfcheck_change_ratio" for name, _ in read(run()))


def test_figures_of_two_metrics_are_two_series() -> None:
    fast = result(endpoint("a"), samples(1, spread(40)), decision(Verdict.OK, 40.0))
    before, after = read(run([fast])), read(run([replace(fast, metric=Metric.P95)]))
    assert not {series for series in before if series[0] == "perfcheck_latency_seconds"} & set(after)


# --- As GitLab reads it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", [run(), hostile_run()], ids=["example", "hostile"])
def test_gitlab_reads_the_same_values(one: Run) -> None:
    found = read_by_gitlab(render(one))
    assert len(found) == len(read(one))
    for number in found.values():
        assert re.fullmatch(r"-?\d+(\.\d+)?", number)


def test_a_comment_sign_in_any_label_does_not_end_the_line_for_gitlab() -> None:
    told = replace(example_results()[0], name="track #1", group="issue #2", errors={"#3": 1})
    one = replace(run([told]), label="#4", environment=replace(run().environment, branch="fix/#5", commit="#6"))
    assert len(read_by_gitlab(render(one))) == len(read(one))
    assert any(name.startswith("perfcheck_latency_seconds{endpoint=track _1 ~") for name in read_by_gitlab(render(one)))


def test_gitlab_shows_verdicts_first_and_what_differs_in_every_run_last() -> None:
    names = list(dict.fromkeys(name.split("{")[0] for name in read_by_gitlab(render(run()))))
    assert names[:3] == ["perfcheck_endpoints", "perfcheck_verdict", "perfcheck_latency_seconds"]
    assert names[-2:] == ["perfcheck_run_started_timestamp_seconds", "perfcheck_run_info"]


def test_runs_of_other_commits_have_the_same_series_but_for_the_info() -> None:
    other = replace(run(), id="other", seed=7, label="v2", environment=replace(run().environment, commit="4567def"))
    same = read_by_gitlab(render(run())).keys() & read_by_gitlab(render(other)).keys()
    assert {name.split("{")[0] for name in read_by_gitlab(render(other)).keys() - same} == {"perfcheck_run_info"}


# --- Foreign text --------------------------------------------------------------------------------------------------


def test_comparisons_are_valid() -> None:
    assert read(comparison_run())
    assert read(hostile_comparison())
    told = read(comparison_run(with_targets=True))
    changed = {
        dict(labels)["endpoint"]: ratio for (name, labels), ratio in told.items() if name == "perfcheck_change_ratio"
    }
    assert changed["videos.list"] == pytest.approx(2.1, rel=0.1)
    assert "search.new" not in changed


def test_hostile_names_stay_apart_and_harmless() -> None:
    one = hostile_run()
    text = render(one)
    assert all(line.isprintable() for line in text.splitlines())
    endpoints = {dict(labels).get("endpoint") for _, labels in read(one)} - {None}
    assert len(endpoints) == len(one.endpoints)
    assert any(name and name.startswith("<script>alert(1)</script> ]]> ::error::") for name in endpoints)
    assert max(len(name or "") for name in endpoints) <= 200


@pytest.mark.parametrize("name", ['say "hi" \\ {x="1"} 2', "C:\\new\\\\table", "ends in \\", '\\"', "a,b=c}", "it's"])
def test_what_has_a_meaning_in_labels_survives(name: str) -> None:
    one = run([replace(example_results()[0], name=name, group=name)])
    own = {"endpoint": name, "group": name, "metric": "median"}
    assert value(read(one), "perfcheck_latency_seconds", **own) == 0.81225
    told = f"perfcheck_latency_seconds{{endpoint={name},group={name},metric=median}}"
    assert read_by_gitlab(render(one))[told] == "0.81225"


@given(st.lists(ANY_TEXT | st.sampled_from(hostile_names()), min_size=1, max_size=8))
def test_any_text_is_read_by_both_parsers(texts: list[str]) -> None:
    told = example_results()
    results = [
        replace(told[i % len(told)], name=text, group=text, errors=dict.fromkeys(texts, 1))
        for i, text in enumerate(texts)
    ]
    one = run(results)
    one = replace(
        one,
        label=texts[0],
        started_at=texts[0],
        tool=replace(one.tool, version=texts[-1]),
        environment=replace(one.environment, commit=texts[-1], branch=texts[0]),
    )
    found = read(one, one)
    assert len(read_by_gitlab(render(one, changes_since(one, one)))) == len(found)
    verdicts = [
        dict(labels)["endpoint"] for (name, labels), number in found.items() if number and name == "perfcheck_verdict"
    ]
    assert len(set(verdicts)) == len(texts)
    for text, shown in zip(texts, verdicts, strict=True):
        if clean(text) == text != "" and "#" not in text and texts.count(text) == 1:
            assert shown == text
