from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.dom.minidom import parseString
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st
from simulation.runs import (
    big_run,
    decision,
    endpoint,
    example_results,
    failed,
    hostile_names,
    hostile_run,
    result,
    run,
    samples,
    spread,
    warning,
)
from support.comparisons import comparison_run, hostile_comparison
from support.golden import check_golden

from perfcheck.judge.compare_runs import changes_since
from perfcheck.model import EndpointResult, Finding, Rule, Run, Severity, Verdict
from perfcheck.report.figures import change_text
from perfcheck.report.junit import render
from perfcheck.text import clean

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = xmlschema.XMLSchema(Path(__file__).parent.parent / "support" / "junit.xsd")
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # surrogates included


def suite_of(one: Run, previous: Run | None = None) -> ET.Element:
    """The suite, once the document has been held against the schema and its counts against its cases."""
    document = render(one, changes_since(one, previous) if previous else None).encode("utf-8")
    SCHEMA.validate(document)
    root = ET.fromstring(document)
    (suite,) = root
    for element in (root, suite):
        assert element.get("tests") == str(len(list(suite.iter("testcase"))))
        assert element.get("failures") == str(len(list(suite.iter("failure"))))
        assert element.get("errors") == str(len(list(suite.iter("error"))))
    return suite


def case_of(suite: ET.Element, name: str) -> ET.Element:
    (case,) = (case for case in suite.iter("testcase") if case.get("name") == name)
    return case


def text_of(case: ET.Element, tag: str) -> str:
    return (case.findtext(tag) or "").strip()


def healthy(name: str = "videos.list") -> EndpointResult:
    return result(endpoint(name), samples(1, spread(40)), decision(Verdict.OK, 40.0))


def slow(name: str = "videos.list", value: float = 500.0) -> EndpointResult:
    return result(endpoint(name), samples(1, spread(value)), decision(Verdict.WARNING, value))


def test_report() -> None:
    check_golden(GOLDEN / "junit.xml", render(run(None, warning("the runner was busy"))))


def test_example_is_valid_and_says_what_became_of_each_endpoint() -> None:
    one = run()
    suite = suite_of(one)
    outcomes = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    for endpoint_result in one.endpoints:
        expected = {
            Verdict.CRITICAL: ["failure"],
            Verdict.NOT_MEASURED: ["error"],
            Verdict.WARNING: ["system-out"],
            Verdict.OK: ["system-out"] if endpoint_result.findings else [],
        }
        assert outcomes.pop(endpoint_result.name) == expected[endpoint_result.verdict]
    assert not outcomes


def test_time_is_the_metric_in_seconds() -> None:
    suite = suite_of(run())
    assert case_of(suite, "videos.list").get("time") == "0.812250"
    assert case_of(suite, "search.hanging").get("time") == "10.000000"  # the timeout, over which it lies
    assert case_of(suite, "artists.never").get("time") is None
    assert suite.get("time") == "12.345600"


@pytest.mark.parametrize("value", [0.0004, 123_456_789.0])
def test_time_has_no_exponent(value: float) -> None:
    case = case_of(suite_of(run([replace(healthy(), value_ms=value)])), "videos.list")
    assert float(case.get("time") or "") == pytest.approx(value / 1000, abs=1e-6)


def test_reason_stands_first_in_the_text_and_in_the_message() -> None:
    suite = suite_of(run())
    failure = case_of(suite, "videos.list").find("failure")
    assert failure is not None
    assert failure.get("type") == "latency"
    assert failure.get("message") == "median 812 ms, over 2x its target of 300 ms (limit 600 ms)"
    lines = (failure.text or "").splitlines()
    assert lines[0] == f"CRITICAL: {failure.get('message')}"
    assert [line.split(":")[0] for line in lines[1:]] == ["request", "where", "evidence", "baseline", "rerun"]
    assert "baseline: baselines.yaml:22" in lines


def test_failures_have_the_type_of_the_rule_that_weighs_most() -> None:
    types = {case.get("name"): case.find("failure") for case in suite_of(run()).iter("testcase")}
    failing = types["search.failing"]
    assert failing is not None
    assert failing.get("type") == "error-rate"


def test_type_is_never_a_word_from_a_run_file_that_a_reader_obeys() -> None:
    """Rails, and so GitLab, takes the type of an element for that of its content, and refuses "yaml" altogether."""
    one = result(endpoint("a"), samples(1, spread(800)), decision(Verdict.CRITICAL, 800.0))
    strange = replace(one, findings=tuple(replace(finding, rule=Rule("yaml")) for finding in one.findings))
    failure = case_of(suite_of(run([strange])), "a").find("failure")
    assert failure is not None
    assert failure.get("type") == "other"


def test_group_is_the_class_and_an_endpoint_without_one_still_has_a_class() -> None:
    suite = suite_of(run([healthy(), replace(healthy("home"), group=None)]))
    assert [case.get("classname") for case in suite.iter("testcase")] == ["videos", "perfcheck"]


def test_findings_of_the_run_stand_in_the_suite() -> None:
    note = Finding.note(Rule("proxy"), "through a proxy")
    suite = suite_of(run(None, replace(warning("the runner was busy"), remedy="use a quiet one"), note))
    assert text_of(suite, "system-err") == "WARNING: the runner was busy; use a quiet one"
    assert "note: through a proxy" in text_of(suite, "system-out")
    assert "exit 1: CRITICAL fails the check" in text_of(suite, "system-out")


def test_properties_state_what_was_checked() -> None:
    properties = {one.get("name"): one.get("value") for one in suite_of(run()).iter("property")}
    assert properties["commit"] == "0123abcdef" * 4
    assert properties["base_url"] == "http://localhost:5001"
    assert properties["seed"] == "42"
    without = replace(run(), label=None, environment=replace(run().environment, commit=None))
    assert not {"label", "commit"} & {one.get("name") for one in suite_of(without).iter("property")}


def test_change_since_the_earlier_run_is_reported() -> None:
    before = run([slow("a", 500.0), healthy("b"), healthy("same"), slow("gone", 500.0)])
    slower = replace(healthy("b"), value_ms=80.0, interval_ms=(70.0, 90.0))
    now = run([slow("a", 520.0), slower, healthy("same"), slow("new")])
    suite = suite_of(now, before)
    told = {name: change_text(change) for name, change in changes_since(now, before).changes.items()}
    assert f"change: 500 -> 520 ms ({told['a']})" in text_of(case_of(suite, "a"), "system-out")
    assert text_of(case_of(suite, "b"), "system-out") == f"change: 40 -> 80 ms ({told['b']})"
    assert "change:" not in text_of(case_of(suite, "new"), "system-out")
    assert len(case_of(suite, "same")) == 0
    assert "Compared with v1.2.3 (2026-11-23" in text_of(suite, "system-out")
    assert "change" not in ET.tostring(suite_of(now), encoding="unicode").lower()


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ('name="videos.by_date"', 'name="videos.list"'),
        ('time="0.041200"', 'time="4.12e-02"'),
        ('time="0.041200"', 'time="0.041200" file="baselines.yaml"'),
        ("failure", "skipped"),
        ("<system-out>", "<system-out><b/>"),
    ],
)
def test_schema_refuses_what_a_reader_would(written: str, instead: str) -> None:
    report = render(run())
    assert written in report
    assert not SCHEMA.is_valid(report.replace(written, instead).encode("utf-8"))


# --- A test tab is not green beside a job that is red --------------------------------------------------------------


@pytest.mark.parametrize("exit_code", [0, 3, 4, 130])
def test_run_without_endpoints_is_an_error(exit_code: int) -> None:
    (case,) = suite_of(replace(run([], warning("no answer")), exit_code=exit_code)).iter("testcase")
    assert f"exit {exit_code}" in text_of(case, "error")
    assert "Nothing was measured." in text_of(case, "error")
    assert "no answer" in text_of(case, "error")


@pytest.mark.parametrize("exit_code", [3, 4, 130])
def test_run_that_was_cut_short_after_good_results_is_an_error(exit_code: int) -> None:
    suite = suite_of(replace(run([healthy()]), exit_code=exit_code))
    assert [len(case) for case in suite.iter("testcase")] == [0, 1]
    assert suite.get("errors") == "1"


def test_warnings_that_fail_the_check_fail_the_suite() -> None:
    suite = suite_of(replace(run([slow()]), exit_code=1))
    assert suite.get("failures") == "1"
    assert "exit 1: WARNING fails the check" in text_of(case_of(suite, "the run"), "failure")


def test_no_case_for_the_run_where_an_endpoint_is_red_already_or_all_is_well() -> None:
    never = result(endpoint("artists.never"), [])
    for results, exit_code in (([healthy()], 0), ([healthy(), never], 130), (example_results(), 1)):
        one = replace(run(results), exit_code=exit_code)
        assert len(list(suite_of(one).iter("testcase"))) == len(results)


def test_an_endpoint_may_have_the_name_of_the_case_for_the_run() -> None:
    suite = suite_of(replace(run([healthy("the run")]), exit_code=130))
    assert [case.get("name") for case in suite.iter("testcase")] == ["the run", "the run (2)"]


# --- Foreign text --------------------------------------------------------------------------------------------------


def test_hostile_run_is_valid_with_a_case_of_its_own_for_each_endpoint() -> None:
    one = hostile_run()
    suite = suite_of(one)
    names = [case.get("name") or "" for case in suite.iter("testcase")]
    assert len(set(names)) == len(one.endpoints)
    assert max(map(len, names)) <= 200
    assert names[len(example_results())].startswith("<script>alert(1)</script> ]]> ::error::")
    assert suite.get("failures") == str(one.counts.critical)
    assert suite.get("errors") == str(one.counts.not_measured)
    assert "\x1b" not in render(one)


@pytest.mark.parametrize("one", [comparison_run(), comparison_run(with_targets=True), hostile_comparison()])
def test_comparisons_are_valid_and_state_what_changed(one: Run) -> None:
    suite = suite_of(one)
    assert suite.get("failures") == str(one.counts.critical)
    text = render(one)
    assert "\x1b" not in text
    assert "slower" in text


@pytest.mark.parametrize("brackets", ["[[", "[[[", "[[[[", "[\u200b["])
def test_no_answer_of_a_service_has_a_file_attached(brackets: str) -> None:
    told = f"503 {brackets}ATTACHMENT|secrets.txt]]"
    failing = result(
        endpoint("a"), failed(1, 5, told), decision(Verdict.NOT_MEASURED, None, failures=5, errors=Verdict.CRITICAL)
    )
    quiet = replace(slow("b"), findings=(warning(told),))
    suite = suite_of(run([failing, quiet], warning(told)))
    assert not any("[[" in text for text in suite.itertext())
    assert "[ [ATTACHMENT|secrets.txt]]" in text_of(case_of(suite, "a"), "failure")


def test_names_that_differ_by_brackets_stay_apart() -> None:
    names = ["a[[b", "a[ [b"]
    assert [case.get("name") for case in suite_of(run([healthy(name) for name in names])).iter("testcase")] == names


def test_big_run_is_valid() -> None:
    one = big_run(1000, 20)
    assert len(list(suite_of(one).iter("testcase"))) == 1000


def foreign(texts: Sequence[str]) -> Run:
    """A run with these texts wherever foreign text can stand."""
    first, *_ = texts
    finding = Finding(Rule.LATENCY, Severity.CRITICAL, message=texts[-1], remedy=texts[0], line=3)
    results = [
        replace(
            case,
            name=name,
            group=name,
            method=name,
            url=name,
            server_timing={name: 1.0},
            findings=(replace(finding, message=name),),
        )
        for name, case in zip(texts, [healthy(), slow(), *example_results()] * len(texts), strict=False)
    ]
    one = run(results, finding)
    return replace(
        one,
        id=first,
        label=first,
        tool=replace(one.tool, version=first, client=first),
        environment=replace(one.environment, commit=first, branch=first),
        baseline=replace(one.baseline, file=first),
        service=replace(one.service, base_url=first),
    )


@given(st.lists(ANY_TEXT | st.sampled_from(hostile_names()), min_size=1, max_size=8))
def test_any_text_gives_a_valid_document(texts: list[str]) -> None:
    document = render(foreign(texts), changes_since(foreign(texts), foreign(texts))).encode("utf-8")
    SCHEMA.validate(document)
    parseString(document).unlink()  # expat's own opinion
    names = [case.get("name") for case in ET.fromstring(document).iter("testcase")]
    assert len(set(names)) == len(texts)
    for name, text in zip(names, texts, strict=True):
        if clean(text) == text != "" and texts.count(text) == 1:
            assert name == text
