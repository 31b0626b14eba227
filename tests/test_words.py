from __future__ import annotations

import pytest

from perfcheck.words import and_more, plural, short_commit, short_run


@pytest.mark.parametrize(
    ("count", "noun", "expected"),
    [
        (0, "request", "0 requests"),
        (1, "request", "1 request"),
        (1200, "request", "1,200 requests"),
        (2, "query", "2 queries"),
        (1, "miss", "1 miss"),
    ],
)
def test_plural(count: int, noun: str, expected: str) -> None:
    assert plural(count, noun) == expected


@pytest.mark.parametrize(
    ("items", "expected"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c", "d"], "a, b and 2 more")],
)
def test_and_more(items: list[str], expected: str) -> None:
    assert and_more(items, 2) == expected


def test_a_commit_is_short_and_safe_to_show() -> None:
    assert short_commit("0123456789abcdef") == "0123456789"
    assert short_commit("\x1b[31m") == "[31m"


def test_the_id_of_a_run_is_shown_by_its_beginning() -> None:
    assert short_run("5e0cbd2e-9f0f-4d5f-8f3c-8f4ed3a3c7f1") == "5e0cbd2e"
