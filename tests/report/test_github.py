from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from simulation.runs import (
    big_run,
    decision,
    endpoint,
    example_results,
    hostile_run,
    result,
    run,
    samples,
    spread,
    warning,
)
from support.comparisons import hostile_comparison
from support.golden import check_golden

from perfcheck.judge.compare_runs import changes_since
from perfcheck.model import BaselineInfo, EndpointResult, Finding, Rule, Run, Verdict
from perfcheck.report.github import outputs, render, summary
from perfcheck.report.run_summary import headline
from perfcheck.text import clean

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Command:
    name: str
    properties: dict[str, str]
    message: str


def parse(line: str) -> Command:
    """As the runner reads a line of the log: name up to a space, properties between commas, message after '::'.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    assert line.startswith("::")
    head, separator, message = line[2:].partition("::")
    assert separator
    name, _, text = head.partition(" ")
    pairs = [pair.split("=", 1) for pair in text.strip().split(",") if pair]
    properties = {key: unescape(value, "%3A", "%2C") for key, value in pairs}
    return Command(name, properties, unescape(message))


def unescape(text: str, *more: str) -> str:
    for code in ("%0D", "%0A", *more, "%25"):
        text = text.replace(code, chr(int(code[1:], 16)))
    return text


def commands(text: str) -> list[Command]:
    assert text == "" or text.endswith("\n")
    return [parse(line) for line in text.splitlines()]


def slow(count: int, verdict: Verdict = Verdict.CRITICAL) -> list[EndpointResult]:
    return [
        result(endpoint(f"videos.{i}", line=10 * i + 10), samples(1, spread(800)), decision(verdict, 800.0 + i))
        for i in range(count)
    ]


# --- Annotations ---------------------------------------------------------------------------------------------------


def test_annotations() -> None:
    note = Finding.note(Rule("proxy"), "requests went through a proxy", remedy="set NO_PROXY")
    check_golden(GOLDEN / "annotations.txt", render(run(None, warning("the runner was busy"), note)))


def test_nothing_is_said_of_a_run_in_which_all_is_well() -> None:
    fine = result(endpoint("videos.list"), samples(1, spread(40)), decision(Verdict.OK, 40.0))
    assert render(run([fine])) == ""


def test_a_run_without_endpoints_is_an_error() -> None:
    assert commands(render(run([]))) == [Command("error", {"title": "perfcheck"}, "Nothing was measured.")]


def test_kinds_by_verdict_and_the_worst_first() -> None:
    found = commands(render(run()))
    titles = [(one.name, one.properties["title"].split(":")[0]) for one in found]
    warnings = [("warning", title) for title in ("WARNING", "WARNING, undecided", "WARNING")]
    assert titles == [*[("error", "CRITICAL")] * 3, ("error", "not measured"), *warnings]


def test_each_stands_at_the_promise_that_was_broken() -> None:
    lines = {one.properties["title"]: one.properties["line"] for one in commands(render(run()))}
    assert lines["CRITICAL: videos.list"] == "22"  # its target
    assert lines["CRITICAL: search.failing"] == "5"  # the error rate of the defaults
    assert lines["not measured: artists.never"] == "110"  # the endpoint


def test_the_message_states_why_how_it_was_before_and_how_to_check_again() -> None:
    before = run([replace(one, value_ms=569.0, interval_ms=(500.0, 600.0)) for one in run().endpoints[:1]])
    found = commands(render(run(), changes_since(run(), before)))
    told = next(one for one in found if "videos.list" in one.properties["title"])
    assert told.message.splitlines() == [
        "median 812 ms, over 2x its target of 300 ms (limit 600 ms)",
        "change: 569 -> 812 ms (+43%)",
        "where: waiting for the first byte 897 ms; Server-Timing: db 448 ms, app 1 ms",
        "evidence: 5 requests, then 5 to confirm; median interval 731\N{EN DASH}893 ms",
        "rerun: perfcheck run videos.list",
    ]


@pytest.mark.parametrize("count", [9, 10, 11, 57])
def test_at_most_ten_of_a_kind_and_the_last_counts_the_rest(count: int) -> None:
    found = commands(render(run([*slow(count), *slow(3, Verdict.WARNING)])))
    assert Counter(one.name for one in found) == {"error": min(count, 10), "warning": 3}
    last = [one for one in found if one.name == "error"][-1]
    if count <= 10:
        assert last.properties["title"].startswith("CRITICAL: videos.")
    else:
        assert last.properties["title"] == f"{count - 9} more like these"
        assert "job summary" in last.message
        assert f"videos.{count - 10}" in last.message  # the ratio orders them: the next after the nine


def test_what_holds_for_the_run_comes_before_the_endpoints_of_its_kind() -> None:
    found = commands(render(run(slow(20, Verdict.WARNING), warning("the runner was busy"))))
    assert found[0] == Command("warning", {"title": "perfcheck: WARNING"}, "the runner was busy")
    assert len(found) == 10


def test_the_largest_run_is_reported_in_few_lines() -> None:
    found = commands(render(big_run(1000, 5)))
    assert Counter(one.name for one in found) == {"error": 10, "warning": 10}
    assert "241 more" in found[9].properties["title"]


def of_file(file: str) -> Run:
    return replace(run(slow(1)), baseline=BaselineInfo(file, "0" * 64))


def annotated_file(file: str, workspace: Path | None) -> str | None:
    (one,) = commands(render(of_file(file), workspace=workspace))
    assert ("file" in one.properties) == ("line" in one.properties)
    return one.properties.get("file")


def test_the_file_is_named_from_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "repo" / "services" / "a").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "repo")
    monkeypatch.chdir(tmp_path / "repo" / "services")
    for workspace in (tmp_path / "repo", tmp_path / "link"):
        assert annotated_file("baselines.yaml", workspace) == "services/baselines.yaml"
        assert annotated_file("./a/baselines.yaml", workspace) == "services/a/baselines.yaml"
        assert annotated_file("../baselines.yaml", workspace) == "baselines.yaml"
        assert annotated_file(str(tmp_path / "link" / "x.yml"), workspace) == "x.yml"
    assert annotated_file("a, b: 100%.yaml", None) == "a, b: 100%.yaml"


def test_a_file_elsewhere_or_none_at_all_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "repo").mkdir()
    monkeypatch.chdir(tmp_path / "repo")
    for file in ("../baselines.yaml", "/etc/baselines.yaml", "sample baseline", "", "nul\0.yaml", "x" * 5000):
        assert annotated_file(file, tmp_path / "repo") is None
    (tmp_path / "repo" / "perf").touch()
    assert annotated_file("perf", tmp_path / "repo") == "perf"


FOREIGN = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            [
                "::error::",
                "::",
                ":",
                ",",
                "%",
                "%0A",
                "%250A",
                "%3A",
                "\n",
                "\r\n",
                "\u2028",
                "\x85",
                "=",
                " ",
                "x",
                "##[",
            ]
        ),
        max_size=8,
    ).map("".join),
)


@given(FOREIGN, FOREIGN, FOREIGN)
@example("x\n::error::on a line of its own", "100%0A::stop-commands::x", "a,line=1")
def test_no_text_is_a_command_of_its_own(name: str, message: str, file: str) -> None:
    findings = [replace(one, message=message) for one in slow(1)[0].findings]
    foreign = replace(slow(1)[0], name=name, findings=tuple(findings))
    one = replace(run([foreign], warning(message)), baseline=BaselineInfo(f"{file}.yaml", ""))
    text = render(one)
    assert len(text.split("\n")) == 3  # for a reader that knows no other end of a line
    error, told = commands(text)
    assert (error.name, told.name) == ("error", "warning")
    assert error.properties["title"] == clean(f"CRITICAL: {clean(name)}") or not clean(name)
    assert clean(message) in error.message.splitlines() or not clean(message)
    assert told.message == clean(message)
    assert set(error.properties) <= {"file", "line", "title"}


def test_hostile_run_is_escaped_and_bounded() -> None:
    for line in (render(hostile_run()) + render(hostile_comparison())).splitlines():
        one = parse(line)
        assert one.name in {"error", "warning", "notice"}
        assert set(one.properties) <= {"file", "line", "title"}
        assert len(one.properties["title"]) <= 150
        assert len(one.message) <= 3000
        assert all(char == "\n" or char.isprintable() for char in one.message)


# --- The job summary -----------------------------------------------------------------------------------------------


def test_the_summary_is_the_markdown_report() -> None:
    text = summary(run(), room=1024 * 1024)
    assert text.startswith("\n<!-- perfcheck:baselines.yaml -->\n###")
    assert text.endswith("</sub>\n")


@pytest.mark.parametrize("room", [-5, 0, 1, 100, 500, 5_000, 100_000, 1024 * 1024])
def test_the_summary_keeps_to_its_room(room: int) -> None:
    text = summary(big_run(1000, 5), room=room)
    assert len(text.encode()) <= max(0, room)
    assert bool(text) == (room >= 500 or "Left out" in text)


# --- Outputs -------------------------------------------------------------------------------------------------------


def read_outputs(text: str) -> dict[str, str]:
    """As the runner reads GITHUB_OUTPUT: ``name=value``, or ``name<<END``, lines, and ``END`` alone on a line."""
    found: dict[str, str] = {}
    assert text.endswith("\n")
    lines = iter(text[:-1].split("\n"))
    for line in lines:
        name = re.split("=|<<", line, maxsplit=1)[0]
        assert name not in found
        if line.startswith(f"{name}="):
            found[name] = line.removeprefix(f"{name}=")
        else:
            end, value = line.removeprefix(f"{name}<<"), list[str]()
            while (following := next(lines)) != end:
                value.append(following)
            found[name] = "\n".join(value)
    return found


def test_outputs() -> None:
    reports = {"html": Path("out/report.html"), "json": Path("results.json")}
    assert read_outputs(outputs(run(), reports)) == {
        "verdict": "CRITICAL",
        "exit-code": "1",
        "ok": "3",
        "warning": "3",
        "critical": "3",
        "not-measured": "1",
        "requests": "250",
        "duration-ms": "12346",
        "headline": headline(run()),
        "report-html": str(Path("out/report.html")),
        "run-file": "results.json",
    }


def test_outputs_name_no_file_that_was_not_written() -> None:
    assert not [name for name in read_outputs(outputs(run(), {})) if name.startswith(("report-", "run-file"))]


@given(FOREIGN, FOREIGN)
@example("x\nverdict=OK\nverdict<<E\nOK\nE", "\nEOF\nverdict=OK")
def test_no_text_sets_another_output(name: str, path: str) -> None:
    names = set(read_outputs(outputs(run(), {"json": Path("x")})))
    foreign = run([replace(one, name=name) for one in example_results()])
    found = read_outputs(outputs(foreign, {"json": Path(path)}))
    assert set(found) == names
    assert found["verdict"] == "CRITICAL"
    assert found["headline"] == headline(foreign)
    assert found["run-file"] == os.fsencode(Path(path)).decode("utf-8", "replace")


def test_the_end_of_a_text_cannot_be_guessed() -> None:
    fences = {re.findall(r"headline<<(\w+)", outputs(run(), {}))[0] for _ in range(10)}
    assert len(fences) == 10
    assert min(map(len, fences)) >= 32


def test_a_path_that_is_not_text_can_still_be_written() -> None:
    odd = Path(os.fsdecode(b"caf\xe9.json"))
    assert read_outputs(outputs(run(), {"json": odd}))["run-file"] == "caf\ufffd.json"
