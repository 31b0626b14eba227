"""Values changed in hand-formatted baselines: only the bytes that are meant become different.

For each file in ``edit``, the result is in ``*.after.yaml``; the table below says which characters may
differ between the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from support.golden import check_golden_bytes

from perfcheck.baseline import BaselineError
from perfcheck.baseline import tree as tree_module
from perfcheck.baseline.edit import Edit, EditedBaseline, edit_baseline, unintended_change
from perfcheck.baseline.load import read_for_editing
from perfcheck.model import Unit
from perfcheck.units import parse_duration_ms

EDIT = Path(__file__).parent / "edit"
LINE = "\n    "
MERGED = "it comes from a merge key ('<<'); write it in the endpoint itself"
NO_PLACE = "no safe place to add it was found"


@dataclass(frozen=True)
class Case:
    """``edits`` as ``endpoint.key=text``; ``spans`` the characters that differ, in the order of the file."""

    edits: str
    spans: Sequence[tuple[str, str]] = ()
    refused: Sequence[tuple[str, int | None, str]] = ()


def aliased(name: str) -> str:
    return f"the alias '*{name}' refers to it; write out the value in each place"


CASES = {
    "comments": Case(
        "videos.list.target=250ms videos.list.ideal=150ms videos.page.target=120ms videos.page.ideal=90ms",
        [
            ("target: 300ms           # target", "target: 250ms           # target"),
            ("ideal: 200ms   #not", "ideal: 150ms   #not"),
            ("target:   300ms", "target:   120ms"),
            ("", f"{LINE}ideal: 90ms"),
        ],
    ),
    "tab-before-comment": Case(
        "videos.list.target=250ms videos.list.ideal=150ms", [("300ms", "250ms"), ("", f"{LINE}ideal: 150ms")]
    ),
    "workflow": Case("shop.target=250ms checkout.target=300ms", [("", f"{LINE}target: 250ms"), ("400ms", "300ms")]),
    "columns": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=90ms settings.get.ideal=9.5ms",
        [("300ms", "250ms"), ("200ms", "150ms"), ("100ms", "90ms"), ("50ms", "9.5ms")],
    ),
    "no-final-newline": Case("videos.list.target=1.2s", [("300ms", "1200ms")]),
    "no-final-newline-added": Case("videos.list.target=250ms", [("", f"{LINE}target: 250ms")]),
    "crlf": Case(
        "videos.list.target=250ms videos.list.ideal=150ms new.one.target=80ms",
        [("300ms", "250ms"), ("", "\r\n    ideal: 150ms"), ("", "\r\n    target: 80ms")],
    ),
    "mixed-line-ends": Case(
        "videos.list.target=250ms settings.get.target=80ms artists.list.target=90ms artists.list.ideal=60ms",
        [("", f"{LINE}target: 250ms"), ("", "\r    target: 80ms"), ("", f"{LINE}target: 90ms{LINE}ideal: 60ms")],
    ),
    "bom": Case("videos.list.target=250ms videos.list.ideal=150ms", [("300ms", "250ms"), ("", ", ideal: 150ms")]),
    "bom-crlf-no-end": Case(
        "videos.list.target=250ms videos.list.ideal=150ms", [("300ms", "250ms"), ("", "\r\n    ideal: 150ms")]
    ),
    "document-markers": Case(
        "videos.list.target=250ms videos.list.ideal=150ms",
        [("    target: 300ms", "    target: 250ms"), ("", f"{LINE}ideal: 150ms")],
    ),
    "flow-one-line": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=90ms settings.get.ideal=60ms "
        "health.target=30ms health.ideal=20ms",
        [
            ("300ms", "250ms"),
            ("200ms", "150ms"),
            ("100ms", "90ms, ideal: 60ms"),
            ("", ", target: 30ms, ideal: 20ms"),
        ],
    ),
    "flow-lines": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=90ms settings.get.ideal=60ms "
        "health.target=30ms artists.list.target=250ms",
        [
            ("target: 300ms, ", "target: 250ms, "),
            ("200ms", "150ms"),
            ("100ms", "90ms, ideal: 60ms"),
            ("", ", target: 250ms"),
            ("", ", target: 30ms"),
        ],
    ),
    "quotes": Case(
        "videos.list.target=250ms videos.list.ideal=150ms it's.target=250ms it's.ideal=150ms settings.get.target=90ms "
        "settings.get.ideal=40ms artists.list.ideal=300ms search.target=800ms search.ideal=600ms",
        [
            ("300ms", "250ms"),
            ("200ms", "150ms"),
            ("300ms", "250ms"),
            (r"\x32\x30\x30ms", "150ms"),
            ("100ms", "90ms"),
            ("50ms", "40ms"),
            ("", f'{LINE}ideal: "300ms"'),
            ("", f"{LINE}'target': '0.8s'{LINE}'ideal': '600ms'"),
        ],
    ),
    "json": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.ideal=50ms artists.list.target=300ms",
        [("300ms", "250ms"), ("200ms", "150ms"), ("", ', "ideal": "50ms"'), ("", ', "target": "300ms"')],
    ),
    "block-scalars": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=200ms settings.get.ideal=100ms "
        "search.target=300ms",
        [
            ("      300ms", "      250ms"),
            ("200ms", "150ms"),
            ("", f"{LINE}ideal: 100ms"),
            ("300\n        ms", "200 ms"),
            ("", f"{LINE}target: 300ms"),
        ],
    ),
    "several-lines": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=90ms settings.get.ideal=60ms",
        [
            ("300ms", "250ms"),
            ("200\n\n      ms", "150 ms"),
            ("", f"{LINE}ideal: 60ms"),
            ("      100ms ", "      90ms "),
        ],
    ),
    "anchors": Case(
        "videos.list.target=250ms videos.page.target=90ms artists.list.target=300ms artists.page.target=300ms "
        "settings.get.ideal=40ms",
        [("50ms", "40ms")],
        [
            ("videos.list.target", 5, aliased("once")),
            ("videos.page.target", 4, aliased("fast")),
            ("artists.list.target", 6, aliased("both")),
            ("artists.page.target", 6, aliased("both")),
        ],
    ),
    "anchored": Case(
        "videos.list.target=250ms videos.list.ideal=150ms videos.page.target=200ms videos.again.target=200ms",
        [("300ms", "250ms"), ("'200ms'", "'150ms'")],
        [("videos.page.target", 11, aliased("shared")), ("videos.again.target", 15, aliased("own"))],
    ),
    "merge-keys": Case(
        "videos.list.target=250ms videos.page.target=200ms videos.page.ideal=150ms settings.get.target=90ms "
        "artists.list.target=300ms artists.page.target=350ms artists.last.target=450ms search.target=800ms",
        [("500ms", "450ms")],
        [
            ("videos.list.target", 5, MERGED),
            ("videos.page.target", 5, MERGED),
            ("videos.page.ideal", 6, MERGED),
            ("settings.get.target", 5, MERGED),
            ("artists.list.target", 16, aliased("artists")),
            ("artists.page.target", 18, MERGED),
            ("search.target", 26, MERGED),
        ],
    ),
    "aliases-of-endpoints": Case(
        "videos.list.target=250ms settings.get.target=90ms settings.same.target=90ms artists.list.target=300ms "
        "search.target=500ms search.page.target=600ms",
        [("", ", target: 600ms")],
        [
            ("videos.list.target", 4, aliased("list")),
            ("settings.get.target", 8, aliased("settings")),
            ("settings.same.target", 8, aliased("settings")),
            ("artists.list.target", 11, aliased("artists")),
            ("search.target", 13, aliased("search")),
        ],
    ),
    "inherited": Case(
        "videos.list.target=250ms settings.get.target=200ms settings.get.ideal=90ms artists.list.target=450ms "
        "health.target=50ms health.ideal=30ms",
        [
            ("", f"{LINE}target: 250ms"),
            ("", ", target: 200ms, ideal: 90ms"),
            ("", f"{LINE}target: 450ms"),
            ("", ", target: 50ms, ideal: 30ms"),
        ],
    ),
    "variables": Case(
        "videos.list.target=250ms videos.page.target=200ms videos.page.ideal=150ms settings.get.target=90ms",
        [("target: 300ms", "target: 200ms")],
        [
            ("videos.list.target", 8, "it is set by a variable: ${TARGET:-300ms}"),
            ("videos.page.ideal", 3, "it is set by a variable: ${IDEAL:-200ms}"),
            ("settings.get.target", 4, "it is set by a variable: ${CORE_TARGET:-300ms}"),
        ],
    ),
    "wide": Case(
        "日本語.一覧.target=250ms 日本語.一覧.ideal=150ms vidéos.größe.target=90ms vidéos.größe.ideal=60ms "
        "e\u0301.combining.target=40ms",
        [("300ms", "250ms"), ("200ms", "150ms"), ("'100ms'", "'90ms', ideal: '60ms'"), ("50ms", "40ms")],
    ),
    "long-lines": Case(
        "videos.list.target=250ms videos.list.ideal=150ms", [("target: 300ms", "target: 250ms, ideal: 150ms")]
    ),
    "explicit-keys": Case(
        "videos.list.target=250ms videos.list.ideal=200ms settings.get.target=90ms search.target=300ms",
        [("300ms", "250ms"), ("", f"{LINE}target: 90ms")],
        [
            ("videos.list.ideal", None, NO_PLACE),
            ("search.target", None, NO_PLACE),
        ],
    ),
    "several-line-values-only": Case(
        "search.target=300ms search.ideal=200ms", [("", f"target: 300ms{LINE}ideal: 200ms{LINE}")]
    ),
    "other-line-breaks": Case(
        "videos.list.target=250ms videos.list.ideal=200ms settings.get.target=90ms health.target=30ms",
        [("300ms", "250ms"), ("", f"{LINE}ideal: 200ms"), ("", f"{LINE}target: 90ms"), ("", ", target: 30ms")],
    ),
    "units": Case(
        "videos.list.target=1.2s videos.list.ideal=0.6s settings.get.target=90_ms settings.get.ideal=40000us "
        "health.target=5s",
        [("1.5s", "1.2s"), (".8s", "0.6s"), ("100 ms", "90 ms"), ("50000us", "40ms"), ("0.1m", "5s")],
    ),
    "contradictions": Case(
        "videos.list.target=380ms settings.get.target=150ms artists.list.target=250ms settings.get.ideal=120ms",
        [("200ms", "120ms"), ("target: 300ms\n", "target: 250ms\n")],
        [
            ("videos.list.target", None, "the ceiling of 350 ms is below the target of 380 ms"),
            ("settings.get.target", None, "the critical limit of 300 ms is not above the warning limit of 400 ms"),
        ],
    ),
    "merged-endpoints": Case(
        "videos.list.target=250ms videos.page.target=200ms settings.get.target=90ms",
        [("100ms", "90ms")],
        [("videos.list.target", 6, MERGED), ("videos.page.target", 7, MERGED)],
    ),
    "anchored-keys": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=90ms settings.get.ideal=50ms "
        "artists.list.target=300ms artists.page.target=300ms",
        [("300ms", "250ms"), ("200ms", "150ms"), ("100ms", "90ms")],
        [
            ("settings.get.ideal", None, NO_PLACE),
            ("artists.list.target", None, NO_PLACE),
            ("artists.page.target", None, NO_PLACE),
        ],
    ),
    "unused-in-extensions": Case(
        "videos.list.target=250ms videos.list.ideal=150ms videos.page.target=200ms",
        [
            (
                "endpoints:\n  videos.list: {path: /api/videos/, target: 300ms, ideal: 200ms}",
                "endpoints:\n  videos.list: {path: /api/videos/, target: 250ms, ideal: 150ms}",
            ),
            ("300ms", "200ms"),
        ],
    ),
    "keys-without-values": Case(
        "videos.list.target=250ms settings.get.target=90ms settings.get.ideal=50ms artists.list.target=300ms",
        [("", ", target: 250ms"), ("", f"{LINE}target: 90ms{LINE}ideal: 50ms"), ("", ", target: 300ms")],
    ),
    "target-first": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=90ms",
        [("300ms", "250ms"), ("200ms", "150ms"), ("", f"{LINE}target: 90ms")],
    ),
}


ONLY_FOR_THE_PARSER_IN_C = {"tab-before-comment"}  # the other refuses it


def edits_of(case: Case) -> list[Edit]:
    edits = []
    for word in case.edits.split():
        value, _, text = word.rpartition("=")
        endpoint, _, key = value.rpartition(".")
        edits.append(Edit(endpoint, key, parse_duration_ms(text.replace("_", " "))))
    return edits


def edited(name: str) -> tuple[bytes, EditedBaseline]:
    file = EDIT / f"{name}.yaml"
    content = file.read_bytes()
    return content, edit_baseline(content, edits_of(CASES[name]), file, {})


def differs_only_by(before: str, after: str, spans: Sequence[tuple[str, str]]) -> bool:
    """Whether ``after`` is ``before`` with these replacements, in this order, and the same in between."""
    if not spans:
        return before == after
    (old, new), *rest = spans
    for at in range(len(before) + 1):
        is_here = before.startswith(old, at) and after.startswith(new, at)
        if is_here and differs_only_by(before[at + len(old) :], after[at + len(new) :], rest):
            return True
        if before[at : at + 1] != after[at : at + 1]:
            return False
    return False


@pytest.mark.parametrize("name", CASES)
def test_the_result(name: str) -> None:
    check_golden_bytes(EDIT / f"{name}.after.yaml", edited(name)[1].content)


@pytest.mark.parametrize("name", CASES)
def test_only_the_intended_characters_differ(name: str) -> None:
    before, result = edited(name)
    assert differs_only_by(before.decode(), result.content.decode(), CASES[name].spans)


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused_and_why(name: str) -> None:
    _, result = edited(name)
    refused = [(f"{each.edit.endpoint}.{each.edit.key}", each.line, each.reason) for each in result.refused]
    assert refused == list(CASES[name].refused)
    every = [*result.applied, *(each.edit for each in result.refused)]
    assert every == sorted(edits_of(CASES[name]), key=lambda edit: edit not in result.applied)


@pytest.mark.parametrize("name", sorted(set(CASES) - ONLY_FOR_THE_PARSER_IN_C))
def test_the_parser_without_c_gives_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = edited(name)
    monkeypatch.setattr(tree_module, "_PARSER", yaml.SafeLoader)
    assert edited(name) == expected


def test_an_edited_file_can_be_edited_back() -> None:
    file = EDIT / "columns.yaml"
    there = edited("columns")[1].content
    back = [
        Edit("videos.list", "target", 300),
        Edit("videos.list", "ideal", 200),
        Edit("settings.get", "target", 100),
        Edit("settings.get", "ideal", 50),
    ]
    assert edit_baseline(there, back, file, {}).content == file.read_bytes()


def test_values_are_compared_with_those_of_the_environment() -> None:
    file = EDIT / "variables.yaml"
    edit = Edit("videos.page", "target", 150)
    refused = edit_baseline(file.read_bytes(), [edit], file, {"IDEAL": "180ms"}).refused
    assert [each.reason for each in refused] == ["the ideal of 180 ms is above the target of 150 ms"]
    assert edit_baseline(file.read_bytes(), [edit], file, {"IDEAL": "120ms"}).applied == (edit,)


def test_a_few_contradictions_among_many_changes_leave_the_others_alone() -> None:
    endpoints = "".join(f"  e{i}: {{path: /{i}, target: 300ms, ceiling: 500ms}}\n" for i in range(100))
    content = f"version: 1\nservice: {{base_url: http://localhost}}\nendpoints:\n{endpoints}".encode()
    edits = [Edit(f"e{i}", "target", 600 if i in {7, 8, 61} else 250) for i in range(100)]
    result = edit_baseline(content, edits, Path("baselines.yaml"), {})
    assert [each.edit.endpoint for each in result.refused] == ["e7", "e8", "e61"]
    assert (len(result.applied), result.content.count(b"250ms"), result.content.count(b"300ms")) == (97, 97, 3)


def test_a_value_that_is_a_key_elsewhere_is_shared() -> None:
    content = (
        b"version: 1\nservice: {base_url: http://localhost}\nendpoints:\n"
        b"  a: {path: /a, target: &t 300ms}\n  b: {path: /b, query: {*t : x}}\n"
    )
    result = edit_baseline(content, [Edit("a", "target", 250)], Path("baselines.yaml"), {})
    assert [each.reason for each in result.refused] == [aliased("t")]


def test_an_unintended_change_is_found() -> None:
    file = EDIT / "columns.yaml"
    before = read_for_editing(file.read_bytes(), file, {})
    new_values = {("videos.list", "target"): 250.0}
    intended = file.read_bytes().replace(b"300ms", b"250ms")
    assert unintended_change(before, intended, new_values, file, {}) is None
    other = intended.replace(b"100ms", b"110ms")
    assert unintended_change(before, other, new_values, file, {}) == "other values would change with it"


def test_endpoints_that_are_not_there_are_refused() -> None:
    file = EDIT / "bom.yaml"
    result = edit_baseline(file.read_bytes(), [Edit("videos.lost", "target", 1000)], file, {})
    assert result.content == file.read_bytes()
    assert [each.reason for each in result.refused] == ["the baseline has no endpoint with this name"]


def test_a_wrong_baseline_is_not_edited() -> None:
    file = Path(__file__).parent / "bad" / "utf-16.yaml"
    with pytest.raises(BaselineError, match="UTF-16"):
        edit_baseline(file.read_bytes(), [], file, {})


def test_one_value_is_changed_once() -> None:
    file = EDIT / "bom.yaml"
    twice = [Edit("videos.list", "target", 1000), Edit("videos.list", "target", 2000)]
    with pytest.raises(ValueError, match="two edits"):
        edit_baseline(file.read_bytes(), twice, file, {})


@pytest.mark.parametrize(
    ("key", "value_ms"), [("metric", 100.0), ("target", 0.0), ("target", -1.0), ("ideal", math.nan)]
)
def test_an_edit_is_a_duration_of_a_target_or_an_ideal(key: str, value_ms: float) -> None:
    with pytest.raises(ValueError):
        Edit("videos.list", key, value_ms)


def test_every_file_is_used() -> None:
    files = {file.name.split(".")[0] for file in EDIT.glob("*.yaml")}
    assert files == set(CASES)


PAGES = b"""version: 1
service: {base_url: "http://localhost"}
endpoints:
  size: {kind: page, path: /, metric_of: bytes, target: 900kB}
  shift: {kind: page, path: /, metric_of: layout_shift, target: 0.2}
"""


def test_figures_of_pages_are_written_in_their_units() -> None:
    edits = [Edit("size", "target", 700_000.0, Unit.SIZE), Edit("shift", "target", 0.025, Unit.NUMBER)]
    edited = edit_baseline(PAGES, edits, Path("baselines.yaml"), {})
    assert edited.applied == tuple(edits)
    assert edited.content == PAGES.replace(b"900kB", b"700kB").replace(b"0.2}", b"0.025}")
