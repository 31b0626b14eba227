"""Endpoints that share a cause are explained once: which are folded, and what the one explanation holds."""

from __future__ import annotations

import io
import re
import shlex
from dataclasses import replace

import pytest
from rich.console import Console
from simulation.runs import decision, endpoint, example_results, failed, result, run, samples, spread
from support.comparisons import comparison_run

from perfcheck.engine.selection import select_results
from perfcheck.model import EndpointResult, Finding, Rule, Run, Verdict
from perfcheck.report import github, html, junit, markdown
from perfcheck.report.console import render_console
from perfcheck.report.explain import Label, explain
from perfcheck.report.figures import EN_DASH
from perfcheck.report.fold import explain_block, fold, fold_notes, title
from perfcheck.report.glyphs import ASCII, UNICODE
from perfcheck.report.run_summary import headline, in_order

OVER = {"a": 310.0, "b": 420.0, "c": 350.0}  # within the limits, over the target


def slow(
    name: str, ms: float = 800.0, *, target: float = 300.0, header: str = "db;dur=700, app;dur=780"
) -> EndpointResult:
    measured = [(stage, replace(sample, server_timing=header)) for stage, sample in samples(1, [ms] * 5)]
    return result(endpoint(name, target=target), measured, decision(Verdict.CRITICAL, ms))


def refused(name: str, count: int = 5, line: int = 10, detail: str = "404 Not Found") -> EndpointResult:
    nothing = decision(Verdict.NOT_MEASURED, None, failures=count, errors=Verdict.CRITICAL, decided=False)
    return result(endpoint(name, line=line), failed(1, count, detail), nothing)


def unreached(name: str) -> EndpointResult:
    return result(endpoint(name), [])


def names(blocks: list[tuple[EndpointResult, ...]]) -> list[list[str]]:
    return [[one.name for one in block] for block in blocks]


def lines(results: list[EndpointResult], of: Run | None = None) -> dict[Label, list[str]]:
    (block,) = fold(results)
    found: dict[Label, list[str]] = {}
    for label, text in explain_block(of or run(results), block):
        found.setdefault(label, []).append(text.replace(EN_DASH, "-"))
    return found


# --- Which are folded ------------------------------------------------------------------------------------------------


def test_from_three_on_in_the_place_of_the_first() -> None:
    assert names(fold([refused("a"), slow("b"), refused("c"), refused("d"), slow("e")])) == [
        ["a", "c", "d"],
        ["b"],
        ["e"],
    ]
    assert fold([]) == []


@pytest.mark.parametrize(
    "other",
    [
        refused("x", detail="503 Service Unavailable"),
        refused("x", detail="500 Not Found"),  # a status is no figure
        replace(refused("x"), critical_path=True),
        replace(refused("x"), unconfirmed=Verdict.CRITICAL),
        unreached("x"),
        slow("x"),
    ],
)
def test_another_cause_is_another_block(other: EndpointResult) -> None:
    assert names(fold([refused("a"), refused("b"), other, refused("c")])) == [["a", "b", "c"], ["x"]]


@pytest.mark.parametrize(
    ("header", "is_folded"),
    [
        ("db;dur=70000, app;dur=80000", True),
        ('app;dur=780;desc="x", db;dur=90', True),  # in another order
        ("db;dur=700, app;dur=780, cache;dur=1", True),  # too small to be the cause
        ("db;dur=700, app;dur=780, cache;dur=400", False),
        ("app;dur=780", False),
        ('db;dur=700;desc="101 queries, 100 identical", app;dur=780', False),
    ],
)
def test_slow_endpoints_are_folded_by_the_account_of_the_service(header: str, *, is_folded: bool) -> None:
    blocks = fold([slow("a"), slow("b", header=header), slow("c")])
    assert (len(blocks) == 1) == is_folded


def test_every_endpoint_is_in_one_block() -> None:
    for one in (run(), comparison_run(), run([*example_results() * 3])):
        blocks = fold(in_order(one))
        assert sorted(id(result) for block in blocks for result in block) == sorted(map(id, one.endpoints))


def test_one_alone_is_explained_as_ever() -> None:
    for one in run().endpoints:
        assert explain_block(run(), (one,)) == explain(run(), one)
        assert title((one,)) == one.name


# --- What the one explanation holds ----------------------------------------------------------------------------------


def test_slow_ones() -> None:
    header = 'db;dur={};desc="{} queries, {} identical", app;dur={}'
    where = [
        "waiting for the first byte 812 ms-1.23 s",
        "download 81.2-123 ms",
        "Server-Timing: app 812 ms-1.23 s, of which db 650-710 ms (51-101 queries, 50-100 identical)",
    ]
    found = lines(
        [
            slow("videos.list", 812, header=header.format(700, 101, 100, 812)),
            slow("videos.page", 1234, target=250, header=header.format(650, 51, 50, 1234)),
            slow("search", 900, header=header.format(710, 52, 50, 900)),
        ]
    )
    assert found == {
        Label.ENDPOINTS: ["videos.list, videos.page, search"],
        Label.WHY: ["median 812 ms-1.23 s, over 2x its target of 250-300 ms (limit 500-600 ms)"],
        Label.WHERE: ["; ".join(where)],
        Label.CAUSE: ["likely N+1: 50-100 identical statements in one request"],
        Label.EVIDENCE: ["5 requests"],
        Label.BASELINE: ["baselines.yaml:12"],
        Label.RERUN: ["perfcheck run 'videos.*' search"],
    }


def test_failing_ones() -> None:
    found = lines([refused(f"m.{number}", 5 + number, line=10 * number) for number in range(1, 41)])
    assert found[Label.ENDPOINTS] == ["m.1, m.2, m.3, m.4, m.5 and 35 more"]
    assert found[Label.WHY] == ["6-45 of 6-45 requests failed (100%), over 5%: 6-45x 404 Not Found"]
    assert found[Label.BASELINE] == ["baselines.yaml:5"]  # the rate of the defaults
    assert found[Label.RERUN] == ["perfcheck run 'm.*'"]


@pytest.mark.parametrize("same", [False, True])
def test_different_bodies_of_one_failure_are_one_cause(*, same: bool) -> None:
    def broken(name: str, count: int, body: str) -> EndpointResult:
        nothing = decision(Verdict.NOT_MEASURED, None, failures=count, errors=Verdict.CRITICAL, decided=False)
        measured = [(stage, replace(sample, body_excerpt=body)) for stage, sample in failed(1, count, "404 Not Found")]
        return result(endpoint(name), measured, nothing)

    some = [
        broken(f"m.{number}", 5 if same else 5 + number, f'{{"id": {0 if same else number}}}') for number in range(3)
    ]
    count = "5" if same else "5-7"
    why = f"{count} of {count} requests failed (100%), over 5%: {count}x 404 Not Found"
    assert lines(some)[Label.WHY] == [f'{why}; first body: {{"id": 0}}']


def test_slower_ones() -> None:
    one = next(one for one in comparison_run().endpoints if one.verdict is Verdict.CRITICAL)
    message = "median 26% slower than the 212 ms before (+18% to +34%), over the limit of 10%"
    other = "median 31% slower than the 0.9 s before (+19% to +44%), over the limit of 10%"
    findings = [(Finding.warning(Rule.SLOWER, text, line=7),) for text in (message, other, message)]
    changed = [replace(one, name=f"a{number}", findings=own) for number, own in enumerate(findings)]
    assert lines(changed, comparison_run())[Label.WHY] == [
        "median 26-31% slower than the 212 ms-0.9 s before, over the limit of 10%"
    ]
    message = "median 11.7 times as slow as the 14.5 ms before (9.77x to 13.4x), over the limit of 5 ms"
    other = "median 4 times as slow as the 14.5 ms before (3.2x to 5x), over the limit of 5 ms"
    findings = [(Finding.warning(Rule.SLOWER, text, line=7),) for text in (message, other, message)]
    changed = [replace(one, name=f"a{number}", findings=own) for number, own in enumerate(findings)]
    assert lines(changed, comparison_run())[Label.WHY] == [
        "median 4-11.7 times as slow as the 14.5 ms before, over the limit of 5 ms"
    ]


def test_the_intervals_of_several_changes_are_left_out() -> None:
    """A range of their ends would be no interval of any."""
    of = comparison_run()
    one = next(one for one in of.endpoints if one.verdict is Verdict.CRITICAL and one.comparison)
    assert one.comparison is not None
    intervals = [(2.05, 2.19), (2.0, 2.2), (2.1, 2.15)]
    changed = [
        replace(one, name=f"a{number}", comparison=replace(one.comparison, ratio_interval=interval))
        for number, interval in enumerate(intervals)
    ]
    assert lines(changed, of)[Label.EVIDENCE] == ["40 requests before, 40 now"]


def test_a_note_that_not_all_have_names_those_that_do() -> None:
    note = Finding.note(Rule.ERRORS_SEEN, "1 of 5 requests failed (20%): timeout")
    other = Finding.note(Rule.ERRORS_SEEN, "2 of 9 requests failed (22%): timeout")
    a, b, c = slow("a"), slow("b"), slow("c")
    some = [replace(a, findings=(*a.findings, note)), b, replace(c, findings=(*c.findings, other))]
    merged = "1-2 of 5-9 requests failed (20-22%): timeout"
    assert lines(some)[Label.NOTE] == [f"a, c: {merged}"]
    assert lines([some[0], replace(some[0], name="d"), some[2]])[Label.NOTE] == [merged]


def test_many_notes_are_bounded() -> None:
    notes = [Finding.note(Rule.ERRORS_SEEN, f"because of {'x' * number}") for number in range(1, 9)]
    noted = [replace(one, findings=(*one.findings, *notes)) for one in (slow("a"), slow("b"), slow("c"))]
    assert lines(noted)[Label.NOTE][-1] == "and 3 more notes"


@pytest.mark.parametrize(
    ("members", "others", "words"),
    [
        (["a.x", "a.y", "b"], ["a"], ["a.*", "b"]),
        (["a.x", "a.y", "b"], ["a.z"], ["a.x", "a.y", "b"]),
        (["a.x", "b.y", "a"], [], ["a.x", "b.y", "a"]),
        (["*.x", "*.y", "-z"], ["b.x"], ["--", "*.x", "*.y", "-z"]),
    ],
)
def test_the_command_covers_these_and_no_others(members: list[str], others: list[str], words: list[str]) -> None:
    failing = [refused(name) for name in members]
    whole = run([*failing, *map(slow, others)])
    command = shlex.split(lines(failing, whole)[Label.RERUN][0])
    assert command == ["perfcheck", "run", *words]
    assert {one.name for one in select_results(whole, [word for word in words if word != "--"], [])} == set(members)


def test_a_command_is_never_cut() -> None:
    failing = [refused(f"{number}" + "x" * 50) for number in range(100)]
    assert lines(failing)[Label.RERUN] == ["perfcheck run"]


def test_a_command_names_a_few_endpoints_or_none() -> None:
    failing = [refused(f"m{number}") for number in range(21)]
    assert lines(failing, run([*failing, slow("x")]))[Label.RERUN] == ["perfcheck run"]
    assert lines(failing[:20], run([*failing, slow("x")]))[Label.RERUN][0].endswith("m18 m19")


def test_whatever_the_time_was_too_short_for_is_one_cause() -> None:
    few = result(endpoint("few"), samples(1, spread(40, 3)), decision(Verdict.NOT_MEASURED, None, requests=3))
    assert lines([unreached("a"), few, unreached("b")])[Label.WHY] == [
        "2 of 3: no request was sent: the run ended before its turn",
        "1 of 3: only 3 of 3 requests gave a latency; 5 are needed",
    ]


def test_spans_are_merged_by_what_most_endpoints_show() -> None:
    """A busy runner stretches the wait of a few, so that the span which contains the others looks too short."""
    where = lines([slow(name, header="app;dur=780, db;dur=700") for name in "abc"] + [slow("d", 990)])[Label.WHERE]
    assert where[0].endswith("Server-Timing: app 780 ms, of which db 700 ms")


def test_notes_on_endpoints_that_are_fine_are_folded_as_well() -> None:
    over = [result(endpoint(name), samples(1, spread(ms)), decision(Verdict.OK, ms)) for name, ms in OVER.items()]
    ((subject, note),) = fold_notes(over)
    assert subject == "3 endpoints (a, b, c)"
    assert note.message.replace(EN_DASH, "-") == (
        "median 310-420 ms is over its target of 300 ms, within the warning limit of 450 ms"
    )
    assert [name for name, _ in fold_notes(over[:2])] == ["a", "b"]
    assert "note 3 endpoints (b, c, a): median 310-420 ms is over" in on_terminal(run(over), ascii_only=True)


# --- In the reports --------------------------------------------------------------------------------------------------


def on_terminal(one: Run, *, ascii_only: bool = False) -> str:
    console = Console(file=io.StringIO(), width=120)
    with console.capture() as captured:
        console.print(render_console(one, ASCII if ascii_only else UNICODE, 120))
    return captured.get()


def test_forty_failing_endpoints_are_one_block_for_people_and_each_its_own_for_machines() -> None:
    one = run([refused(f"m.{number}") for number in range(40)])
    for text, heading in (
        (on_terminal(one), "CRITICAL 40 endpoints"),
        (markdown.render(one), "CRITICAL: 40 endpoints"),
    ):
        assert heading in text
        assert text.count("see the service's log") == 1
    assert on_terminal(one, ascii_only=True).isascii()
    page = html.render(one)
    assert (page.count("<article"), page.count("see the service&#39;s log")) == (1, 1)
    assert all(f'id="e{number}"' in page for number in range(1, 41))
    assert junit.render(one).count("<failure") == 40
    assert github.render(one).count("::error") == 10  # as many as are shown
    assert "and 40 more" not in on_terminal(one)


@pytest.mark.parametrize(
    "one", [run([refused(f"m.{n}") for n in range(300)]), run([unreached(f"m.{n}") for n in range(300)])]
)
def test_three_hundred_with_one_cause_are_a_few_lines(one: Run) -> None:
    """Also in tables, charts and the headline: what is the same in each is not shown three hundred times."""
    terminal, text, page = on_terminal(one), markdown.render(one), html.render(one)
    assert len(terminal.splitlines()) < 30
    assert "and 295 more with the same causes (-v shows them)" in terminal
    assert text.count("\n| ") < 10
    assert "And 295 more with the same causes" in text
    assert headline(one).startswith("300 endpoints: ")
    assert page.count("<article") == 1
    assert 'class="chart row"' not in page
    unfolded = re.sub(r"<details>.*?</details>", "", page, flags=re.DOTALL)
    assert unfolded.count("m.") < 40


def test_more_blocks_than_are_shown_are_counted_in_endpoints() -> None:
    single = [refused(f"s{number}", detail="x" * (number + 1)) for number in range(20)]
    assert "and 3 more not OK" in on_terminal(run([*single, *map(refused, "abc")]))


def test_statements_that_not_all_have_are_named_with_their_endpoints() -> None:
    header = 'db;dur=700, app;dur=780, statement.{0};dur={1};desc="SELECT {0}, from a.py:1"'
    found = lines([slow("a", header=header.format("x", 600)), *(slow(n, header=header.format("y", 650)) for n in "bc")])
    assert found[Label.CAUSE] == [
        "a: statement 600 ms: SELECT x, from a.py:1",
        "b, c: statement 650 ms: SELECT y, from a.py:1",
    ]
