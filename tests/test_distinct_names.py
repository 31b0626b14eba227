from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation.runs import hostile_names

from perfcheck.text import distinct_names

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # surrogates included


def test_plain_names_stay_as_they_are() -> None:
    names = ["videos.list", "GET /api/videos/{id}", "søk 🎬", "-v"]
    assert distinct_names(names) == names


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a  b", " a", "x" * 201, "", "\ud800"])
def test_a_name_that_cannot_stay_is_the_same_alone_and_in_company(name: str) -> None:
    (alone,) = distinct_names([name])
    assert alone != name
    assert alone in distinct_names(["a", "b", "x" * 200, name, "a b", "unnamed"])
    assert len(alone) <= 200


def test_names_that_look_identical_when_cleaned_stay_apart() -> None:
    shown = distinct_names(["a b", "a  b", "a\tb", "a\u200b b"])
    assert shown[0] == "a b"
    assert all(name.startswith("a b ~") for name in shown[1:])
    assert len(set(shown)) == 4


def test_names_that_clean_to_nothing_stay_apart_even_alone() -> None:
    assert len({distinct_names([name])[0] for name in ("", " ", "\n", "\ud800", "\ud801")}) == 5


def test_long_names_with_one_beginning_stay_apart_and_recognisable() -> None:
    one, two = distinct_names(["long." + "x" * 10_000 + ".one", "long." + "x" * 10_000 + ".two"], 60)
    assert one != two
    assert one.startswith("long.xxx")
    assert max(len(one), len(two)) <= 60


def test_characters_that_a_format_cannot_hold_become_an_underscore() -> None:
    (shown,) = distinct_names(["track #1"], without="#")
    assert shown.startswith("track _1 ~")


def test_names_that_are_identical_to_begin_with_are_numbered() -> None:
    assert distinct_names(["a", "a", "a (2)", "a"]) == ["a", "a (2)", "a (2) (2)", "a (3)"]


@given(st.lists(ANY_TEXT | st.sampled_from(hostile_names())))
def test_any_names_come_out_distinct_and_safe(names: list[str]) -> None:
    shown = distinct_names(names, 40, without="#")
    assert len(set(shown)) == len(names)
    for name in shown:
        assert name.strip() == name != ""
        assert "#" not in name
        assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in name)
