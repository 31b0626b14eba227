"""The sentences that all reports share; how they look in place is in the golden files."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from simulation.runs import HOSTILE_NAME, decision, endpoint, example_results, failed, result, run, samples, spread

from perfcheck.model import EarlierRun, EndpointChange, EndpointResult, Verdict
from perfcheck.report import claims, explain, figures, run_summary


def healthy(name: str) -> EndpointResult:
    return result(endpoint(name), samples(1, spread(40)), decision(Verdict.OK, 40.0))


NO_TARGET = result(endpoint("new", target=None), samples(1, spread(40)), decision(Verdict.OK, 40.0))


def test_headline_names_the_worst_and_counts_the_rest() -> None:
    line = run_summary.headline(run())
    assert line.startswith("search.hanging: median over the timeout of 10 s")
    assert line.endswith("Of 10 endpoints: 3 critical, 3 warning, 1 not measured, 3 OK.")


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([healthy("a"), healthy("b")], "Both endpoints are within their limits."),
        ([healthy("a")], "The endpoint is within its limits."),
        ([NO_TARGET] * 2, "No failures and nothing slow, but none of 2 endpoints has a target."),
        ([NO_TARGET], "No failures and nothing slow, but the endpoint has no target."),
        ([healthy("a"), NO_TARGET], "Both endpoints are within their limits; 1 of them has no target."),
        ([healthy("a"), NO_TARGET, NO_TARGET], "All 3 endpoints are within their limits; 2 of them have no target."),
        ([], "Nothing was measured."),
        (
            [result(endpoint("a"), [])],
            "a: no request was sent: the run ended before its turn. Of 1 endpoint: 1 not measured.",
        ),
    ],
)
def test_headline(results: list[EndpointResult], expected: str) -> None:
    assert run_summary.headline(run(results)) == expected


def test_worst_first_and_the_farthest_over_its_target_first_among_equals() -> None:
    results = run_summary.worst_first(example_results())
    critical = [one for one in results if one.verdict is Verdict.CRITICAL]
    assert results[: len(critical)] == critical
    ratios = [one.ratio or 0.0 for one in critical]
    assert ratios == sorted(ratios, reverse=True)


def test_certainty_states_how_many_are_undecided() -> None:
    assert "; 1 undecided, judged by estimate" in claims.certainty(run())
    assert "undecided" not in claims.certainty(run([healthy("a")]))


FAILING = decision(Verdict.OK, None, failures=5, errors=Verdict.CRITICAL)


def test_nothing_is_confident_about_latency_where_every_request_failed() -> None:
    assert claims.certainty(run([result(endpoint("a"), failed(1, 5), FAILING)])).startswith("No latency was judged")


@pytest.mark.parametrize("name", ["videos.list", "-q", "a b; rm -rf ~", HOSTILE_NAME])
def test_the_rerun_command_is_one_that_a_shell_takes(name: str) -> None:
    words = shlex.split(
        explain.rerun(replace(run(), command=("perfcheck", "run", "-f", "my file.yaml")), healthy(name))
    )
    assert words[:4] == ["perfcheck", "run", "-f", "my file.yaml"]
    assert words[-1] == name
    assert ("--" in words) == name.startswith("-")


def test_a_rounded_value_never_looks_like_the_limit_that_it_is_over() -> None:
    barely = result(endpoint("a"), samples(1, spread(450)), decision(Verdict.WARNING, 450.0003))
    assert float(figures.measured(barely)) > 450
    assert float(figures.ratio_to_target(barely).removesuffix("x")) > 1.5


def test_only_what_was_compared_is_counted_as_compared() -> None:
    change = EndpointChange(40.0, 41.0, clear=False)
    earlier = EarlierRun("v1", "2026-11-01T12:00:00Z", {"a": change}, added=(), removed=())
    one = run([healthy("a"), healthy("b"), healthy("c")])
    line = run_summary.compared_with(one, earlier)
    assert line.endswith(": 0 of 1 endpoint clearly changed; 2 not compared.")
    assert run_summary.compared_with(run([healthy("a")]), earlier).endswith(": 0 of 1 endpoint clearly changed.")
