"""Phrases that all messages build in the same way, and the words that none of them, and no name, has."""

from __future__ import annotations

import re
from pathlib import Path

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


# --- The field's own words -------------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[1]
WORDS = {
    "told|tells?": "reported, message, is set by",
    "asks?|asked|asking": "send a request, request, required",
    "beside": "next to, together with",
    "alike": "identical, similar",
    "twins?": "environment variable",
    "patience": "timeout",
    "seemingly": "apparently",
    "mildest": "lowest",
    "held against": "compared with",
}
SOURCES = [*ROOT.glob("perfcheck/**/*.py"), *ROOT.glob("perfcheck/**/*.j2"), *ROOT.glob("benchmarks/**/*.py")]
TEXTS = [*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "action.yml"]
ALLOWED = re.compile(r"cannot[ _-]tell|identical\|alike|alike: up to", re.IGNORECASE)  # in files that exist already


def lines_with(word: str, files: dict[str, list[str]]) -> list[str]:
    """Those that have the word, also within a name."""
    pattern = re.compile(rf"(?<![a-z])(?:{word})(?![a-z])", re.IGNORECASE)
    return [f"{file}: {line}" for file, lines in files.items() for line in lines if pattern.search(line)]


@pytest.fixture(scope="module")
def texts() -> dict[str, list[str]]:
    """The lines of code and documentation; of tests their names."""
    files = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in SOURCES + TEXTS}
    tests = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in ROOT.glob("tests/**/*.py")}
    lines = {name: ALLOWED.sub("", text).splitlines() for name, text in files.items()}
    return lines | {name: re.findall(r"def (test_\w+)", text) for name, text in tests.items()}


@pytest.mark.parametrize("word", WORDS)
def test_code_and_documentation_have_the_words_of_the_field(word: str, texts: dict[str, list[str]]) -> None:
    assert lines_with(word, texts) == [], f"better: {WORDS[word]}"
